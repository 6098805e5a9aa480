"""The stages of an order: backfills that are made one after the other, each only if the one before
was clean. They are one batch, which is not over while stages are to come."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import takewhile
from typing import Any, Literal

import psycopg
from psycopg.rows import class_row

from include.ops.backfills import Kind

State = Literal["to come", "begun", "left out"]


@dataclass(frozen=True, kw_only=True)
class Stage:
    """``days`` get a run, ``cleared`` are the ids of runs that run again; ``why`` a stage was left
    out."""

    stage: Kind
    days: Sequence[date]
    cleared: Sequence[str] = ()
    state: State = "to come"
    why: str = ""


_STAGE = ", ".join(Stage.__dataclass_fields__)


def lock(connection: psycopg.Connection[Any]) -> bool:
    """Whether the caller alone may begin stages until it commits."""
    row = connection.execute("SELECT pg_try_advisory_xact_lock(hashtext('ops.stages'), 0)")
    return bool((row.fetchone() or [False])[0])


def write(connection: psycopg.Connection[Any], batch_id: str, stages: Sequence[Stage]) -> None:
    """Writes an order's stages, in their order; those there are of its batch are of another order,
    from before Airflow's database was made anew. Does not commit."""
    connection.execute("DELETE FROM ops.stages WHERE batch_id = %s", (batch_id,))
    for number, each in enumerate(stages):
        connection.execute(
            f"INSERT INTO ops.stages (batch_id, number, {_STAGE}) VALUES (%s, %s, %s, %s, %s, %s,"
            " %s)",
            (batch_id, number, each.stage, [*each.days], [*each.cleared], each.state, each.why),
        )


def read(connection: psycopg.Connection[Any], batch_id: str) -> list[Stage]:
    """The stages of an order, in their order; none where it has but one."""
    with connection.cursor(row_factory=class_row(Stage)) as cursor:
        cursor.execute(
            f"SELECT {_STAGE} FROM ops.stages WHERE batch_id = %s ORDER BY number", (batch_id,)
        )
        return cursor.fetchall()


def read_waiting(connection: psycopg.Connection[Any]) -> set[str]:
    """The batches that have stages to come."""
    rows = connection.execute("SELECT batch_id FROM ops.stages WHERE state = 'to come'")
    return {batch_id for (batch_id,) in rows}


def read_left_out(
    connection: psycopg.Connection[Any], batch_ids: Collection[str]
) -> dict[str, list[date]]:
    """The dates of each batch that get no run, since a stage before theirs was not clean."""
    return _read_days(connection, batch_ids, "left out")


def read_to_come(
    connection: psycopg.Connection[Any], batch_ids: Collection[str]
) -> dict[str, list[date]]:
    """The dates of each batch that get a run when the stages before theirs were clean."""
    return _read_days(connection, batch_ids, "to come")


def _read_days(
    connection: psycopg.Connection[Any], batch_ids: Collection[str], state: State
) -> dict[str, list[date]]:
    rows = connection.execute(
        "SELECT batch_id, unnest(days) FROM ops.stages WHERE state = %s AND batch_id = ANY(%s)",
        (state, [*batch_ids]),
    )
    found: dict[str, list[date]] = defaultdict(list)
    for batch_id, day in rows:
        found[batch_id].append(day)
    return found


def begin_next(connection: psycopg.Connection[Any], batch_id: str) -> None:
    """Notes that the first stage that is to come has begun. Does not commit."""
    connection.execute(
        "UPDATE ops.stages SET state = 'begun' WHERE batch_id = %s AND number = (SELECT min(number)"
        " FROM ops.stages WHERE batch_id = %s AND state = 'to come')",
        (batch_id, batch_id),
    )


def leave_out(connection: psycopg.Connection[Any], batch_id: str, why: str) -> None:
    """Notes that the stages that are to come do not come. Does not commit."""
    connection.execute(
        "UPDATE ops.stages SET state = 'left out', why = %s WHERE batch_id = %s AND state ="
        " 'to come'",
        (why, batch_id),
    )


def begun(stages: Sequence[Stage]) -> list[Stage]:
    """Those that have begun."""
    return list(takewhile(lambda each: each.state == "begun", stages))
