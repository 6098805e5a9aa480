"""Live dates that were not done in time: noticed by the scheduler's sweep, told once each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import psycopg
from psycopg.rows import class_row

GRACE = timedelta(minutes=30)
"""How long a date must have been late before people are told: a scheduler that was away, or an
installation that is new, makes and ends the runs of the last days in minutes."""
MAX_DAYS = 3
"""Of how many dates, the newest, the sweep looks whether they are late."""


@dataclass(frozen=True, kw_only=True)
class LateDate:
    """A live date that is not done; ``state`` is its run's, or `not made`."""

    dag_id: str
    day: date
    state: str


def note(
    connection: psycopg.Connection[Any],
    dag_id: str,
    looked_at: Sequence[date],
    late: Mapping[date, str],
) -> None:
    """Notes which of the dates that were looked at are late (date -> state); the others of them are
    done, and need not be told any more. Does not commit."""
    done = [day for day in looked_at if day not in late]
    connection.execute(
        "DELETE FROM ops.late_dates WHERE dag_id = %s AND day = ANY(%s) AND reported_at IS NULL",
        (dag_id, done),
    )
    for day, state in late.items():
        connection.execute(
            "INSERT INTO ops.late_dates (dag_id, day, state) VALUES (%s, %s, %s)"
            " ON CONFLICT (dag_id, day) DO UPDATE SET state = excluded.state",
            (dag_id, day, state),
        )


def untold(connection: psycopg.Connection[Any]) -> list[LateDate]:
    """Those that are late for GRACE and were not told yet; locked until the caller commits."""
    with connection.cursor(row_factory=class_row(LateDate)) as cursor:
        cursor.execute(
            "SELECT dag_id, day, state FROM ops.late_dates WHERE reported_at IS NULL"
            " AND noticed_at < clock_timestamp() - %s ORDER BY dag_id, day FOR UPDATE",
            (GRACE,),
        )
        return cursor.fetchall()


def told(connection: psycopg.Connection[Any], dates: Sequence[LateDate]) -> None:
    """Notes that they are told. Does not commit: it stands or falls with the mail."""
    for each in dates:
        connection.execute(
            "UPDATE ops.late_dates SET reported_at = clock_timestamp()"
            " WHERE dag_id = %s AND day = %s",
            (each.dag_id, each.day),
        )
