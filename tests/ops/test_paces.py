"""What was measured of endpoints: of what was done, by requests and games, without waits."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import psycopg
import pytest

from include.guards.pace import Pace
from include.ops import paces
from include.ops.db import connect
from include.ops.outcomes import OutcomeRow, record
from include.ops.paces import read_paces
from include.outcome import Outcome

DAG = "bdl_box_scores"
AT = datetime(2026, 3, 2, tzinfo=UTC)


@pytest.fixture
def db(ops_db: str) -> Iterator[psycopg.Connection[Any]]:
    with connect(ops_db) as connection:
        connection.execute("TRUNCATE ops.outcomes")
        yield connection


def done(
    db: psycopg.Connection[Any],
    number: int,
    *,
    outcome: Outcome = Outcome.COMPLETE,
    fetch: float = 2.0,
    **more: Any,
) -> None:
    """A date of eight games and two requests, which waited for an hour."""
    facts = {"requests": 2, "rows": 240, "bytes": 80_000, "games_found": 8, "bytes_billed": 10}
    facts |= {"bucket_writes": 5, "bucket_reads": 9}
    row = OutcomeRow(
        dag_id=DAG,
        endpoint="box_scores",
        day=date(2025, 1, 1) + timedelta(days=number),
        run_id="one",
        attempt=1,
        phase="audit",
        outcome=outcome,
        started_at=AT,
        ended_at=AT + timedelta(minutes=number),
        seconds={"wait": 3600.0, "fetch": fetch, "load": 1.0},
        **{**facts, **more},
    )
    record(db, row)


def test_pace_is_of_the_dates_that_asked_and_were_done(db: psycopg.Connection[Any]) -> None:
    for number, fetch in enumerate((1.0, 2.0, 3.0)):
        done(db, number, fetch=fetch)
    done(db, 10, outcome=Outcome.FAILED, fetch=900.0)
    done(db, 11, requests=0, rows=0)
    assert read_paces(db, DAG) == {
        "box_scores": Pace(
            seconds=(1.5, pytest.approx(1.9)),  # type: ignore[arg-type]  # close enough
            rows_per_game=30.0,
            bytes_per_request=40_000.0,
            billed_per_date=10.0,
            writes_per_date=5.0,
            reads_per_date=9.0,
            dates=3,
        )
    }
    assert read_paces(db, "nbacom_box_scores") == {}


def test_dates_of_long_ago_say_nothing_of_today(
    db: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paces, "MAX_DATES", 2)
    for number, fetch in enumerate((99.0, 3.0, 3.0)):
        done(db, number, fetch=fetch)
    assert read_paces(db, DAG)["box_scores"].seconds == (2.0, 2.0)
    done(db, 3, games_found=0, rows=0, outcome=Outcome.NO_GAMES)
    assert read_paces(db, DAG)["box_scores"].dates == 2
