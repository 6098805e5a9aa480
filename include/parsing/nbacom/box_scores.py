"""``/stats/leaguegamelog`` of one date: a row per player who played, and the games that they make
up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import date

from include.parsing import fields
from include.parsing.fields import Json
from include.parsing.names import player_key
from include.parsing.nbacom.seasons import (
    COUNTING,
    GAME_COLUMNS,
    columns_of,
    fields_of,
    season,
)
from include.sources.spec import Column, Game, GameState, Item, Listing, Row, Table

FEWEST_PLAYERS = 5

_LOG = fields_of(
    ("STRING", True, "PLAYER_NAME"),
    ("INTEGER", True, "PLAYER_ID"),
    ("STRING", True, "SEASON_ID"),
    ("INTEGER", True, "TEAM_ID"),
    ("STRING", True, "TEAM_ABBREVIATION TEAM_NAME MATCHUP"),
    ("STRING", False, "WL"),
    ("INTEGER", True, "MIN FGM FGA FG3M FG3A FTM FTA OREB DREB REB AST STL BLK TOV PF PTS"),
    ("INTEGER", False, "PLUS_MINUS VIDEO_AVAILABLE"),
    ("DOUBLE", False, "FG_PCT FG3_PCT FT_PCT FANTASY_PTS"),
)
_LOG_HEADERS = frozenset({"GAME_ID", "GAME_DATE", *(field.key for field in _LOG)})

PLAYER_BOX_SCORES = Table(
    name="nbacom_player_box_scores",
    columns=(
        *GAME_COLUMNS,
        Column("player_key", "STRING", "folded name, equal across sources"),
        *columns_of(_LOG),
    ),
    key=("game_id", "team_id", "player_id"),
)

_ITEM_NAMES = {
    "Regular Season": "regular_season",
    "IST": "cup_final",
    "PlayIn": "play_in",
    "Playoffs": "playoffs",
}


def box_score_items(listing: Listing) -> list[Item]:
    """One request per season type of the date's games; ``SeasonType`` must match, or the answer is
    an empty 200.

    Values: ``season`` (``2024-25``), ``season_type``. No games, no items. While the games are not
    known, every type that the month can hold is asked for.
    """
    types: set[str] | None = None
    if listing.expected is not None:
        due = [game for game in listing.expected if game.state is not GameState.POSTPONED]
        types = {game.extra.get("season_type", "") for game in due}
    if types is None or not types <= COUNTING:
        types = (
            {"Regular Season", "PlayIn", "Playoffs"}
            if 4 <= listing.day.month <= 10
            else {"Regular Season"}
        )
        types |= {"IST"} if listing.day.month == 12 else set()
    return [
        Item(name=name, values={"season": season(listing.day), "season_type": season_type})
        for season_type, name in _ITEM_NAMES.items()
        if season_type in types
    ]


def box_score_rows(body: bytes, day: date) -> Iterator[Row]:
    """One row per player who played; columns are the 32 headers in lower case, read by name."""
    for row, at, away, home in _logged(body, day):
        values = fields.read(row, at, _LOG)
        yield {
            "game_date": day,
            "game_id": row["GAME_ID"],
            "home_tricode": home,
            "away_tricode": away,
            "player_key": player_key(values["player_name"]),
            **values,
        }


def box_score_games(body: bytes, day: date) -> Iterator[Game]:
    """The games of a game log. Live while a row has no win or loss yet.

    A ``problem`` is a side with fewer than five players with minutes, or points that disagree with
    who won.
    """
    logged: dict[tuple[str, str, str], list[tuple[Json, str]]] = {}
    for row, at, away, home in _logged(body, day):
        logged.setdefault((row["GAME_ID"], away, home), []).append((row, at))
    for (game_id, away, home), rows in logged.items():
        live = any(fields.text_or_none(row, "WL", at) is None for row, at in rows)
        yield Game(
            day=day,
            away=away,
            home=home,
            state=GameState.LIVE if live else GameState.FINAL,
            game_id=game_id,
            rows=len(rows),
            problem="" if live else _unsound(rows, away, home),
        )


def _logged(body: bytes, day: date) -> Iterator[tuple[Json, str, str, str]]:
    """(row by header, its path, away, home). At a neutral site both teams' rows carry one MATCHUP,
    so both sides of a game are placed by its first row."""
    sets = fields.records(fields.decoded(body), "resultSets")
    found = [(one, at) for one, at in sets if one.get("name") == "LeagueGameLog"]
    if not found:
        raise fields.wrong("resultSets", "holds no LeagueGameLog")
    ((log, at),) = found[:1]
    headers = fields.children(log, "headers", at)
    if lacking := sorted(_LOG_HEADERS.difference(map(str, headers))):
        raise fields.wrong(f"{at}.headers", f"lacks {', '.join(lacking)}")
    sides: dict[str, tuple[str, str]] = {}
    for n, values in enumerate(fields.children(log, "rowSet", at)):
        path = f"{at}.rowSet[{n}]"
        if type(values) is not list or len(values) != len(headers):
            raise fields.wrong(path, "is no list as long as the headers")
        row = dict(zip(headers, values, strict=True))
        said = fields.calendar_day(fields.text(row, "GAME_DATE", path), f"{path}.GAME_DATE")
        if said != day:
            raise fields.wrong(f"{path}.GAME_DATE", f"is {said}, but {day} was asked for")
        game_id = fields.text(row, "GAME_ID", path)
        if game_id not in sides:
            sides[game_id] = _sides(fields.text(row, "MATCHUP", path), f"{path}.MATCHUP")
        yield row, path, *sides[game_id]


def _sides(matchup: str, at: str) -> tuple[str, str]:
    """(away, home) of ``GSW @ UTA`` or ``UTA vs. GSW``."""
    match matchup.split():
        case [away, "@", home] | [home, "vs.", away]:
            return away, home
    raise fields.wrong(at, f"is {matchup!r}, wanted AAA @ HHH or HHH vs. AAA")


def _unsound(rows: list[tuple[Json, str]], away: str, home: str) -> str:
    played: Counter[str] = Counter({away: 0, home: 0})
    points: Counter[str] = Counter()
    won: set[str] = set()
    for row, at in rows:
        team = fields.text(row, "TEAM_ABBREVIATION", at)
        played[team] += fields.whole(row, "MIN", at) > 0
        points[team] += fields.whole(row, "PTS", at)
        if row["WL"] == "W":
            won.add(team)
    if set(played) != {away, home}:
        return f"rows of {', '.join(sorted(played))}"
    few = [
        f"{team} has {number} players with minutes"
        for team, number in played.items()
        if number < FEWEST_PLAYERS
    ]
    if few:
        return "; ".join(few)
    winner = max((away, home), key=points.__getitem__)
    if won != {winner} or points[away] == points[home]:
        return (
            f"points {points[away]}:{points[home]} disagree with who won"
            f" ({', '.join(sorted(won)) or 'nobody'})"
        )
    return ""
