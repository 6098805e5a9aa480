"""How far a batch is: its pace of the last minutes, and what its tries have taken."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from include.ops.db import connect
from include.ops.progress import Pace, Spent, find_pace, measure_pace, read_spent
from tests.ops.written import DAY, QUEUED, batch_run
from tests.plugins.cli.asking import DAG, outcome

MINUTE = timedelta(minutes=1)
BATCH = f"{DAG}:7:0"


@pytest.mark.parametrize(
    ("after", "pace"),
    [
        (61 * MINUTE, Pace(per_minute=0.2, seconds_left=300.0)),  # both ended a minute ago
        (69 * MINUTE, Pace(per_minute=0.2, seconds_left=300.0)),
        (71 * MINUTE, Pace(per_minute=0.0, seconds_left=None)),  # nothing has ended lately
    ],
)
def test_pace_is_that_of_the_last_ten_minutes(after: timedelta, pace: Pace) -> None:
    runs = [batch_run(0), batch_run(1, "failed"), batch_run(2, "running")]
    assert measure_pace(runs, QUEUED + after, planned=2.0) == pace


def test_dates_that_were_cancelled_have_no_pace() -> None:
    cancelled = [batch_run(n, "failed", started=False) for n in range(3, 20)]
    runs = [batch_run(0), batch_run(1, "failed"), batch_run(2, "running"), *cancelled]
    pace = Pace(per_minute=0.2, seconds_left=300.0)
    assert measure_pace(runs, QUEUED + 61 * MINUTE, planned=2.0) == pace


@pytest.mark.parametrize(
    ("ended", "seconds", "planned", "told"),
    [
        (4, 10.0, 2.0, (None, 340.0, "about 6 min left by the plan")),
        (0, 0.0, 2.0, (None, 340.0, "about 6 min left by the plan")),
        (9, 59.0, None, (None, None, "")),
        (10, 20.0, 2.0, (30.0, 340.0, "6 min left")),
        (10, 0.1, 2.0, (600.0, 17.0, "17 s left")),
        (4, 60.0, 2.0, (4.0, 2550.0, "42 min left")),
        (0, 60.0, 2.0, (0.0, None, "")),
    ],
)
def test_what_is_left_is_the_plans_word_until_ten_dates_or_a_minute_are_done(
    ended: int, seconds: float, planned: float | None, told: tuple[float | None, float | None, str]
) -> None:
    pace = find_pace(ended, seconds, left=170, planned=planned)
    assert (pace.per_minute, pace.seconds_left, pace.word_left()) == told


def test_nothing_is_left_at_the_end_nor_before_there_is_a_run() -> None:
    begun = batch_run(0, queued=QUEUED - 59 * MINUTE)  # which ends a minute after QUEUED
    for runs in ([begun], []):
        pace = measure_pace(runs, QUEUED - 58 * MINUTE, planned=2.0)
        assert (pace.seconds_left, pace.by_plan, pace.word_left()) == (None, False, "")


@pytest.fixture
def db(ops_db: str) -> Iterator[psycopg.Connection[Any]]:
    with connect(ops_db) as connection:
        connection.execute("TRUNCATE ops.outcomes")
        connection.commit()
        yield connection


def test_what_is_taken_is_that_of_the_runs_since_they_were_queued(
    db: psycopg.Connection[Any],
) -> None:
    def tell(after: int, said: str, ended: timedelta, **more: Any) -> None:
        at = QUEUED + ended
        run = {"run_id": f"backfill__{after}", "started_at": at, "ended_at": at}
        outcome(db, DAY + timedelta(days=after), said, **{**run, **more})

    tell(0, "failed", -MINUTE, requests=100, credits=100)  # before it was cleared
    took = {"requests": 3, "credits": 20, "bytes": 1000, "warehouse_jobs": 2, "bytes_billed": 70}
    took |= {"bucket_writes": 5, "bucket_reads": 9}
    tell(0, "complete", MINUTE, attempt=2, **took)
    tell(1, "quota_wait", MINUTE, requests=1, bucket_writes=1, bucket_reads=2)
    tell(2, "not_yet", MINUTE, requests=1)  # its run was ended by hand
    tell(3, "complete", MINUTE, requests=50)  # of no run of the batch
    runs = [batch_run(0), batch_run(1, "running"), batch_run(2)]
    spent = Spent(
        requests=5,
        credits=20,
        bytes=1000,
        warehouse_jobs=2,
        bytes_billed=70,
        bucket_writes=6,
        bucket_reads=11,
        tries=3,
        waiting=1,
    )
    assert read_spent(db, {BATCH: runs, "other:1:0": [batch_run(0)]}) == {BATCH: spent}
    assert read_spent(db, {}) == {}
    assert spent.operations == 17
    operations = 6 * 0.005 / 1000 + 11 * 0.0004 / 1000
    credits = 20 * 30 / 20_000
    assert spent.price(20_000).once == pytest.approx(credits + operations, rel=1e-6)
