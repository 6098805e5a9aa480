"""Batches: the runs that one mail reports, as Airflow's rows had them when the batch was closed. An
open batch is Airflow's to know; what is kept of it here outlives the deletion of its runs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from types import MappingProxyType
from typing import Any, Literal

import psycopg
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

Kind = Literal["backfill", "rerun", "catchup", "live"]

DELETED = "deleted"
"""Stands in for Airflow's state where the run is not in its rows any more."""


@dataclass(frozen=True, kw_only=True)
class Batch:
    """One row of ``ops.batches``.

    ``kind``: backfill, rerun (of dates that were reported before), catchup (scheduled runs that
    were late), live (one run that failed, reported at once). ``opened_at``, by Airflow's clock, is
    when its first run was queued; ``closed_at``, by the database's, when its runs were taken.
    """

    batch_id: str
    dag_id: str
    kind: Kind
    opened_at: datetime
    closed_at: datetime | None
    cancelled: bool


@dataclass(frozen=True, kw_only=True)
class BatchRun:
    """A run of a batch, as Airflow has it: ``queued_at`` tells a run that was cleared from the one
    that it was; ``state`` is Airflow's, or DELETED; ``started_at`` and ``ended_at`` are None where
    it never did. Times are aware, by Airflow's clock."""

    run_id: str
    day: date
    state: str
    queued_at: datetime
    started_at: datetime | None
    ended_at: datetime | None

    @property
    def over(self) -> bool:
        """Whether nothing more will come of it."""
        return self.state in ("success", "failed", DELETED)

    @property
    def cancelled(self) -> bool:
        """Whether it was ended before it ran."""
        return self.state == "failed" and self.started_at is None


def name_backfill(dag_id: str, backfill_id: int) -> str:
    """The id of the batch of an order whose first backfill is this."""
    return f"{dag_id}:{backfill_id}:0"


def dag_of(batch_id: str) -> str:
    """The DAG of a batch."""
    return batch_id.split(":")[0]


def kind_of(batch_id: str) -> Kind:
    """The kind of a batch: its id is ``DAG:BACKFILL:0``, ``DAG:rerun:NUMBER``,
    ``DAG:catchup:NUMBER`` or ``DAG:live:RUN``."""
    name = batch_id.split(":")[1]
    kinds: dict[str, Kind] = {"rerun": "rerun", "catchup": "catchup", "live": "live"}
    return kinds.get(name, "backfill")


_NOTHING: Mapping[str, Any] = MappingProxyType({})
_BATCH = ", ".join(Batch.__dataclass_fields__)
_RUN = tuple(BatchRun.__dataclass_fields__)


def lock(connection: psycopg.Connection[Any]) -> bool:
    """Whether the caller alone may write batches until it commits."""
    row = connection.execute(
        "SELECT pg_try_advisory_xact_lock(hashtext('ops.batches'), 0)"
    ).fetchone()
    assert row is not None
    return bool(row[0])


def write(
    connection: psycopg.Connection[Any], batch_id: str, runs: Sequence[BatchRun], *, over: bool
) -> None:
    """Writes the batch with its runs (one at least), and closes it if it is over. Does not commit.

    It was cancelled if one of its runs has failed without ever having started.
    """
    connection.execute(
        "INSERT INTO ops.batches (batch_id, dag_id, kind, opened_at, closed_at, cancelled) VALUES"
        " (%s, %s, %s, %s, CASE WHEN %s THEN clock_timestamp() END, %s)",
        (
            batch_id,
            dag_of(batch_id),
            kind_of(batch_id),
            min(run.queued_at for run in runs),
            over,
            any(run.cancelled for run in runs),
        ),
    )
    connection.execute(
        f"INSERT INTO ops.batch_runs (batch_id, {', '.join(_RUN)}) SELECT %s, * FROM"
        " unnest(%s::text[], %s::date[], %s::text[], %s::timestamptz[], %s::timestamptz[],"
        " %s::timestamptz[])",
        (batch_id, *([getattr(run, name) for run in runs] for name in _RUN)),
    )


def read_open(connection: psycopg.Connection[Any]) -> dict[str, list[BatchRun]]:
    """The runs of the batches that were open when they were last looked at, by batch."""
    found: dict[str, list[BatchRun]] = defaultdict(list)
    rows = connection.execute(
        f"SELECT r.batch_id, {', '.join(f'r.{name}' for name in _RUN)} FROM ops.batches b JOIN"
        " ops.batch_runs r USING (batch_id) WHERE b.closed_at IS NULL"
    )
    for batch_id, *values in rows:
        found[batch_id].append(BatchRun(**dict(zip(_RUN, values, strict=True))))
    return found


