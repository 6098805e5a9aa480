"""Failures of the last hours: one group per DAG and cause, every date in one, also runs that died
without a word."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import psycopg
import pytest

from include.ops import batches
from include.ops.db import connect
from include.ops.failures import LOST, FailureGroup, failures
from include.ops.outcomes import OutcomeRow, record

DAG = "bdl_box_scores"
DAY = date(2025, 1, 15)
HOUR = timedelta(hours=1)
WORDLESS = "ended without a word: cancelled, or its worker was lost"


@pytest.fixture
def db(ops_db: str) -> Iterator[psycopg.Connection[Any]]:
    with connect(ops_db) as connection:
        connection.execute("TRUNCATE ops.outcomes, ops.batches, ops.batch_runs")
        connection.commit()
        yield connection


def failed(db: psycopg.Connection[Any], after: int, ago: timedelta, **more: Any) -> OutcomeRow:
    """A failure of DAY + ``after`` that ended ``ago``, one minute after it began."""
    ended = datetime.now(UTC) - ago
    fields = {
        "dag_id": DAG,
        "endpoint": "box_scores",
        "day": DAY + timedelta(days=after),
        "run_id": f"backfill__{after}",
        "task": "scrape",
        "attempt": 1,
        "outcome": "failed",
        "started_at": ended - timedelta(minutes=1),
        "ended_at": ended,
        "error_class": "blocked",
        "fingerprint": "0" * 12,
        "message": f"403 after {after} requests",
        "log_url": f"http://airflow/{after}",
        **more,
    }
    row = OutcomeRow(**fields)
    record(db, row)
    return row


def test_failures_of_one_cause_are_one_group_with_all_dates_and_the_newest_sample(
    db: psycopg.Connection[Any],
) -> None:
    first = failed(db, 3, 3 * HOUR)
    newest = failed(db, 1, HOUR)
    failed(db, 1, 2 * HOUR, attempt=2)
    assert failures(db, 24 * HOUR) == [
        FailureGroup(
            dag_id=DAG,
            endpoint="box_scores",
            error_class="blocked",
            fingerprint="0" * 12,
            failures=3,
            days=[DAY + timedelta(days=1), DAY + timedelta(days=3)],
            first_at=first.started_at,
            last_at=newest.ended_at,
            message="403 after 1 requests",
            log_url="http://airflow/1",
        )
    ]


def test_groups_differ_by_dag_and_fingerprint_and_the_largest_comes_first(
    db: psycopg.Connection[Any],
) -> None:
    failed(db, 0, HOUR, dag_id="other")
    failed(
        db, 0, HOUR, task="audit", outcome="partial", error_class="incomplete", fingerprint="1" * 12
    )
    for after in range(2):
        failed(db, after, 2 * HOUR)
    found = [(g.dag_id, g.error_class, g.fingerprint, g.failures) for g in failures(db, 24 * HOUR)]
    assert found[0] == (DAG, "blocked", "0" * 12, 2)
    assert sorted(found[1:]) == [
        (DAG, "incomplete", "1" * 12, 1),
        ("other", "blocked", "0" * 12, 1),
    ]


def test_what_is_older_what_went_well_and_what_waits_is_no_failure(
    db: psycopg.Connection[Any],
) -> None:
    failed(db, 0, 25 * HOUR)
    failed(db, 1, HOUR, outcome="complete", error_class="", fingerprint="")
    failed(db, 2, HOUR, outcome="quota_wait", error_class="", fingerprint="")
    assert failures(db, 24 * HOUR) == []
    assert [group.days for group in failures(db, 26 * HOUR)] == [[DAY]]


def batch_with(db: psycopg.Connection[Any], *afters: int) -> str:
    """A backfill whose runs have started."""
    batch = batches.current(db, DAG, 7)
    batches.register(
        db, batch.batch_id, {f"backfill__{n}": DAY + timedelta(days=n) for n in afters}
    )
    for after in afters:
        batches.mark(db, batch.batch_id, f"backfill__{after}", "running")
    return batch.batch_id


def test_run_that_failed_without_a_word_is_lost(db: psycopg.Connection[Any]) -> None:
    batch_id = batch_with(db, 0, 1, 2)
    failed(db, 1, timedelta(0))
    for after, state in ((0, "failed"), (1, "failed"), (2, "success")):
        batches.mark(db, batch_id, f"backfill__{after}", state)

    found = failures(db, HOUR)

    assert [(g.error_class, g.days) for g in found if g.error_class != LOST] == [
        ("blocked", [DAY + timedelta(days=1)])
    ]
    ended = next(run for run in batches.runs(db, batch_id) if run.run_id == "backfill__0")
    assert [group for group in found if group.error_class == LOST] == [
        FailureGroup(
            dag_id=DAG,
            endpoint="",
            error_class=LOST,
            fingerprint=LOST,
            failures=1,
            days=[DAY],
            first_at=ended.started_at,
            last_at=ended.ended_at,
            message=WORDLESS,
            log_url="",
        )
    ]


def test_rerun_that_died_is_lost_although_the_first_run_had_said_why(
    db: psycopg.Connection[Any],
) -> None:
    failed(db, 0, 2 * HOUR)
    batches.mark(db, batch_with(db, 0), "backfill__0", "failed")
    assert [(g.error_class, g.days) for g in failures(db, HOUR)] == [(LOST, [DAY])]


def test_run_that_was_cancelled_before_it_began_is_no_failure(db: psycopg.Connection[Any]) -> None:
    batch = batches.current(db, DAG, 7)
    batches.register(db, batch.batch_id, {"backfill__0": DAY})
    batches.mark(db, batch.batch_id, "backfill__0", "failed")
    batches.close(db, batch.batch_id, cancelled=True)
    assert failures(db, HOUR) == []


def test_live_run_that_said_why_is_not_lost_as_well(db: psycopg.Connection[Any]) -> None:
    failed(db, 0, timedelta(minutes=1), run_id="scheduled__0")
    assert batches.failed_live(db, DAG, "scheduled__0", DAY, 0)
    assert [(g.error_class, g.failures) for g in failures(db, HOUR)] == [("blocked", 1)]
