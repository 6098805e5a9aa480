"""Batches: the runs that one mail reports. Opened with the first run, closed once, reported
once."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import psycopg
from psycopg.rows import class_row


@dataclass(frozen=True, kw_only=True)
class Batch:
    """One row of ``ops.batches``.

    ``kind``: backfill, rerun (of some of its dates), catchup (scheduled runs that were late), live
    (one run that failed, reported at once). ``generation`` counts the batches of one backfill, or
    of a DAG's CATCHUP stream.
    """

    batch_id: str
    dag_id: str
    kind: str
    backfill_id: int | None
    generation: int
    opened_at: datetime
    closed_at: datetime | None
    cancelled: bool


@dataclass(frozen=True, kw_only=True)
class BatchRun:
    """A run of a batch. ``state`` is Airflow's; times are aware, None where it never started or
    ended."""

    run_id: str
    day: date
    state: str
    started_at: datetime | None
    ended_at: datetime | None


CATCHUP = 0
"""Stands in for a backfill's id where runs belong to none; Airflow's ids begin with 1."""

_BATCH = ", ".join(Batch.__dataclass_fields__)
_RUN = ", ".join(BatchRun.__dataclass_fields__)


def current(
    connection: psycopg.Connection[Any], dag_id: str, backfill_id: int, *, ended_run: str = ""
) -> Batch:
    """The backfill's open batch, opened if there is none: the first is the backfill, later ones are
    its reruns.

    ``ended_run``: the run whose end is being noted. When the newest batch is closed and has that
    end already, the same end is told twice (a scheduler that crashed tells it again): the closed
    batch is returned, none is opened.
    """
    connection.execute("SELECT pg_advisory_xact_lock(hashtext('ops.batches'), %s)", (backfill_id,))
    found = _batches(
        connection,
        "dag_id = %s AND backfill_id = %s ORDER BY generation DESC LIMIT 1",
        (dag_id, backfill_id),
    )
    if found and (found[0].closed_at is None or _has_ended(connection, found[0], ended_run)):
        connection.commit()
        return found[0]
    generation = found[0].generation + 1 if found else 0
    kind = "rerun" if generation else "backfill"
    if backfill_id == CATCHUP:
        kind = "catchup"
    batch_id = f"{dag_id}:{backfill_id or 'catchup'}:{generation}"
    connection.execute(
        "INSERT INTO ops.batches (batch_id, dag_id, kind, backfill_id, generation) VALUES (%s, %s,"
        " %s, %s, %s)",
        (batch_id, dag_id, kind, backfill_id, generation),
    )
    connection.commit()
    return _batches(connection, "batch_id = %s", (batch_id,))[0]


def failed_live(
    connection: psycopg.Connection[Any], dag_id: str, run_id: str, day: date, attempt: int
) -> str | None:
    """Makes a closed batch of one live run that failed; its id, or None where this end was told
    before."""
    batch_id = f"{dag_id}:live:{run_id}:{attempt}"
    new = connection.execute(
        "INSERT INTO ops.batches (batch_id, dag_id, kind, closed_at) VALUES (%s, %s, 'live',"
        " clock_timestamp()) ON CONFLICT DO NOTHING RETURNING batch_id",
        (batch_id, dag_id),
    ).fetchone()
    connection.execute(
        "INSERT INTO ops.batch_runs (batch_id, run_id, day, state, started_at, ended_at) VALUES"
        " (%s, %s, %s, 'failed', clock_timestamp(), clock_timestamp()) ON CONFLICT DO NOTHING",
        (batch_id, run_id, day),
    )
    connection.commit()
    return batch_id if new else None


def has(connection: psycopg.Connection[Any], batch_id: str, run_id: str) -> bool:
    """Whether the run is part of the batch."""
    found = connection.execute(
        "SELECT 1 FROM ops.batch_runs WHERE batch_id = %s AND run_id = %s", (batch_id, run_id)
    ).fetchone()
    return found is not None


def get(connection: psycopg.Connection[Any], batch_id: str) -> Batch | None:
    """The batch of that id."""
    return next(iter(_batches(connection, "batch_id = %s", (batch_id,))), None)


def register(
    connection: psycopg.Connection[Any],
    batch_id: str,
    runs: Mapping[str, date],
    *,
    state: str = "queued",
) -> None:
    """Makes runs (run_id -> day) part of the batch; those that are already keep what is known of
    them."""
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO ops.batch_runs (batch_id, run_id, day, state) VALUES (%s, %s, %s, %s) ON"
            " CONFLICT DO NOTHING",
            [(batch_id, run_id, day, state) for run_id, day in runs.items()],
        )
    connection.commit()


def mark(connection: psycopg.Connection[Any], batch_id: str, run_id: str, state: str) -> None:
    """Notes that a run started (``running``) or ended (``success``, ``failed``); repeating changes
    nothing."""
    column = "started_at" if state == "running" else "ended_at"
    connection.execute(
        f"UPDATE ops.batch_runs SET state = %s, {column} = coalesce({column}, clock_timestamp())"
        " WHERE batch_id = %s AND run_id = %s",
        (state, batch_id, run_id),
    )
    connection.commit()


def close(connection: psycopg.Connection[Any], batch_id: str, *, cancelled: bool = False) -> bool:
    """Closes the batch; True for exactly one caller."""
    closed = connection.execute(
        "UPDATE ops.batches SET closed_at = clock_timestamp(), cancelled = %s"
        " WHERE batch_id = %s AND closed_at IS NULL RETURNING batch_id",
        (cancelled, batch_id),
    ).fetchone()
    connection.commit()
    return closed is not None


def due(connection: psycopg.Connection[Any]) -> list[Batch]:
    """Batches that are closed and not reported yet, oldest first."""
    return _batches(
        connection, "closed_at IS NOT NULL AND reported_at IS NULL ORDER BY closed_at", ()
    )


def unfinished(connection: psycopg.Connection[Any]) -> list[Batch]:
    """Batches that are still open, oldest first."""
    return _batches(connection, "closed_at IS NULL ORDER BY opened_at", ())


def end_silent(connection: psycopg.Connection[Any], batch_id: str) -> bool:
    """Notes the batch's runs that told no end as failed; whether one of them had not even started
    (cancelled)."""
    silent = connection.execute(
        "UPDATE ops.batch_runs SET state = 'failed', ended_at = clock_timestamp()"
        " WHERE batch_id = %s AND state NOT IN ('success', 'failed') RETURNING started_at",
        (batch_id,),
    ).fetchall()
    connection.commit()
    return any(started_at is None for (started_at,) in silent)


def discard(connection: psycopg.Connection[Any], batch_id: str) -> None:
    """Deletes a batch without runs: whoever opened it died before it registered the first one."""
    connection.execute(
        "DELETE FROM ops.batches b WHERE batch_id = %s"
        " AND NOT EXISTS (SELECT 1 FROM ops.batch_runs r WHERE r.batch_id = b.batch_id)",
        (batch_id,),
    )
    connection.commit()


def adopt(
    connection: psycopg.Connection[Any],
    dag_id: str,
    backfill_id: int,
    runs: Collection[tuple[str, date, str, bool]],
) -> str | None:
    """Makes a closed batch of a backfill that has none: (run_id, day, state, has started) of each
    of its ended runs.

    All of it or nothing. Returns its id to exactly one caller; None where the backfill has a batch
    by now.
    """
    batch_id = f"{dag_id}:{backfill_id}:0"
    connection.execute("SELECT pg_advisory_xact_lock(hashtext('ops.batches'), %s)", (backfill_id,))
    new = connection.execute(
        "INSERT INTO ops.batches (batch_id, dag_id, kind, backfill_id, generation, closed_at,"
        " cancelled) VALUES (%s, %s, 'backfill', %s, 0, clock_timestamp(), %s) ON CONFLICT DO"
        " NOTHING RETURNING batch_id",
        (batch_id, dag_id, backfill_id, not all(started for *_, started in runs)),
    ).fetchone()
    if new:
        run_ids, days, states, started = (list(values) for values in zip(*runs, strict=True))
        connection.execute(
            "INSERT INTO ops.batch_runs (batch_id, run_id, day, state, started_at, ended_at) SELECT"
            " %s, run_id, day, state, CASE WHEN started THEN clock_timestamp() END,"
            " clock_timestamp() FROM unnest(%s::text[], %s::date[], %s::text[], %s::boolean[]) AS r"
            " (run_id, day, state, started)",
            (batch_id, run_ids, days, states, started),
        )
    connection.commit()
    return batch_id if new else None


def first_opened(connection: psycopg.Connection[Any]) -> datetime | None:
    """When the ledger's first batch was opened; None while there is none."""
    row = connection.execute("SELECT min(opened_at) FROM ops.batches").fetchone()
    connection.commit()
    return row[0] if row else None


