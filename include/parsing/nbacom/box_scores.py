"""``/stats/leaguegamelog`` of one date: a row per player who played, and the games that they make
up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import lru_cache, partial

from include.parsing.each_game import Read, each_game, games_in, rows_in
from include.parsing.fields import Record, decode, drift, read_fields
from include.parsing.minutes import find_wrong_minutes, nearest_overtimes
from include.parsing.names import player_key
from include.parsing.nbacom.seasons import (
    COUNTING,
    GAME_COLUMNS,
    GAME_ID,
    SEASON_TYPES,
    columns_of,
    fields_of,
    season,
)
from include.sources.spec import Column, Game, GameState, Item, Listing, Row, Table

MIN_PLAYERS = 5

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
    doc="NBA.com's game log: a row per player who played, and game.",
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


@dataclass(frozen=True)
class _Line:
    """A player's line of the log: its columns, and the sides of his game, as in ``Game``."""

    row: Record
    game_id: str
    away: str
    home: str
    sided: bool


def box_score_items(listing: Listing) -> list[Item]:
    """One request per season type of the date's games; ``SeasonType`` must match, or the answer is
    an empty 200.

    Values: ``season`` (``2024-25``), ``season_type``. No games, no items. While the games are not
    known, every type that the month can hold is asked for.
    """
    types = _types_played(listing)
    if types is None or not types <= COUNTING:
        types = _types_possible(listing.day.month)
    return [
        Item(name=name, values={"season": season(listing.day), "season_type": season_type})
        for season_type, name in _ITEM_NAMES.items()
        if season_type in types
    ]


def box_score_item(game: Game) -> str:
    """The item of a game: its season type, which its id tells."""
    found = GAME_ID.fullmatch(game.game_id)
    return _ITEM_NAMES.get(SEASON_TYPES[game.game_id[2]], "") if found else ""


def _types_played(listing: Listing) -> set[str] | None:
    """The season types of the date's games, None while the games are not known."""
    if listing.expected is None:
        return None
    due = (game for game in listing.expected if game.state is not GameState.POSTPONED)
    return {game.extra.get("season_type", "") for game in due}


def _types_possible(month: int) -> set[str]:
    types = {"Regular Season"}
    if 4 <= month <= 10:
        types |= {"PlayIn", "Playoffs"}
    if month == 12:
        types |= {"IST"}
    return types


def box_score_rows(body: bytes, day: date) -> Iterator[Row]:
    """One row per player who played; columns are the 32 headers in lower case, read by name. None
    of a game that cannot be read."""
    yield from rows_in(_read(body, day))


@lru_cache(maxsize=1)
def _read(body: bytes, day: date) -> Sequence[Read]:
    lines_of: dict[str, list[_Line]] = {}
    for line in _read_lines(body, day):
        lines_of.setdefault(line.game_id, []).append(line)
    return each_game(
        (_game(lines[0], day), partial(_read_game, lines, day)) for lines in lines_of.values()
    )


def _read_game(lines: list[_Line], day: date) -> Read:
    state, problem = _judge(lines)
    game = replace(_game(lines[0], day), state=state, problem=problem, score=_add_points(lines))
    return game, list(_rows_of(lines, day))


def _add_points(lines: Sequence[_Line]) -> tuple[int, int]:
    """(away, home): what the players' points make."""
    points = _add(lines, "PTS")
    return points[lines[0].away], points[lines[0].home]


def _add(lines: Iterable[_Line], what: str) -> Counter[str]:
    """Team -> its players' sum."""
    total: Counter[str] = Counter()
    for line in lines:
        total[line.row.text("TEAM_ABBREVIATION")] += line.row.whole(what)
    return total


def _rows_of(lines: Iterable[_Line], day: date) -> Iterator[Row]:
    for line in lines:
        values = read_fields(line.row, _LOG)
        yield {
            "game_date": day,
            "game_id": line.game_id,
            "home_tricode": line.home,
            "away_tricode": line.away,
            "player_key": player_key(values["player_name"]),
            **values,
        }


def box_score_games(body: bytes, day: date) -> Iterator[Game]:
    """The games of a game log. Live while a row has no win or loss yet.

    A ``problem`` is a side with fewer than five players with minutes, minutes that do not add up
    (``minutes.py``), or points that disagree with who won; of a game that cannot be read
    it names the field.
    """
    yield from games_in(_read(body, day))


