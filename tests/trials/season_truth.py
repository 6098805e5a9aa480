"""What the sandbox's league has of a date, and what the warehouse's rows say of it, in the same
words: by game, as sets of tuples."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import date, timedelta
from typing import Any

from devstack.sandbox.boxscore import Line
from devstack.sandbox.league import League
from devstack.sandbox.odds_lines import FEATURED, bookmakers, offers
from devstack.sandbox.plays import plays
from devstack.sandbox.rosters import Player
from devstack.sandbox.schedule import Game
from devstack.sandbox.teams import TEAMS
from include.parsing.names import player_key
from include.sources.spec import Row, game_of
from tests.steps.errors.cases import BDL, DRIVE, LINES, LOGS, PLAYS, PROPS, SCHEDULE

At = tuple[str, str]
Facts = Mapping[str, frozenset[tuple[Any, ...]]]
"""``GSW@UTA`` -> what is known of the game."""

# Of the first snapshot at or after a tip-off that the bookmakers, who say ten minutes later, take
# for one before it.
_SNAPSHOT = timedelta(seconds=38)


def read_league(at: At, day: date, league: League, off: Collection[str] = ()) -> Facts:
    """What the table's date must have; ``off`` are games that were called off."""
    games = [game for game in league.games_on(day) if str(game) not in off]
    if at == LINES and games:
        first = min(games, key=lambda game: game.tip_off)
        return {str(game): _offered(game, league, FEATURED, first) for game in games}
    return {str(game): _OF_GAME[at](game, league) for game in games}


def read_rows(at: At, rows: Iterable[Row], league: League) -> Facts:
    """The same of the warehouse's rows."""
    by_game: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        if row.get("counts", True) and not row.get("postponed"):
            by_game[game_of(row)].append(row)
    return {game: _OF_ROWS[at](of_game, league) for game, of_game in by_game.items()}


# --- the league


def _scheduled(game: Game, league: League) -> frozenset[tuple[Any, ...]]:
    final = league.score(game)
    return frozenset({(game.nba_id, final.away_points, final.home_points, game.tip_off)})


def _listed(game: Game, league: League) -> frozenset[tuple[Any, ...]]:
    lines = league.box_score(game)
    return frozenset(
        (line.player.balldontlie_id, *_count(line)) for line in (*lines.home, *lines.away)
    )


def _played(game: Game, league: League) -> frozenset[tuple[Any, ...]]:
    lines = league.box_score(game)
    played = (line for line in (*lines.home, *lines.away) if line.played)
    return frozenset((line.player.nba_id, *_count(line)) for line in played)


def _count(line: Line) -> tuple[int, ...]:
    return line.minutes, line.pts, line.reb, line.ast


def _scored(game: Game, league: League, key: str) -> frozenset[tuple[Any, ...]]:
    """Each player's points by the plays, and the score at the end."""
    points = Counter[Any]()
    for play in plays(game, league.seed):
        if play.points and play.player:
            points[_KEYS[key](play.player)] += play.points
    final = league.score(game)
    return frozenset({*points.items(), ("score", final.away_points, final.home_points)})


_KEYS: Mapping[str, Callable[[Player], Any]] = {
    "player_id": lambda player: player.nba_id,
    "player_key": lambda player: player_key(player.name),
}


def _offered(
    game: Game, league: League, markets: Iterable[str], first: Game
) -> frozenset[tuple[Any, ...]]:
    taken = first.tip_off + _SNAPSHOT
    books = bookmakers((), ("us",))
    return frozenset(
        (book["key"], market["key"], _side(outcome, game), outcome.get("point"), outcome["price"])
        for book in offers(game, league, books, list(markets), taken, False)
        for market in book["markets"]
        for outcome in market["outcomes"]
    )


def _side(outcome: Mapping[str, Any], game: Game) -> str:
    """Of a prop the player's key too."""
    sides = {game.home.odds_name: "Home", game.away.odds_name: "Away"}
    side = sides.get(outcome["name"], outcome["name"])
    return " ".join([side, player_key(outcome.get("description", ""))]).strip()


_OF_GAME: Mapping[At, Callable[[Game, League], frozenset[tuple[Any, ...]]]] = {
    SCHEDULE: _scheduled,
    BDL: _listed,
    LOGS: _played,
    PLAYS: lambda game, league: _scored(game, league, "player_id"),
    PROPS: lambda game, league: _offered(game, league, ["player_points"], game),
    DRIVE: lambda game, league: _scored(game, league, "player_key"),
}


# --- the warehouse


def _scheduled_rows(rows: list[Row], league: League) -> frozenset[tuple[Any, ...]]:
    names = ("game_id", "away_score", "home_score", "tip_off")
    return frozenset(tuple(row[name] for name in names) for row in rows)


def _counted_rows(minutes: str) -> Callable[[list[Row], League], frozenset[tuple[Any, ...]]]:
    names = ("player_id", minutes, "pts", "reb", "ast")
    return lambda rows, league: frozenset(tuple(row[name] for name in names) for row in rows)


def _scored_rows(key: str) -> Callable[[list[Row], League], frozenset[tuple[Any, ...]]]:
    def read(rows: list[Row], league: League) -> frozenset[tuple[Any, ...]]:
        points = Counter[Any]()
        for row in rows:
            if worth := _worth(row):
                points[row[key]] += worth
        last = [max(row[f"{side}_score"] for row in rows) for side in ("away", "home")]
        return frozenset({*points.items(), ("score", *last)})

    return read


def _worth(row: Row) -> int:
    """The points of BigDataBall's play, or of NBA.com's action."""
    if "shot_result" not in row:
        return row["points"] or 0
    worth = {"2pt": 2, "3pt": 3, "freethrow": 1}.get(row["action_type"], 0)
    return {"Made": worth}.get(row["shot_result"], 0)


def _prop_rows(rows: list[Row], league: League) -> frozenset[tuple[Any, ...]]:
    """Players are found among the game's own: a bookmaker may write an initial. Of two whom it fits
    it is the one whose name is not written elsewhere, and who is the better scorer."""
    teams = {rows[0]["home_tricode"], rows[0]["away_tricode"]}
    of_teams = [team for team in TEAMS if team.tricode in teams]
    keys = [player_key(each.odds_name) for team in of_teams for each in league.roster(team)]
    written = {row["player_key"] for row in rows}
    others = [key for key in reversed(keys) if key not in written]
    known = {" ".join([key[0], *key.split()[1:]]): key for key in others}
    return frozenset(
        (
            row["bookmaker"],
            row["market"],
            f"{row['side']} {known.get(row['player_key'], row['player_key'])}",
            row["line"],
            row["price"],
        )
        for row in rows
    )


def _line_rows(rows: list[Row], league: League) -> frozenset[tuple[Any, ...]]:
    names = ("bookmaker", "market", "side", "line", "price")
    return frozenset(tuple(row[name] for name in names) for row in rows)


_OF_ROWS: Mapping[At, Callable[[list[Row], League], frozenset[tuple[Any, ...]]]] = {
    SCHEDULE: _scheduled_rows,
    BDL: _counted_rows("minutes"),
    LOGS: _counted_rows("min"),
    PLAYS: _scored_rows("player_id"),
    PROPS: _prop_rows,
    LINES: _line_rows,
    DRIVE: _scored_rows("player_key"),
}
