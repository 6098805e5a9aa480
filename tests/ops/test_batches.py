"""Batches: one generation at a time, closed by one caller, reported once; also when the scheduler
says things twice."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from typing import Any, TypeVar

import psycopg
import pytest

from include.ops import batches
from include.ops.batches import Batch, BatchRun
from include.ops.db import connect

T = TypeVar("T")
DAG = "bdl_box_scores"
DAYS = {f"backfill__2025-01-{day}": date(2025, 1, day) for day in (15, 16, 17)}


@pytest.fixture
def db(ops_db: str) -> Iterator[psycopg.Connection[Any]]:
    with connect(ops_db) as connection:
        connection.execute("TRUNCATE ops.batches CASCADE")
        connection.commit()
        yield connection


def at_once(ops_db: str, callers: int, call: Callable[[psycopg.Connection[Any]], T]) -> list[T]:
    """What ``call`` returns to callers with a connection each, who all begin together."""
    together = threading.Barrier(callers)
    found: list[T] = []

    def one() -> None:
        with connect(ops_db) as connection:
            together.wait()
            found.append(call(connection))

    threads = [threading.Thread(target=one) for _ in range(callers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == callers
    return found


def seen(ops_db: str, batch_id: str) -> list[tuple[str, date, str, bool, bool]]:
    """(run_id, day, state, has started, has ended) of the batch's runs as another session sees
    them."""
    with connect(ops_db) as connection:
        return [
            (run.run_id, run.day, run.state, run.started_at is not None, run.ended_at is not None)
            for run in batches.runs(connection, batch_id)
        ]


def test_the_first_batch_of_a_backfill_is_the_backfill(db: psycopg.Connection[Any]) -> None:
    before = datetime.now(UTC)
    batch = batches.current(db, DAG, 42)
    assert batch == Batch(
        batch_id="bdl_box_scores:42:0",
        dag_id=DAG,
        kind="backfill",
        backfill_id=42,
        generation=0,
        opened_at=batch.opened_at,
        closed_at=None,
        cancelled=False,
    )
    assert before <= batch.opened_at <= datetime.now(UTC)


def test_eight_callers_at_once_get_one_and_the_same_batch(
    ops_db: str, db: psycopg.Connection[Any]
) -> None:
    found = at_once(ops_db, 8, lambda connection: batches.current(connection, DAG, 42))
    assert found == [batches.current(db, DAG, 42)] * 8
    assert db.execute("SELECT count(*) FROM ops.batches").fetchone() == (1,)


def test_eight_callers_at_once_open_one_generation_after_the_first_was_closed(
    ops_db: str, db: psycopg.Connection[Any]
) -> None:
    batches.close(db, batches.current(db, DAG, 42).batch_id)
    found = at_once(ops_db, 8, lambda connection: batches.current(connection, DAG, 42))
    assert {(batch.batch_id, batch.kind, batch.generation) for batch in found} == {
        (f"{DAG}:42:1", "rerun", 1)
    }
    assert db.execute("SELECT generation FROM ops.batches ORDER BY 1").fetchall() == [(0,), (1,)]


def test_backfills_of_one_dag_have_a_batch_each(db: psycopg.Connection[Any]) -> None:
    first, second = batches.current(db, DAG, 1), batches.current(db, DAG, 2)
    assert (first.batch_id, second.batch_id) == (f"{DAG}:1:0", f"{DAG}:2:0")
    assert batches.unfinished(db) == [first, second]


def test_a_batch_is_closed_by_exactly_one_of_eight_callers(
    ops_db: str, db: psycopg.Connection[Any]
) -> None:
    batch = batches.current(db, DAG, 42)
    closed = at_once(ops_db, 8, lambda connection: batches.close(connection, batch.batch_id))
    assert sorted(closed) == [False] * 7 + [True]


def test_closing_again_does_not_change_how_it_was_closed(db: psycopg.Connection[Any]) -> None:
    batch_id = batches.current(db, DAG, 42).batch_id
    assert batches.close(db, batch_id, cancelled=True) is True
    first = batches.get(db, batch_id)
    assert batches.close(db, batch_id) is False
    assert batches.get(db, batch_id) == first
    assert first is not None
    assert (first.cancelled, first.closed_at is not None) == (True, True)


def test_a_batch_that_is_not_there_is_none_and_cannot_be_closed(
    db: psycopg.Connection[Any],
) -> None:
    assert (batches.get(db, "nothing"), batches.close(db, "nothing")) == (None, False)


def test_runs_are_registered_once_and_read_by_date(
    ops_db: str, db: psycopg.Connection[Any]
) -> None:
    batch_id = batches.current(db, DAG, 42).batch_id
    batches.register(db, batch_id, dict(reversed(DAYS.items())))
    batches.mark(db, batch_id, "backfill__2025-01-16", "running")
    batches.register(
        db, batch_id, {**DAYS, "backfill__2025-01-18": date(2025, 1, 18)}, state="running"
    )
    assert seen(ops_db, batch_id) == [
        ("backfill__2025-01-15", date(2025, 1, 15), "queued", False, False),
        ("backfill__2025-01-16", date(2025, 1, 16), "running", True, False),
        ("backfill__2025-01-17", date(2025, 1, 17), "queued", False, False),
        ("backfill__2025-01-18", date(2025, 1, 18), "running", False, False),
    ]


@pytest.mark.parametrize("state", ["success", "failed"])
def test_a_run_starts_and_ends_once_however_often_it_is_told(
    db: psycopg.Connection[Any], state: str
) -> None:
    batch_id = batches.current(db, DAG, 42).batch_id
    batches.register(db, batch_id, {"one": date(2025, 1, 15)})
    batches.mark(db, batch_id, "one", "running")
    batches.mark(db, batch_id, "one", state)
    (first,) = batches.runs(db, batch_id)
    batches.mark(db, batch_id, "one", state)
    assert batches.runs(db, batch_id) == [first]
    assert first.started_at is not None
    assert first.ended_at is not None
    assert first == BatchRun(
        run_id="one",
        day=date(2025, 1, 15),
        state=state,
        started_at=first.started_at,
        ended_at=first.ended_at,
    )
    assert first.started_at < first.ended_at


def test_a_run_that_is_marked_without_being_registered_changes_nothing(
    ops_db: str, db: psycopg.Connection[Any]
) -> None:
    batch_id = batches.current(db, DAG, 42).batch_id
    batches.mark(db, batch_id, "stranger", "success")
    assert seen(ops_db, batch_id) == []


def ended(db: psycopg.Connection[Any]) -> Batch:
    """A closed batch of one run that has ended."""
    batch = batches.current(db, DAG, 42)
    batches.register(db, batch.batch_id, {"one": date(2025, 1, 15)})
    batches.mark(db, batch.batch_id, "one", "running")
    batches.mark(db, batch.batch_id, "one", "success")
    batches.close(db, batch.batch_id)
    found = batches.get(db, batch.batch_id)
    assert found is not None
    return found


def test_an_end_that_is_told_twice_opens_no_rerun(db: psycopg.Connection[Any]) -> None:
    batch = ended(db)
    assert batches.current(db, DAG, 42, ended_run="one") == batch
    assert batches.unfinished(db) == []


def test_a_cleared_run_that_starts_again_opens_a_rerun_whose_end_belongs_to_it(
    db: psycopg.Connection[Any],
) -> None:
    ended(db)
    rerun = batches.current(db, DAG, 42)
    batches.register(db, rerun.batch_id, {"one": date(2025, 1, 15)})
    batches.mark(db, rerun.batch_id, "one", "running")
    assert batches.current(db, DAG, 42, ended_run="one") == rerun
    assert (rerun.kind, rerun.generation) == ("rerun", 1)


def test_the_end_of_a_run_that_the_closed_batch_does_not_know_opens_a_rerun(
    db: psycopg.Connection[Any],
) -> None:
    ended(db)
    assert batches.current(db, DAG, 42, ended_run="another").generation == 1


def test_a_closed_batch_is_due_until_it_is_reported(db: psycopg.Connection[Any]) -> None:
    late, early, still_open = (batches.current(db, DAG, number) for number in (1, 2, 3))
    assert batches.due(db) == []
    batches.close(db, early.batch_id)
    batches.close(db, late.batch_id, cancelled=True)
    closed = [batches.get(db, early.batch_id), batches.get(db, late.batch_id)]
    assert batches.due(db) == closed
    assert batches.unfinished(db) == [still_open]
    batches.reported(db, early.batch_id)
    assert batches.due(db) == closed[1:]


def test_the_report_and_what_it_wrote_are_committed_together(
    ops_db: str, db: psycopg.Connection[Any]
) -> None:
    batch = batches.current(db, DAG, 42)
    batches.close(db, batch.batch_id)
    db.execute(
        "INSERT INTO ops.outbox (mail_id, message_id, subject, content) VALUES ('m', '<m@x>', 's',"
        " 'c')"
    )
    with connect(ops_db) as other:
        assert other.execute("SELECT count(*) FROM ops.outbox").fetchone() == (0,)
    batches.reported(db, batch.batch_id)
    with connect(ops_db) as other:
        assert other.execute("SELECT count(*) FROM ops.outbox").fetchone() == (1,)
        assert batches.due(other) == []


def test_backfill_of_which_no_run_told_anything_has_no_batch(db: psycopg.Connection[Any]) -> None:
    batches.current(db, DAG, 2)
    batches.current(db, DAG, batches.CATCHUP)
    assert batches.unreported(db, [3, 2, 1]) == [1, 3]
    assert batches.unreported(db, []) == []


def test_runs_without_an_end_are_failed_ones_and_one_that_never_started_means_cancelled(
    ops_db: str, db: psycopg.Connection[Any]
) -> None:
    batch = batches.current(db, DAG, 42).batch_id
    batches.register(db, batch, DAYS)
    first, second, third = DAYS
    batches.mark(db, batch, first, "success")
    batches.mark(db, batch, second, "running")
    assert batches.end_silent(db, batch) is True  # the third
    assert [(run, state, ended) for run, _, state, _, ended in seen(ops_db, batch)] == [
        (first, "success", True),
        (second, "failed", True),
        (third, "failed", True),
    ]
    assert batches.end_silent(db, batch) is False


def test_only_a_batch_without_runs_is_thrown_away(db: psycopg.Connection[Any]) -> None:
    empty, full = batches.current(db, DAG, 1).batch_id, batches.current(db, DAG, 2).batch_id
    batches.register(db, full, DAYS)
    for batch_id in (empty, full):
        batches.discard(db, batch_id)
    assert [batch.batch_id for batch in batches.unfinished(db)] == [full]


def test_of_eight_that_adopt_a_backfill_at_once_one_makes_its_batch(
    ops_db: str, db: psycopg.Connection[Any]
) -> None:
    first, second, _ = DAYS
    runs = [(first, DAYS[first], "failed", False), (second, DAYS[second], "success", True)]
    found = at_once(ops_db, 8, lambda connection: batches.adopt(connection, DAG, 9, runs))
    assert sorted(found, key=str) == [None] * 7 + [f"{DAG}:9:0"]
    (batch,) = batches.due(db)
    assert (batch.kind, batch.generation, batch.cancelled) == ("backfill", 0, True)
    assert seen(ops_db, batch.batch_id) == [
        (first, DAYS[first], "failed", False, True),
        (second, DAYS[second], "success", True, True),
    ]


def test_backfill_that_has_a_batch_is_not_adopted(ops_db: str, db: psycopg.Connection[Any]) -> None:
    first, *_ = DAYS
    batch = batches.current(db, DAG, 9).batch_id
    batches.register(db, batch, {first: DAYS[first]})
    assert batches.adopt(db, DAG, 9, [(first, DAYS[first], "failed", False)]) is None
    assert [run[2] for run in seen(ops_db, batch)] == ["queued"]


def test_moments_of_the_first_batch_and_of_the_newest_that_has_a_run(
    db: psycopg.Connection[Any],
) -> None:
    first, second, _ = DAYS
    assert (batches.first_opened(db), batches.newest_opened(db, DAG, list(DAYS))) == (None, None)
    opened = []
    for backfill, runs in ((1, (first, second)), (2, (second,))):
        batch = batches.current(db, DAG, backfill)
        batches.register(db, batch.batch_id, {run: DAYS[run] for run in runs})
        opened.append(batch.opened_at)
    assert batches.first_opened(db) == opened[0]
    newest = [batches.newest_opened(db, DAG, [run]) for run in DAYS]
    assert newest == [opened[0], opened[1], None]
    assert batches.newest_opened(db, "another", [first]) is None
