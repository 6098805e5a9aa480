"""A batch whose runs have ended, and what closing and reporting it costs."""

from __future__ import annotations

import time
import tracemalloc
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import psycopg

from include.mail.message import Envelope, make_message, to_bytes
from include.mail.report import Report
from include.ops import batches

DAG = "bdl_box_scores"
FIRST = date(2016, 10, 25)
REASONS = (
    ("failed", "upstream_down", "balldontlie: the upstream fails with status 500", "aaaaaaaaaaaa"),
    (
        "failed",
        "bad_key",
        "balldontlie: the key is refused, or its tier lacks this endpoint",
        "bbbbbbbbbbbb",
    ),
    ("partial", "incomplete", "9 of 11 games: missing GSW@UTA, LAL@BOS", "cccccccccccc"),
)
_GOOD = ("complete", "", "", "")


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Of closing a batch and making its mail: statements, seconds, and MB of Python's memory at the
    peak."""

    statements: int
    seconds: float
    megabytes: float


class _Counting(psycopg.Cursor[Any]):
    sent = 0

    def execute(self, *args: Any, **options: Any) -> _Counting:
        _Counting.sent += 1
        super().execute(*args, **options)
        return self


def open_batch(
    db: psycopg.Connection[Any],
    backfill: int,
    dates: int,
    failing: int,
    *,
    dag_id: str = DAG,
    first: date = FIRST,
) -> batches.Batch:
    """A batch of ``dates`` runs from ``first`` on that have all ended, of which the first
    ``failing`` failed, for REASONS in turn."""
    batch = batches.current(db, dag_id, backfill)
    days = {f"run-{backfill}-{n}": first + timedelta(days=n) for n in range(dates)}
    batches.register(db, batch.batch_id, days)
    with db.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO ops.outcomes (dag_id, run_id, day, endpoint, phase, attempt, outcome,"
            " error_class, message, fingerprint, started_at, ended_at) VALUES (%s, %s, %s,"
            " 'box_scores', 'audit', 1, %s, %s, %s, %s, now(), now())",
            [
                (dag_id, run_id, day, *(REASONS[n % 3] if n < failing else _GOOD))
                for n, (run_id, day) in enumerate(days.items())
            ],
        )
        cursor.execute(
            "UPDATE ops.batch_runs SET started_at = now(), ended_at = now(),"
            " state = CASE WHEN day < %s THEN 'failed' ELSE 'success' END WHERE batch_id = %s",
            (first + timedelta(days=failing), batch.batch_id),
        )
    db.commit()
    return batch


def reported(db: psycopg.Connection[Any], batch: batches.Batch) -> tuple[Report, bytes, Cost]:
    """Closes the batch; its report, its mail, and the cost. The mail is made twice: tracing memory
    takes time too."""
    from include.mail.batch_report import read_report

    def mail() -> tuple[Report, bytes]:
        report = read_report(db, batch)
        return report, to_bytes(
            make_message(report, Envelope(sender="a@b.example", recipients=["c@d.example"]))
        )

    db.cursor_factory = _Counting
    sent, begun = _Counting.sent, time.perf_counter()
    assert batches.close(db, batch.batch_id)
    batch = next(each for each in batches.due(db) if each.batch_id == batch.batch_id)
    report, content = mail()
    seconds, statements = time.perf_counter() - begun, _Counting.sent - sent
    tracemalloc.start()
    try:
        assert mail()[1] == content
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    return report, content, Cost(statements=statements, seconds=seconds, megabytes=peak / 1e6)