def forget_open(connection: psycopg.Connection[Any]) -> None:
    """Deletes the batches that are open, to be written anew. Does not commit."""
    connection.execute("DELETE FROM ops.batches WHERE closed_at IS NULL")


def read_told(
    connection: psycopg.Connection[Any], run_ids: Collection[str]
) -> dict[tuple[str, str], datetime]:
    """(DAG, run) -> when the newest of it that a closed batch has was queued."""
    rows = connection.execute(
        "SELECT r.batch_id, r.run_id, r.queued_at FROM ops.batch_runs r WHERE r.run_id = ANY(%s)"
        " AND (SELECT b.closed_at FROM ops.batches b WHERE b.batch_id = r.batch_id) IS NOT NULL"
        " ORDER BY r.queued_at",
        (list(run_ids),),
    )
    return {(dag_of(batch_id), run_id): queued_at for batch_id, run_id, queued_at in rows}


def read_closed_at(
    connection: psycopg.Connection[Any], dag_id: str, run_ids: Collection[str]
) -> datetime | None:
    """When the newest batch of the DAG that has one of these runs and is over was closed."""
    row = connection.execute(
        "SELECT max(b.closed_at) FROM ops.batches b WHERE b.dag_id = %s AND b.batch_id IN"
        " (SELECT r.batch_id FROM ops.batch_runs r WHERE r.run_id = ANY(%s))",
        (dag_id, [*run_ids]),
    ).fetchone()
    return row[0] if row else None


def count_closed(
    connection: psycopg.Connection[Any], dag_ids: Collection[str]
) -> dict[tuple[str, str], int]:
    """(DAG, kind) -> how many closed batches it has of that kind, of rerun and catchup."""
    rows = connection.execute(
        "SELECT dag_id, kind, count(*) FROM ops.batches WHERE dag_id = ANY(%s) AND kind IN"
        " ('rerun', 'catchup') AND closed_at IS NOT NULL GROUP BY 1, 2",
        (list(dag_ids),),
    )
    return {(dag_id, kind): count for dag_id, kind, count in rows}


def read_closed(connection: psycopg.Connection[Any], batch_ids: Collection[str]) -> set[str]:
    """Those of the batches that are closed."""
    rows = connection.execute(
        "SELECT batch_id FROM ops.batches WHERE batch_id = ANY(%s) AND closed_at IS NOT NULL",
        (list(batch_ids),),
    )
    return {batch_id for (batch_id,) in rows}


def read_since(
    connection: psycopg.Connection[Any], dag_id: str, queued: Mapping[str, datetime]
) -> dict[str, datetime]:
    """run_id -> when the newest batch was closed that had the run before it was ``queued`` (run_id
    -> when) as it is now; runs that no batch had are left out."""
    rows = connection.execute(
        "SELECT r.run_id, max(b.closed_at) FROM unnest(%s::text[], %s::timestamptz[]) AS now"
        " (run_id, queued_at) JOIN ops.batch_runs r ON r.run_id = now.run_id AND r.queued_at <"
        " now.queued_at JOIN ops.batches b USING (batch_id) WHERE b.dag_id = %s AND b.closed_at IS"
        " NOT NULL GROUP BY 1",
        ([*queued.keys()], [*queued.values()], dag_id),
    )
    return dict(rows.fetchall())


def read_sharing(connection: psycopg.Connection[Any], batch: Batch) -> list[str]:
    """The other batches of the DAG that have a run of this one."""
    rows = connection.execute(
        "SELECT DISTINCT r.batch_id FROM ops.batch_runs r WHERE r.run_id = ANY(ARRAY(SELECT run_id"
        " FROM ops.batch_runs WHERE batch_id = %s))",
        (batch.batch_id,),
    )
    found = {batch_id for (batch_id,) in rows} - {batch.batch_id}
    return sorted(each for each in found if dag_of(each) == batch.dag_id)


def get(connection: psycopg.Connection[Any], batch_id: str) -> Batch | None:
    """The batch of that id."""
    return next(iter(read_batches(connection, "batch_id = %s", (batch_id,))), None)


def due(connection: psycopg.Connection[Any]) -> list[Batch]:
    """Batches that are closed and not reported yet, oldest first."""
    return read_batches(
        connection, "closed_at IS NOT NULL AND reported_at IS NULL ORDER BY closed_at, batch_id", ()
    )