def _game(line: _Line, day: date) -> Game:
    """The game of a line, final until it is judged."""
    return Game(
        day=day,
        away=line.away,
        home=line.home,
        sided=line.sided,
        state=GameState.FINAL,
        game_id=line.game_id,
    )


def _read_lines(body: bytes, day: date) -> Iterator[_Line]:
    """The players' lines. At a neutral site each team's rows say ``@`` with its own team first
    (game 0022400147 of 2024-11-02, 5 games of 2024-25): they do not tell who is at home."""
    rows = list(_read_rows(body))
    said: dict[str, set[tuple[str, str]]] = {}
    for row in rows:
        row.check_day("GAME_DATE", day)
        said.setdefault(row.text("GAME_ID"), set()).add(_read_matchup(row))
    for row in rows:
        game_id = row.text("GAME_ID")
        # In the alphabet's order where the rows disagree, whatever their own order is.
        away, home = min(said[game_id])
        yield _Line(row, game_id, away, home, sided=len(said[game_id]) == 1)


def _read_rows(body: bytes) -> Iterator[Record]:
    """The log's rows by header."""
    log = _find_log(decode(body))
    headers = log.children("headers")
    if lacking := sorted(_LOG_HEADERS.difference(map(str, headers))):
        raise drift(log.at("headers"), f"lacks {', '.join(lacking)}")
    for number, values in enumerate(log.children("rowSet")):
        path = f"{log.at('rowSet')}[{number}]"
        if type(values) is not list or len(values) != len(headers):
            raise drift(path, "is not a list as long as the headers")
        yield Record(dict(zip(headers, values, strict=True)), path)


def _find_log(answer: Record) -> Record:
    for result in answer.records("resultSets"):
        if result.values.get("name") == "LeagueGameLog":
            return result
    raise drift("resultSets", "holds no LeagueGameLog")


def _read_matchup(row: Record) -> tuple[str, str]:
    """(away, home) of ``GSW @ UTA`` or ``UTA vs. GSW``."""
    matchup = row.text("MATCHUP")
    match matchup.split():
        case [away, "@", home] | [home, "vs.", away]:
            return away, home
    raise drift(row.at("MATCHUP"), f"is {matchup!r}, wanted AAA @ HHH or HHH vs. AAA")


def _judge(lines: list[_Line]) -> tuple[GameState, str]:
    """The state of a game by its lines, and what is wrong with it."""
    results = [line.row.text_or_none("WL") for line in lines]
    if None in results:
        return GameState.LIVE, ""
    sides = {lines[0].away, lines[0].home}
    played: Counter[str] = Counter(dict.fromkeys(sides, 0))
    for line in lines:
        played[line.row.text("TEAM_ABBREVIATION")] += line.row.whole("MIN") > 0
    if set(played) != sides:
        return GameState.FINAL, f"rows of {', '.join(sorted(played))}"
    if few := sorted(team for team in sides if played[team] < MIN_PLAYERS):
        complaints = [f"{team} has {played[team]} players with minutes" for team in few]
    else:
        complaints = [_find_wrong_sums(lines), _find_wrong_winner(lines)]
    return GameState.FINAL, "; ".join(filter(None, complaints))


def _find_wrong_sums(lines: list[_Line]) -> str:
    """Whose minutes do not add up. The log has no periods: both teams have played the overtimes of
    the one with more minutes."""
    minutes = _add(lines, "MIN")
    overtimes = max(map(nearest_overtimes, minutes.values()))
    teams = sorted(minutes)
    wrong = (find_wrong_minutes(team, minutes[team], overtimes) for team in teams)
    return "; ".join(filter(None, wrong))


def _find_wrong_winner(lines: list[_Line]) -> str:
    away, home = lines[0].away, lines[0].home
    points = _add(lines, "PTS")
    won = {line.row.text("TEAM_ABBREVIATION") for line in lines if line.row.text("WL") == "W"}
    winner = max((away, home), key=points.__getitem__)
    if won == {winner} and points[away] != points[home]:
        return ""
    who = ", ".join(sorted(won)) or "nobody"
    return f"points {points[away]}:{points[home]} disagree with who won ({who})"
