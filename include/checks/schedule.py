"""Which games the schedule table expects on a date: the first source of truth for completeness."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from include.parsing.nbacom import FINAL_STATUS, SCHEDULE
from include.sources.spec import Game, GameState, Row
from include.warehouse.open import Warehouse


def scheduled_games(warehouse: Warehouse, day: date) -> tuple[Game, ...] | None:
    """The date's counting games, postponed ones marked so; None where the schedule was never loaded
    for the date.

    Preseason and All-Star games do not count (``counts`` is false): not every source has them.
    """
    rows = warehouse.rows(SCHEDULE, day)
    return None if rows is None else games_in(rows, day)


def games_between(warehouse: Warehouse, first: date, last: date) -> dict[date, tuple[Game, ...]]:
    """As above, of each date of a window that the schedule was loaded for."""
    found = warehouse.rows_between(SCHEDULE, first, last)
    return {day: games_in(rows, day) for day, rows in found.items()}


def games_in(rows: Iterable[Row], day: date) -> tuple[Game, ...]:
    """The counting games among the schedule's rows of a date."""
    return tuple(
        Game(
            day=day,
            away=row["away_tricode"],
            home=row["home_tricode"],
            state=GameState.POSTPONED if row["postponed"] else GameState.FINAL,
            game_id=row["game_id"],
            score=_final_score(row),
            extra={"season_type": row["season_type"], "tip_off": str(row["tip_off"])},
        )
        for row in rows
        if row["counts"]
    )


def _final_score(row: Row) -> tuple[int, int] | None:
    """(away, home) of a game that the schedule says is over."""
    away, home = row["away_score"], row["home_score"]
    if row["status"] != FINAL_STATUS or not away or not home:
        return None
    return away, home
