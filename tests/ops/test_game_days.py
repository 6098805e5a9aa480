"""Which of these days have games, by the newest schedule in raw."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from include.ops.db import connect
from include.ops.game_days import SCHEDULE, count_games, note_games
from include.partition import Partition
from include.storage import raw, shared
from include.storage.local import LocalStore

FIXTURE = Path(__file__).parents[1] / "fixtures" / "nbacom_schedule" / "schedule.2024-01-15.json"
DAY = date(2024, 1, 15)
NOW = datetime(2024, 1, 15, 4, tzinfo=UTC)


@pytest.fixture
def db(ops_db: str) -> Iterator[psycopg.Connection[Any]]:
    with connect(ops_db) as connection:
        connection.execute("TRUNCATE ops.game_days")
        connection.commit()
        yield connection


def known(db: psycopg.Connection[Any]) -> list[tuple[str, int]]:
    rows = db.execute("SELECT day, games FROM ops.game_days ORDER BY day").fetchall()
    return [(str(day), games) for day, games in rows]


def test_days_around_now_are_noted_and_asked_for_again_when_that_is_old(
    db: psycopg.Connection[Any],
) -> None:
    asked: list[date] = []

    def count(day: date) -> int | None:
        asked.append(day)
        return {14: 0, 15: 9}.get(day.day)

    note_games(db, count, NOW)
    assert known(db) == [("2024-01-14", 0), ("2024-01-15", 9)]  # nobody knows the third
    note_games(db, count, NOW)
    assert [day.day for day in asked] == [14, 15, 16, 16]
    db.execute("UPDATE ops.game_days SET noted_at = noted_at - interval '7 hours' WHERE games = 9")
    note_games(db, count, NOW)
    assert [day.day for day in asked[4:]] == [15, 16]


def put_schedule(store: LocalStore) -> None:
    """A season's body as the DAG leaves it: of DAY's two games one is postponed."""
    dag_id, endpoint = SCHEDULE
    at = Partition(dag_id=dag_id, endpoint=endpoint, day=DAY - timedelta(days=30))
    put = raw.put_body(
        store,
        at,
        item="season",
        role="data",
        body=FIXTURE.read_bytes(),
        url="",
        status=200,
        suffix="json",
    )
    shared.remember(store, dag_id, endpoint, "2023-24", [put])


def test_schedule_in_raw_is_asked(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    assert count_games(store, DAY) is None
    put_schedule(store)
    assert count_games(store, DAY) == 1
    assert count_games(store, date(2023, 10, 20)) == 0  # before its season is under way
    assert count_games(store, date(2024, 1, 31)) is None  # it does not reach this day
    assert count_games(store, date(2024, 11, 1)) is None  # another season
