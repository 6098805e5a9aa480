"""What a canary has measured, and which code has had a good run."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import psycopg
import pytest

from include.ops import backfills, batches
from include.ops.backfills import Backfill
from include.ops.batches import BatchRun
from include.ops.db import connect
from include.ops.measured import Measured, count_good_dates, measure
from include.ops.outcomes import OutcomeRow, record
from include.outcome import Outcome

DAG = "nbacom_box_scores"
D = [date(2024, 12, 2) + timedelta(days=n) for n in range(4)]
AT = datetime(2024, 12, 10, tzinfo=UTC)


@pytest.fixture
def db(ops_db: str) -> Iterator[psycopg.Connection[Any]]:
    with connect(ops_db) as connection:
        connection.execute("TRUNCATE ops.outcomes, ops.batches, ops.backfills CASCADE")
        yield connection


def say(db: psycopg.Connection[Any], day: date, outcome: str, **more: Any) -> None:
    """A try of 20 s, of 3 requests."""
    fields: dict[str, Any] = {
        **{"dag_id": DAG, "endpoint": "box_scores", "run_id": f"run {day}", "attempt": 1},
        **{"phase": "audit", "requests": 3, "rows": 60, "bytes": 1000, "games_found": 2},
        **{"started_at": AT, "ended_at": AT + timedelta(seconds=20)},
    }
    record(db, OutcomeRow(**{**fields, **more}, day=day, outcome=Outcome(outcome)))


def run(day: date) -> BatchRun:
    return BatchRun(
        run_id=f"run {day}", day=day, state="success", queued_at=AT, started_at=AT, ended_at=AT
    )


def test_measurements_add_up_tries_and_take_rows_of_the_newest(db: psycopg.Connection[Any]) -> None:
    say(db, D[0], "partial", rows=30, games_found=1)
    say(db, D[0], "complete", attempt=2)
    say(db, D[1], "complete", endpoint="play_by_play", rows=900, bytes=5000)
    say(db, D[2], "complete", run_id="another")
    found = measure(db, DAG, [f"run {day}" for day in D[:2]])
    assert found == Measured(
        dates=2, games=4, requests=9, credits=0, rows=960, bytes=6000, seconds=60.0
    )
    assert [*found.lines()] == [
        "  measured on 2 dates: 30 s and 4.5 requests a date, 240 rows a game, 3.0 kB a date"
    ]
    assert [*measure(db, DAG, ["nobody"]).lines()] == []


def test_good_dates_are_complete_have_games_and_are_of_this_code(
    db: psycopg.Connection[Any],
) -> None:
    say(db, D[0], "complete")
    say(db, D[0], "complete", endpoint="play_by_play")
    say(db, D[1], "complete")
    say(db, D[1], "failed", endpoint="play_by_play")
    say(db, D[2], "no_games", games_found=0)
    say(db, D[3], "complete")
    batches.write(db, f"{DAG}:4:0", [run(day) for day in D[:3]], over=True)
    batches.write(db, f"{DAG}:5:0", [run(D[3])], over=True)
    for number, code in ((4, "old"), (5, "new")):
        batch_id = f"{DAG}:{number}:0"
        noted = Backfill(
            backfill_id=number, dag_id=DAG, batch_id=batch_id, started_by="ann", fingerprint=code
        )
        backfills.note(db, noted)
    assert [count_good_dates(db, DAG, code) for code in ("old", "new", "none")] == [1, 1, 0]
    say(db, D[1], "complete", endpoint="play_by_play", attempt=2)
    assert count_good_dates(db, DAG, "old") == 2