def newest_opened(
    connection: psycopg.Connection[Any], dag_id: str, run_ids: Collection[str]
) -> datetime | None:
    """When the newest batch that has one of the runs was opened; None where none has."""
    row = connection.execute(
        "SELECT max((SELECT b.opened_at FROM ops.batches b WHERE b.batch_id = r.batch_id AND"
        " b.dag_id = %s)) FROM ops.batch_runs r WHERE r.run_id = ANY(%s)",
        (dag_id, list(run_ids)),
    ).fetchone()
    connection.commit()
    return row[0] if row else None


def unreported(connection: psycopg.Connection[Any], backfill_ids: Collection[int]) -> list[int]:
    """Those of Airflow's backfills that have no batch, in order."""
    rows = connection.execute(
        "SELECT DISTINCT backfill_id FROM ops.batches WHERE backfill_id = ANY(%s)",
        (list(backfill_ids),),
    ).fetchall()
    connection.commit()
    return sorted(set(backfill_ids) - {backfill_id for (backfill_id,) in rows})


def reported(connection: psycopg.Connection[Any], batch_id: str) -> None:
    """Notes that the batch's mail is in the outbox. Commits with whatever the caller wrote
    before."""
    connection.execute(
        "UPDATE ops.batches SET reported_at = clock_timestamp() WHERE batch_id = %s", (batch_id,)
    )
    connection.commit()


def runs(connection: psycopg.Connection[Any], batch_id: str) -> list[BatchRun]:
    """The batch's runs by date."""
    with connection.cursor(row_factory=class_row(BatchRun)) as cursor:
        cursor.execute(
            f"SELECT {_RUN} FROM ops.batch_runs WHERE batch_id = %s ORDER BY day, run_id",
            (batch_id,),
        )
        return cursor.fetchall()


def _has_ended(connection: psycopg.Connection[Any], batch: Batch, run_id: str) -> bool:
    found = connection.execute(
        "SELECT 1 FROM ops.batch_runs WHERE batch_id = %s AND run_id = %s AND ended_at IS NOT NULL",
        (batch.batch_id, run_id),
    ).fetchone()
    return found is not None


def _batches(
    connection: psycopg.Connection[Any], where: str, values: Collection[Any]
) -> list[Batch]:
    with connection.cursor(row_factory=class_row(Batch)) as cursor:
        cursor.execute(f"SELECT {_BATCH} FROM ops.batches WHERE {where}", tuple(values))
        return cursor.fetchall()
