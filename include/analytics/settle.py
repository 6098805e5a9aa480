"""How a bet on a player is settled: the market's statistic of a box-score row against the line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from include.sources.spec import Row


class Settled(NamedTuple):
    """``actual`` is the market's statistic, 1 or 0 of a market without a line; ``result`` is over,
    under, push or void, yes or no, and None where ``why`` says what is missing."""

    actual: float | None = None
    result: str | None = None
    why: str | None = None


STATISTICS: Mapping[str, tuple[str, ...]] = {
    "player_points": ("points",),
    "player_rebounds": ("rebounds",),
    "player_assists": ("assists",),
    "player_threes": ("threes",),
    "player_blocks": ("blocks",),
    "player_steals": ("steals",),
    "player_blocks_steals": ("blocks", "steals"),
    "player_turnovers": ("turnovers",),
    "player_points_rebounds_assists": ("points", "rebounds", "assists"),
    "player_points_rebounds": ("points", "rebounds"),
    "player_points_assists": ("points", "assists"),
    "player_rebounds_assists": ("rebounds", "assists"),
    "player_field_goals": ("field_goals",),
    "player_frees_made": ("frees_made",),
    "player_frees_attempts": ("frees_attempts",),
}
"""Market -> the statistics whose sum it is about. An alternate market is about the same."""
MULTIPLES: Mapping[str, int] = {"player_double_double": 2, "player_triple_double": 3}
"""Market -> in how many of the five statistics ten must be reached."""
TEN_OF = ("points", "rebounds", "assists", "steals", "blocks")
UNTOLD = "box scores do not tell"
"""Begins why a bet cannot be settled that no box score settles."""
_ALTERNATE = "_alternate"


def settle(market: str, line: float | None, player: Row | None) -> Settled:
    """Settles one bet. ``player`` has the statistics by their names here and ``played``; None: the
    box scores of the game do not have him.

    A bet on somebody who did not play is void, whatever the market: bookmakers give the stake back.
    """
    if player is None:
        return Settled(why="the player is not in the game's box score")
    if not player["played"]:
        return Settled(result="void", why="did not play")
    base = market.removesuffix(_ALTERNATE)
    if base in MULTIPLES:
        tens = sum(player[name] >= 10 for name in TEN_OF)
        reached = tens >= MULTIPLES[base]
        return Settled(float(reached), ("no", "yes")[reached])
    if base not in STATISTICS:
        return Settled(why=f"{UNTOLD} {market}")
    actual = float(sum(player[name] for name in STATISTICS[base]))
    if line is None:
        return Settled(actual, why="the bookmaker gave no line")
    return Settled(actual, _compare(actual, line))


def _compare(actual: float, line: float) -> str:
    if actual == line:
        return "push"
    return "over" if actual > line else "under"
