"""Reconcile: the same players in two sources' box scores, value by value."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date

from include.parsing.balldontlie import BOX_SCORES
from include.parsing.names import find_player
from include.parsing.nbacom import PLAYER_BOX_SCORES
from include.sources.spec import Row, Table, game_of
from include.warehouse.open import Warehouse

TABLES = (BOX_SCORES, PLAYER_BOX_SCORES)

COMPARED = {
    "points": ("pts", "pts"),
    "rebounds": ("reb", "reb"),
    "assists": ("ast", "ast"),
    "minutes": ("minutes", "min"),
}
"""What is compared: the columns of Ball Don't Lie's table, and of NBA.com's."""
Key = tuple[str, str]
"""A game, AWAY@HOME, and a player's key."""
_NAMED = ("away_tricode", "home_tricode", "player_key")
_OURS, _THEIRS = zip(*COMPARED.values(), strict=True)
MAX_MINUTES_APART = 1
"""Whole minutes: one source cuts the seconds off, the other rounds them."""


@dataclass(frozen=True, kw_only=True)
class Difference:
    """A player's value in both sources, or ``field`` "player" where only one has him."""

    game: str
    player_key: str
    field: str
    balldontlie: int | None
    nbacom: int | None


@dataclass(frozen=True, kw_only=True)
class Reconciled:
    """``players``: how many both sources have; those who did not play are left out."""

    players: int
    differences: tuple[Difference, ...]


def reconcile_date(warehouse: Warehouse, day: date) -> Reconciled | None:
    """The date's rows in the warehouse; None where one source does not have it."""
    ours = warehouse.rows(BOX_SCORES, day, (*_NAMED, *_OURS))
    theirs = warehouse.rows(PLAYER_BOX_SCORES, day, (*_NAMED, *_THEIRS))
    if ours is None or theirs is None:
        return None
    return reconcile(ours, theirs)


def find_lacking(warehouse: Warehouse, days: Iterable[date]) -> dict[Table, list[date]]:
    """Each of the two tables -> those of the dates that were never loaded into it."""
    lacking: dict[Table, list[date]] = {}
    for day in days:
        for table in (BOX_SCORES, PLAYER_BOX_SCORES):
            if warehouse.rows(table, day, ("game_date",)) is None:
                lacking.setdefault(table, []).append(day)
    return lacking


def reconcile(balldontlie: Iterable[Row], nbacom: Iterable[Row]) -> Reconciled:
    """The rows of one date, of each source, by game and player.

    A player of whom one source has the initial, or the names turned round, is the one of the other
    source's players of the game whom that fits, and nobody else of his own.
    """
    played = filter(lambda row: row["minutes"] > 0, balldontlie)
    listed = {_key(row): row for row in nbacom}
    ours = _named_as(listed, {_key(row): row for row in played})
    theirs = _named_as(ours, listed)
    both = sorted(ours.keys() & theirs.keys())
    found: list[Difference] = []
    for game, player in sorted(ours.keys() ^ theirs.keys()):
        alone = {
            "balldontlie": int((game, player) in ours),
            "nbacom": int((game, player) in theirs),
        }
        found.append(Difference(game=game, player_key=player, field="player", **alone))
    for key in both:
        found += _compare(key, ours[key], theirs[key])
    return Reconciled(players=len(both), differences=tuple(found))


def _key(row: Row) -> Key:
    return game_of(row), row["player_key"]


def _named_as(others: Mapping[Key, Row], own: Mapping[Key, Row]) -> dict[Key, Row]:
    """A source's rows, their players named as the other source names them."""
    players: dict[str, list[str]] = {}
    for game, player in others:
        players.setdefault(game, []).append(player)
    meant = {key: (key[0], find_player(key[1], players.get(key[0], ()))) for key in own}
    taken = Counter(meant.values())
    return {(key if taken[meant[key]] > 1 else meant[key]): row for key, row in own.items()}


def _compare(key: Key, one: Row, other: Row) -> Iterable[Difference]:
    for name, (ours, theirs) in COMPARED.items():
        apart = abs(one[ours] - other[theirs])
        if apart > {"minutes": MAX_MINUTES_APART}.get(name, 0):
            yield Difference(
                game=key[0],
                player_key=key[1],
                field=name,
                balldontlie=one[ours],
                nbacom=other[theirs],
            )
