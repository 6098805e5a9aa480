"""How far a batch is: its pace of the last minutes, and what its tries have taken."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from include.ops.db import connect
from include.ops.progress import Pace, Spent, measure_pace, read_spent
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
    assert measure_pace(runs, QUEUED + after) == pace


def test_pace_of_the_first_second_is_taken_over_a_minute_and_nothing_is_left_at_the_end() -> None:
    begun = batch_run(0, queued=QUEUED - 59 * MINUTE)  # which ends a minute after QUEUED
    now = QUEUED - 58 * MINUTE
    assert measure_pace([begun], now) == Pace(per_minute=1.0, seconds_left=None)
    assert measure_pace([], now) == Pace(per_minute=0.0, seconds_left=None)


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
