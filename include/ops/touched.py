"""Dates that were done lately, for whoever makes other tables of theirs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import psycopg
from psycopg.rows import class_row

MAX_TOUCHED = 1000
"""How many a look takes, the oldest first: two seasons of two sources. The rest is the next
one's."""


@dataclass(frozen=True, kw_only=True)
class Touched:
    """A date of a DAG that has been done again; ``touched_at``: the last time."""

    dag_id: str
    day: date
    touched_at: datetime


def note(connection: psycopg.Connection[Any], dag_id: str, day: date) -> None:
    """Notes that the date is done, whatever that has changed. Does not commit."""
    connection.execute(
        "INSERT INTO ops.touched (dag_id, day) VALUES (%s, %s)"
        " ON CONFLICT (dag_id, day) DO UPDATE SET touched_at = excluded.touched_at",
        (dag_id, day),
    )


def read(connection: psycopg.Connection[Any]) -> list[Touched]:
    """The oldest MAX_TOUCHED."""
    with connection.cursor(row_factory=class_row(Touched)) as cursor:
        cursor.execute(
            "SELECT dag_id, day, touched_at FROM ops.touched ORDER BY touched_at LIMIT %s",
            (MAX_TOUCHED,),
        )
        return cursor.fetchall()


def forget(connection: psycopg.Connection[Any], done_with: Iterable[Touched]) -> None:
    """Forgets them, but for those that were touched once more. Does not commit."""
    given = [*done_with]
    columns = ([t.dag_id for t in given], [t.day for t in given], [t.touched_at for t in given])
    connection.execute(
        "DELETE FROM ops.touched USING unnest(%s::text[], %s::date[], %s::timestamptz[])"
        " AS given (dag_id, day, touched_at) WHERE touched.dag_id = given.dag_id"
        " AND touched.day = given.day AND touched.touched_at = given.touched_at",
        columns,
    )
