"""Outcomes: one row per try of a step; the newest says how a date stands."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import psycopg
import pytest

from include.ops.db import connect
from include.ops.outcomes import OutcomeRow, latest, of_runs, read_newest, record
from include.ops.session import Session
from include.outcome import Outcome

AT = datetime(2026, 10, 1, 10, 0, 0, 123456, tzinfo=UTC)
SCRAPED = OutcomeRow(
    dag_id="bdl_box_scores",
    endpoint="box_scores",
    day=date(2025, 1, 15),
    run_id="backfill__2025-01-15",
    phase="fetch",
    attempt=1,
    outcome=Outcome.LOST,
    started_at=AT,
    ended_at=AT + timedelta(seconds=2),
    requests=2,
    bytes=5_000_000_000,
)
FAILED = replace(
    SCRAPED,
    attempt=2,
    phase="audit",
    outcome=Outcome.PARTIAL,
    error_class="incomplete",
    fingerprint="0123456789ab",
    message="4 of 6 games: BOS@MIA, LAL@GSW are missing; it's % of {what}",
    log_url="https://airflow.example.com/dags/bdl_box_scores",
    credits=21,
    rows=99,
    games_expected=6,
    games_found=4,
    missing=("BOS@MIA", "LAL@GSW"),
    changes=('BOS@MIA, A "Nick" O\'Neal: ast 6 -> 7', "a, b {c}: row added"),
    changes_total=250,
)


@pytest.fixture
def db(ops_db: str) -> Iterator[psycopg.Connection[Any]]:
    with connect(ops_db) as connection:
        connection.execute("TRUNCATE ops.outcomes")
        connection.commit()
        yield connection


def test_a_tasks_session_writes_it_as_well(ops_db: str, db: psycopg.Connection[Any]) -> None:
    with Session(ops_db) as session:
        record(session, SCRAPED)
    assert read(ops_db, SCRAPED.run_id) == [SCRAPED]


def read(ops_db: str, *run_ids: str, dag_id: str = "bdl_box_scores") -> list[OutcomeRow]:
    """What another session sees."""
    with connect(ops_db) as connection:
        return of_runs(connection, dag_id, run_ids)


def test_a_recorded_outcome_is_read_back_whole_by_others(
    ops_db: str, db: psycopg.Connection[Any]
) -> None:
    record(db, SCRAPED)
    record(db, FAILED)
    assert read(ops_db, "backfill__2025-01-15") == [SCRAPED, FAILED]


def test_recording_a_try_again_replaces_it_in_its_place(
    ops_db: str, db: psycopg.Connection[Any]
) -> None:
    not_yet = replace(SCRAPED, outcome=Outcome.NOT_YET, games_expected=6, missing=("BOS@MIA",))
    for row in (not_yet, FAILED, SCRAPED):
        record(db, row)
    assert read(ops_db, "backfill__2025-01-15") == [SCRAPED, FAILED]


@pytest.mark.parametrize(
    "other",
    [
        {"dag_id": "nbacom_box_scores"},
        {"endpoint": "stats"},
        {"day": date(2025, 1, 16)},
        {"run_id": "manual__1"},
        {"attempt": 2},
    ],
    ids=lambda other: next(iter(other)),
)
def test_another_try_is_another_row(
    ops_db: str, db: psycopg.Connection[Any], other: dict[str, Any]
) -> None:
    second = replace(SCRAPED, **other)
    record(db, SCRAPED)
    record(db, second)
    found = read(ops_db, "backfill__2025-01-15", "manual__1")
    if second.dag_id != SCRAPED.dag_id:
        found += read(ops_db, "backfill__2025-01-15", dag_id=second.dag_id)
    assert found == [SCRAPED, second]


def test_only_the_runs_that_are_asked_for_are_read(
    ops_db: str, db: psycopg.Connection[Any]
) -> None:
    rows = [replace(SCRAPED, run_id=run_id) for run_id in ("c", "a", "b")]
    for row in rows:
        record(db, row)
    assert read(ops_db, "a", "c") == [rows[0], rows[1]]
    assert read(ops_db) == []


def test_the_newest_try_says_how_a_date_stands() -> None:
    other_endpoint = replace(SCRAPED, endpoint="stats", outcome=Outcome.FAILED)
    next_day = replace(SCRAPED, day=date(2025, 1, 16))
    again = replace(FAILED, attempt=3, outcome=Outcome.COMPLETE)
    assert latest([SCRAPED, FAILED, other_endpoint, next_day, again]) == {
        (date(2025, 1, 15), "box_scores"): again,
        (date(2025, 1, 15), "stats"): other_endpoint,
        (date(2025, 1, 16), "box_scores"): next_day,
    }


def test_row_that_was_written_last_says_how_a_date_stands(db: psycopg.Connection[Any]) -> None:
    waited = replace(SCRAPED, run_id="waited", outcome=Outcome.QUOTA_WAIT)
    for said in (
        waited,
        replace(FAILED, run_id="other"),
        replace(waited, outcome=Outcome.COMPLETE),
    ):
        record(db, said)
    key = (SCRAPED.day, SCRAPED.endpoint)
    assert read_newest(db, SCRAPED.dag_id, [SCRAPED.day])[key].outcome is Outcome.COMPLETE