def last_look(connection: psycopg.Connection[Any]) -> datetime | None:
    """When Airflow's rows were last looked at, by the clock of who looked; None while they never
    were."""
    row = connection.execute("SELECT looked_at FROM ops.looks").fetchone()
    return row[0] if row else None


def note_look(connection: psycopg.Connection[Any], at: datetime) -> None:
    """Notes that all runs that had ended then are in batches, or need none. Does not commit."""
    connection.execute(
        "INSERT INTO ops.looks (looked_at) VALUES (%s) ON CONFLICT (one) DO UPDATE SET looked_at ="
        " excluded.looked_at",
        (at,),
    )


def reported(
    connection: psycopg.Connection[Any], batch_id: str, said: Mapping[str, Any] = _NOTHING
) -> None:
    """Notes that the batch's mail is in the outbox, and what it said. Commits with whatever the
    caller wrote before."""
    connection.execute(
        "UPDATE ops.batches SET reported_at = clock_timestamp(), said = %s WHERE batch_id = %s",
        (Jsonb(dict(said)), batch_id),
    )
    connection.commit()


def read_said(connection: psycopg.Connection[Any], batch_id: str) -> dict[str, Any]:
    """What the batch's mail said that could not be found out again; empty before."""
    row = connection.execute(
        "SELECT said FROM ops.batches WHERE batch_id = %s", (batch_id,)
    ).fetchone()
    return dict(row[0]) if row else {}


def read_of_days(
    connection: psycopg.Connection[Any], dag_id: str, days: Collection[date]
) -> list[Batch]:
    """The closed batches of the DAG that have a run of any of these days, but for alerts of live
    runs; the oldest first."""
    return read_batches(
        connection,
        "dag_id = %s AND kind <> 'live' AND closed_at IS NOT NULL AND batch_id = ANY(ARRAY(SELECT"
        " batch_id FROM ops.batch_runs WHERE day = ANY(%s))) ORDER BY opened_at, closed_at,"
        " batch_id",
        (dag_id, list(days)),
    )


def unrecorded(connection: psycopg.Connection[Any], limit: int) -> list[Batch]:
    """Batches that are reported and in no record yet, the oldest first."""
    return read_batches(
        connection,
        "recorded_at IS NULL AND kind <> 'live' AND reported_at IS NOT NULL ORDER BY closed_at,"
        " batch_id LIMIT %s",
        (limit,),
    )


def recorded(connection: psycopg.Connection[Any], batch_id: str, error: str = "") -> None:
    """Notes that the batch is in its record, or why it is not. Commits."""
    connection.execute(
        "UPDATE ops.batches SET record_error = %(error)s, recorded_at = CASE WHEN %(error)s = ''"
        " THEN clock_timestamp() END WHERE batch_id = %(batch)s",
        {"error": error, "batch": batch_id},
    )
    connection.commit()


def runs(connection: psycopg.Connection[Any], batch_id: str) -> list[BatchRun]:
    """The batch's runs by date."""
    with connection.cursor(row_factory=class_row(BatchRun)) as cursor:
        cursor.execute(
            f"SELECT {', '.join(_RUN)} FROM ops.batch_runs WHERE batch_id = %s ORDER BY day,"
            " queued_at, run_id",
            (batch_id,),
        )
        return cursor.fetchall()


def read_failed(
    connection: psycopg.Connection[Any], dag_ids: Collection[str], since: datetime, limit: int
) -> dict[str, list[BatchRun]]:
    """The runs that had failed of the batches of these DAGs that were closed since then, by batch,
    the newest ``limit`` of them."""
    found: dict[str, list[BatchRun]] = defaultdict(list)
    rows = connection.execute(
        f"SELECT r.batch_id, {', '.join(f'r.{name}' for name in _RUN)} FROM ops.batch_runs r JOIN"
        " ops.batches b USING (batch_id) WHERE r.state = 'failed' AND r.ended_at > %s AND"
        " b.closed_at IS NOT NULL AND b.dag_id = ANY(%s) ORDER BY r.ended_at DESC LIMIT %s",
        (since, [*dag_ids], limit),
    )
    for batch_id, *values in rows:
        found[batch_id].append(BatchRun(**dict(zip(_RUN, values, strict=True))))
    return found


def read_batches(
    connection: psycopg.Connection[Any], where: str, values: Collection[Any]
) -> list[Batch]:
    """The batches of a condition in SQL."""
    with connection.cursor(row_factory=class_row(Batch)) as cursor:
        cursor.execute(f"SELECT {_BATCH} FROM ops.batches WHERE {where}", tuple(values))
        return cursor.fetchall()
