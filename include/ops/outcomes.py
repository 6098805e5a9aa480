"""The outcome of every try of every date: written by tasks, read by the mail and the commands."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, date, datetime
from typing import Any, Literal

import psycopg
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from include.ops import touched
from include.ops.session import Session
from include.outcome import Outcome
from include.partition import Partition

Phase = Literal["fetch", "load", "audit"]


@dataclass(frozen=True, kw_only=True)
class OutcomeRow:
    """One row of ``ops.outcomes``: a try of an endpoint's date, and the ``phase`` that it came to.
    Times are aware; ``requests``, ``credits``, ``bytes``, and what a warehouse counts and bills,
    are this try's own.

    ``recorded_at``, by the database's clock, is when the row was written last.

    ``seconds`` are those at work: wait (for a place in a limit), fetch, write (into raw), load,
    check. ``peak_mb`` is its process's most, 0 where that was not measured.

    ``content`` is that of the rows that were loaded, empty where none were.

    ``changes`` names what the upstream has corrected since the date was loaded before,
    ``changes_total`` counts it.
    """

    dag_id: str
    endpoint: str
    day: date
    run_id: str
    attempt: int
    phase: Phase
    outcome: Outcome
    started_at: datetime
    ended_at: datetime
    error_class: str = ""
    fingerprint: str = ""
    message: str = ""
    log_url: str = ""
    requests: int = 0
    credits: int = 0
    rows: int = 0
    bytes: int = 0
    warehouse_jobs: int = 0
    bytes_billed: int = 0
    bucket_writes: int = 0
    bucket_reads: int = 0
    games_expected: int | None = None
    games_found: int | None = None
    missing: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()
    changes_total: int = 0
    seconds: Mapping[str, float] = field(default_factory=dict, compare=False)
    peak_mb: int = field(default=0, compare=False)
    content: str = ""
    recorded_at: datetime = field(default=datetime.max.replace(tzinfo=UTC), compare=False)


def row_of(
    partition: Partition, *, run_id: str, at: datetime, outcome: Outcome, **facts: Any
) -> OutcomeRow:
    """The row that a date's task would leave, of which something else has found out how it stands:
    by its audit, at one moment."""
    return OutcomeRow(
        dag_id=partition.dag_id,
        endpoint=partition.endpoint,
        day=partition.day,
        run_id=run_id,
        attempt=1,
        phase="audit",
        outcome=outcome,
        started_at=at,
        ended_at=at,
        **facts,
    )


_COLUMNS = tuple(OutcomeRow.__dataclass_fields__)
_NAMES = ", ".join(_COLUMNS)
_NOW = "clock_timestamp()"
_KEY = ("dag_id", "endpoint", "day", "run_id", "attempt")


def record(where: Session | psycopg.Connection[Any], row: OutcomeRow) -> None:
    """Writes the try's outcome and commits; writing it again replaces it."""
    if isinstance(where, Session):
        where.run(lambda connection: _write(connection, row))
    else:
        _write(where, row)


def _write(connection: psycopg.Connection[Any], row: OutcomeRow) -> None:
    places = ", ".join(f"%({name})s" for name in _COLUMNS).replace("%(recorded_at)s", _NOW)
    updates = ", ".join(f"{name} = excluded.{name}" for name in _COLUMNS if name not in _KEY)
    values = {
        **asdict(row),
        "missing": list(row.missing),
        "changes": list(row.changes),
        "seconds": Jsonb(dict(row.seconds)),
    }
    # In one: a date that is done and was not noted would never be looked at.
    with connection.transaction():
        connection.execute(
            f"INSERT INTO ops.outcomes ({_NAMES}) VALUES ({places}) ON CONFLICT ({', '.join(_KEY)})"
            f" DO UPDATE SET {updates}",
            values,
        )
        if row.outcome.done:
            touched.note(connection, row.dag_id, row.day)
    connection.commit()


def note_remade(connection: psycopg.Connection[Any], row: OutcomeRow) -> None:
    """Notes what the date is by now, where others than its task have made its rows again, so that
    who makes tables of theirs looks at it: the row itself, where it is done and the newest is not;
    else only its content. Nothing where that is the same, or where the ledger does not know the
    date. Commits."""
    newest = read_newest(connection, row.dag_id, [row.day]).get((row.day, row.endpoint))
    if newest and row.outcome.done and not newest.outcome.done:
        record(connection, row)
    else:
        _note_content(connection, row)


def _note_content(connection: psycopg.Connection[Any], row: OutcomeRow) -> None:
    with connection.transaction():
        changed = connection.execute(
            "UPDATE ops.outcomes SET content = %s WHERE content <> %s AND outcome_id = ("
            " SELECT outcome_id FROM ops.outcomes WHERE dag_id = %s AND endpoint = %s AND day = %s"
            " ORDER BY recorded_at DESC, outcome_id DESC LIMIT 1)",
            (row.content, row.content, row.dag_id, row.endpoint, row.day),
        )
        if changed.rowcount:
            touched.note(connection, row.dag_id, row.day)
    connection.commit()


def of_runs(
    connection: psycopg.Connection[Any],
    dag_id: str,
    run_ids: Collection[str],
    *,
    until: datetime | None = None,
) -> list[OutcomeRow]:
    """The tries of these runs, oldest first; those that were recorded ``until`` then."""
    return _read(
        connection,
        f"SELECT {_NAMES} FROM ops.outcomes WHERE dag_id = %s AND run_id = ANY(%s) AND recorded_at"
        " <= coalesce(%s::timestamptz, 'infinity') ORDER BY outcome_id",
        (dag_id, list(run_ids), until),
    )


def read_newest(
    connection: psycopg.Connection[Any],
    dag_id: str,
    days: Collection[date],
    *,
    until: datetime | None = None,
) -> dict[tuple[date, str], OutcomeRow]:
    """(day, endpoint) -> the row that says how it stands, or stood ``until`` then: the newest, of
    whatever run. A try that waits writes its row more than once: the one written last."""
    rows = _read(
        connection,
        f"SELECT DISTINCT ON (day, endpoint) {_NAMES} FROM ops.outcomes WHERE dag_id = %s AND day ="
        " ANY(%s) AND recorded_at <= coalesce(%s::timestamptz, 'infinity') ORDER BY day, endpoint,"
        " recorded_at DESC, outcome_id DESC",
        (dag_id, list(days), until),
    )
    return latest(rows)


def latest(rows: Collection[OutcomeRow]) -> dict[tuple[date, str], OutcomeRow]:
    """(day, endpoint) -> the row that says how it stands: the newest; rows must be oldest first."""
    return {(row.day, row.endpoint): row for row in rows}


def _read(
    connection: psycopg.Connection[Any], question: str, values: Sequence[Any]
) -> list[OutcomeRow]:
    with connection.cursor(row_factory=class_row(OutcomeRow)) as cursor:
        rows = cursor.execute(question, tuple(values)).fetchall()
    # An outcome is stored as text, and psycopg reads arrays as lists.
    return [
        replace(
            row,
            outcome=Outcome(row.outcome),
            missing=tuple(row.missing),
            changes=tuple(row.changes),
        )
        for row in rows
    ]
