"""A batch whose runs have ended, and what reporting it costs."""

from __future__ import annotations

import time
import tracemalloc
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import psycopg

from include.mail.message import make_message, to_bytes
from include.mail.report import Report
from include.ops import batches
from include.ops.batches import BatchRun

DAG = "bdl_box_scores"
ENDPOINTS = ("box_scores",)
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
    """Of reading a closed batch and making its mail: statements, seconds, and MB of memory at the
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


def close_batch(
    db: psycopg.Connection[Any],
    backfill: int,
    dates: int,
    failing: int,
    *,
    dag_id: str = DAG,
    first: date = FIRST,
) -> str:
    """The id of a closed batch of ``dates`` runs from ``first`` on, of which the first ``failing``
    failed, for REASONS in turn."""
    now = datetime.now(UTC)
    runs = [
        BatchRun(
            run_id=f"run-{backfill}-{n}",
            day=first + timedelta(days=n),
            state="failed" if n < failing else "success",
            queued_at=now,
            started_at=now,
            ended_at=now,
        )
        for n in range(dates)
    ]
    with db.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO ops.outcomes (dag_id, run_id, day, endpoint, phase, attempt, outcome,"
            " error_class, message, fingerprint, started_at, ended_at) VALUES (%s, %s, %s,"
            " 'box_scores', 'audit', 1, %s, %s, %s, %s, now(), now())",
            [
                (dag_id, run.run_id, run.day, *(REASONS[n % 3] if n < failing else _GOOD))
                for n, run in enumerate(runs)
            ],
        )
    batch_id = f"{dag_id}:{backfill}:0"
    batches.write(db, batch_id, runs, over=True)
    db.commit()
    return batch_id


def reported(db: psycopg.Connection[Any], batch_id: str) -> tuple[Report, bytes, Cost]:
    """The closed batch's report, its mail, and the cost. The mail is made twice: tracing memory
    takes time too."""
    from include.mail.batch_report import read_report

    db.cursor_factory = _Counting
    sent, begun = _Counting.sent, time.perf_counter()
    batch = batches.get(db, batch_id)
    assert batch

    def mail() -> tuple[Report, bytes]:
        report = read_report(db, batch, ENDPOINTS)
        return report, to_bytes(make_message(report))

    report, content = mail()
    seconds, statements = time.perf_counter() - begun, _Counting.sent - sent
    tracemalloc.start()
    try:
        assert mail()[1] == content
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    return report, content, Cost(statements=statements, seconds=seconds, megabytes=peak / 1e6)
