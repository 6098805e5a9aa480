"""How the bets on a game of the sandbox's league came out: of its offers and its box score alone,
by nothing of what is tried."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from datetime import timedelta
from typing import Any

from devstack.sandbox.boxscore import Line
from devstack.sandbox.league import League
from devstack.sandbox.odds_lines import bookmakers, offers
from devstack.sandbox.schedule import Game
from include.sources.spec import Row, game_of

Bet = tuple[Any, ...]
"""A row as it is compared: see ``COMPARED``."""

COMPARED = (
    *("player_name", "market", "bookmaker", "line", "price_over", "price_under"),
    *("snapshot_at", "commence_time", "minutes_before_tip", "actual", "result", "why"),
)
_TAKEN_AFTER, _COMMENCES_AFTER = timedelta(seconds=38), timedelta(minutes=10)
# Of tip-offs: bookmakers say ten minutes later, and are asked five minutes before that.
_TEN_OF: tuple[Callable[[Line], int], ...] = (
    *(lambda line: line.pts, lambda line: line.reb, lambda line: line.ast),
    *(lambda line: line.stl, lambda line: line.blk),
)
_COUNTED: Mapping[str, Callable[[Line], int]] = {
    "player_points": lambda line: line.pts,
    "player_rebounds": lambda line: line.oreb + line.dreb,
    "player_assists": lambda line: line.ast,
    "player_threes": lambda line: line.fg3m,
    "player_steals": lambda line: line.stl,
    "player_blocks": lambda line: line.blk,
    "player_blocks_steals": lambda line: line.blk + line.stl,
    "player_turnovers": lambda line: line.turnover,
    "player_field_goals": lambda line: line.fgm,
    "player_frees_made": lambda line: line.ftm,
    "player_frees_attempts": lambda line: line.fta,
    "player_points_rebounds_assists": lambda line: line.pts + line.reb + line.ast,
    "player_points_rebounds": lambda line: line.pts + line.reb,
    "player_points_assists": lambda line: line.pts + line.ast,
    "player_rebounds_assists": lambda line: line.reb + line.ast,
}
_TENS = {"player_double_double": 2, "player_triple_double": 3}


def settle_game(
    game: Game,
    league: League,
    markets: Collection[str],
    *,
    off: bool = False,
    more_assists: Mapping[str, int] | None = None,
) -> frozenset[Bet]:
    """Its bets. ``off``: it was called off after they were offered; ``more_assists``: what a
    correction has added, by the name that bookmakers write."""
    box, more = league.box_score(game), more_assists or {}
    lines = {line.player.odds_name: line for line in (*box.home, *box.away)}
    taken = game.tip_off + _TAKEN_AFTER
    return frozenset(
        (
            *bet,
            taken,
            game.tip_off + _COMMENCES_AFTER,
            9,
            *((None, "void", "the game was not played on this date") if off else came_out),
        )
        for bet in _offered(game, league, markets)
        for came_out in (_settle(bet[1], bet[3], lines[bet[0]], more.get(bet[0], 0)),)
    )


def read_bets(rows: Iterable[Row]) -> dict[str, frozenset[Bet]]:
    """Game -> its rows in ``analytics.player_prop_results``."""
    games: dict[str, set[Bet]] = {}
    for row in rows:
        games.setdefault(game_of(row), set()).add(tuple(row[name] for name in COMPARED))
    return {game: frozenset(bets) for game, bets in games.items()}


def _offered(game: Game, league: League, markets: Collection[str]) -> Iterator[Bet]:
    """Player, market, bookmaker, line, and the prices of both sides."""
    taken = game.tip_off + _TAKEN_AFTER
    for book in offers(game, league, bookmakers((), ("us",)), [*markets], taken, False):
        for market in book["markets"]:
            outcomes = iter(market["outcomes"])
            for over, under in zip(outcomes, outcomes, strict=True):
                prices = (over["price"], under["price"])
                name = over["description"]
                yield (name, market["key"], book["key"], over.get("point"), *prices)


def _settle(market: str, point: float | None, line: Line, assists: int) -> Bet:
    """Actual value, result, and why."""
    if line.minutes == 0:
        return None, "void", "did not play"
    if tens := _TENS.get(market):
        reached = [count(line) >= 10 for count in _TEN_OF].count(True) >= tens
        return (1.0, "yes", None) if reached else (0.0, "no", None)
    counted = _COUNTED.get(market.removesuffix("_alternate"))
    if counted is None or point is None:
        return None, None, f"box scores do not tell {market}"
    actual = counted(line) + (assists if "assists" in market else 0)
    sides = {-1: "under", 0: "push", 1: "over"}
    return float(actual), sides[(actual > point) - (actual < point)], None
