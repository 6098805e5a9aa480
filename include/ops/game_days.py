"""Which of these days have games, by the newest schedule in raw: noted where quiet hours are looked
up, since neither the scheduler nor a task may read a season for that."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import psycopg

from include.errors import ErrorClass, Problem
from include.parsing import nbacom
from include.partition import days_between
from include.storage import raw, shared
from include.storage.store import Store

SCHEDULE = ("nbacom_schedule", "schedule")
"""DAG and endpoint of the season's body."""
FRESH = timedelta(hours=6)
"""How long a day's note counts: games are postponed on the day itself, and rarely."""
_EVER = datetime.min.replace(tzinfo=UTC)


def note_games(
    connection: psycopg.Connection[Any], count: Callable[[date], int | None], now: datetime
) -> None:
    """Notes the games of the days around ``now``, in whatever zone it is asked for; those that were
    noted lately are left. Commits. Raises what ``count`` raises."""
    around = days_between((now - timedelta(days=1)).date(), (now + timedelta(days=1)).date())
    rows = connection.execute(
        "SELECT day FROM ops.game_days WHERE day = ANY(%s) AND noted_at > clock_timestamp() - %s",
        (around, FRESH),
    )
    known = {day for (day,) in rows}
    found = {day: count(day) for day in around if day not in known}
    for day, games in found.items():
        if games is not None:
            connection.execute(
                "INSERT INTO ops.game_days (day, games) VALUES (%s, %s) ON CONFLICT (day) DO UPDATE"
                " SET games = excluded.games, noted_at = clock_timestamp()",
                (day, games),
            )
    connection.commit()


def count_games(store: Store, day: date) -> int | None:
    """The games that the newest schedule in raw has on that day, postponed ones and those that do
    not count left out; None where raw has no schedule of its season, or one that does not reach the
    day. Raises Problem."""
    found = shared.newest(store, *SCHEDULE, nbacom.season(day), since=_EVER)
    if not found:
        return None
    try:
        rows = [*nbacom.schedule_rows(raw.get_body(store, found[-1]), day)]
    except Problem as problem:
        if problem.error_class is ErrorClass.EMPTY_UNEXPECTED:
            return None
        raise
    return sum(row["counts"] and not row["postponed"] for row in rows)
