"""Failures of the last hours: every failed try, also of runs that died without a word; and nothing
else."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import psycopg
import pytest

from include.ops.batches import BatchRun
from include.ops.db import connect
from include.ops.failures import read_failures
from include.ops.outcomes import OutcomeRow, record
from include.outcome import Outcome
from include.results import DateResult
from tests.ops.written import batch_run, write

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
        "phase": "fetch",
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
    row = OutcomeRow(**{**fields, "outcome": Outcome(fields["outcome"])})
    record(db, row)
    return row


def said_by(row: OutcomeRow) -> DateResult:
    return DateResult(
        dag_id=row.dag_id,
        endpoint=row.endpoint,
        day=row.day,
        outcome=Outcome(row.outcome),
        error_class=row.error_class,
        fingerprint=row.fingerprint,
        message=row.message,
        log_url=row.log_url,
        first_at=row.started_at,
        last_at=row.ended_at,
    )


def test_every_failed_try_of_every_dag_is_told_oldest_first(db: psycopg.Connection[Any]) -> None:
    rows = [
        failed(db, 1, HOUR),
        failed(db, 1, 2 * HOUR, attempt=2),
        failed(db, 3, 3 * HOUR, dag_id="other", outcome="partial", error_class="incomplete"),
    ]
    assert read_failures(db, 24 * HOUR) == [said_by(row) for row in reversed(rows)]


def test_what_is_older_what_went_well_and_what_waits_is_no_failure(
    db: psycopg.Connection[Any],
) -> None:
    failed(db, 0, 25 * HOUR)
    failed(db, 1, HOUR, outcome="complete", error_class="", fingerprint="")
    failed(db, 2, HOUR, outcome="quota_wait", error_class="", fingerprint="")
    assert read_failures(db, 24 * HOUR) == []
    assert [each.day for each in read_failures(db, 26 * HOUR)] == [DAY]


def ended(db: psycopg.Connection[Any], **states: str) -> list[BatchRun]:
    """A backfill of runs that were queued an hour ago and have just ended (``run_0="failed"``)."""
    now = datetime.now(UTC)
    runs = [
        replace(batch_run(int(name[-1]), state, queued=now - HOUR), ended_at=now)
        for name, state in states.items()
    ]
    write(db, f"{DAG}:7:0", *runs)
    return runs


def test_run_that_failed_without_a_word_is_lost(db: psycopg.Connection[Any]) -> None:
    failed(db, 1, timedelta(0))
    lost, *_ = ended(db, run_0="failed", run_1="failed", run_2="success")

    found = read_failures(db, HOUR)

    assert [(each.error_class, each.day) for each in found[:-1]] == [
        ("blocked", DAY + timedelta(days=1))
    ]
    assert found[-1] == DateResult(
        dag_id=DAG,
        day=DAY,
        outcome=Outcome.LOST,
        first_at=lost.started_at,
        last_at=lost.ended_at,
        message=WORDLESS,
    )


def test_run_whose_try_was_killed_is_lost_with_what_it_had_come_to(
    db: psycopg.Connection[Any],
) -> None:
    said = {"outcome": Outcome.LOST, "error_class": "", "fingerprint": ""}
    failed(db, 0, timedelta(0), attempt=1, message="nothing was heard after the fetch", **said)
    killed = failed(
        db, 0, timedelta(0), attempt=2, message="nothing was heard after the load", **said
    )
    assert read_failures(db, HOUR) == []  # it may be under way

    ended(db, run_0="failed")

    (found,) = read_failures(db, HOUR)
    assert (found.outcome, found.endpoint) == (Outcome.LOST, "box_scores")
    assert (found.message, found.log_url) == (killed.message, killed.log_url)


def test_rerun_that_died_is_lost_although_the_first_run_had_said_why(
    db: psycopg.Connection[Any],
) -> None:
    failed(db, 0, 2 * HOUR)
    ended(db, run_0="failed")
    assert [(each.outcome, each.day) for each in read_failures(db, HOUR)] == [(Outcome.LOST, DAY)]


def test_run_that_was_cancelled_before_it_began_is_no_failure(db: psycopg.Connection[Any]) -> None:
    write(db, f"{DAG}:7:0", batch_run(0, "failed", started=False, queued=datetime.now(UTC)))
    assert read_failures(db, HOUR) == []


def test_live_run_that_said_why_is_not_lost_as_well(db: psycopg.Connection[Any]) -> None:
    failed(db, 0, timedelta(minutes=1), run_id="scheduled__0")
    now = datetime.now(UTC)
    live = batch_run(0, "failed", queued=now - HOUR, run_id="scheduled__0")
    write(db, f"{DAG}:live:scheduled__0", replace(live, ended_at=now))
    assert [each.error_class for each in read_failures(db, HOUR)] == ["blocked"]
