"""The scheduler's hooks while our database is frozen, locked or elsewhere: they wait once, and what
they leave the next sweep notes."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import date
from typing import Any

import psycopg
import pytest

from devstack import postgres
from include.ops.db import LISTENER, connect
from include.ops.migrate import migrate
from tests.plugins.metadata.conftest import Clock, ops_db_is
from tests.plugins.scheduling import Scheduler, backfill, bag_since, live_day, scheduler

DAG = "bdl_box_scores"
SUMMARY = "backfill_summary"


@pytest.fixture(scope="module")
def found(books: str) -> Iterator[Scheduler]:
    """A summary's run, and a backfill that was cancelled before anything was heard of it."""
    with scheduler(bag_since(live_day()), DAG) as found:
        found.turns(1)
        backfill(DAG, date(2025, 1, 1), date(2025, 1, 3))
        found.cancel_backfills()
        yield found


def summary_starts(found: Scheduler) -> None:
    """Calls the hook as the scheduler does, which swallows what it raises."""
    from nba_airflow import listener

    run = found.run_of(SUMMARY)
    with suppress(Exception):
        listener.on_dag_run_running(dag_run=run, msg="")
    found.session.rollback()


def noted(address: str) -> list[str]:
    """The DAGs of the batches in the ledger."""
    with connect(address) as connection:
        rows = connection.execute("SELECT dag_id FROM ops.batches").fetchall()
        connection.execute("DELETE FROM ops.batches")
    return [dag_id for (dag_id,) in rows]


@contextmanager
def silent_server() -> Iterator[Any]:
    """Takes connections and says nothing, as a Postgres does whose processes are stopped."""
    with socket.create_server(("127.0.0.1", 0), backlog=16) as server:
        server.setblocking(False)
        yield server


def count_accepted(server: socket.socket) -> int:
    accepted = 0
    with suppress(BlockingIOError):
        while True:
            server.accept()[0].close()
            accepted += 1
    return accepted


def test_frozen_database_is_waited_for_once_and_then_left_alone_for_a_while(
    found: Scheduler, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    with silent_server() as server:
        port = server.getsockname()[1]
        ops_db_is(monkeypatch, f"postgresql://nba@127.0.0.1:{port}/ops")
        for _ in range(3):
            summary_starts(found)
        assert count_accepted(server) == 1
        clock.now += 31.0
        summary_starts(found)
        assert count_accepted(server) == 1


def test_locked_table_is_waited_for_once_and_the_next_sweep_notes_what_was_left(
    found: Scheduler, clock: Clock, ops_db: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ops_db_is(monkeypatch, ops_db)
    with connect(ops_db) as locker:
        locker.execute("LOCK TABLE ops.batches, ops.batch_runs IN ACCESS EXCLUSIVE MODE")
        summary_starts(found)
    summary_starts(found)
    assert noted(ops_db) == []
    clock.now += 31.0
    summary_starts(found)
    assert noted(ops_db) == [DAG]


def test_slow_database_is_left_alone_for_a_while_too(
    found: Scheduler, clock: Clock, ops_db: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from nba_airflow.metadata.ledger import LEDGER, Away

    ops_db_is(monkeypatch, ops_db)
    with LEDGER.opened() as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
        clock.now += 1.5
    with pytest.raises(Away), LEDGER.opened():
        pass
    clock.now += 31.0
    with LEDGER.opened() as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


@pytest.mark.parametrize(("took", "left"), [(0.25, 1.75), (1.5, 1.0)])
def test_second_part_has_what_the_first_left_of_the_seconds(
    clock: Clock, ops_db: str, monkeypatch: pytest.MonkeyPatch, took: float, left: float
) -> None:
    from nba_airflow.metadata import ledger

    given: list[float] = []
    connected = ledger._connect
    monkeypatch.setattr(ledger, "_connect", lambda s: given.append(s) or connected(60.0))
    ops_db_is(monkeypatch, ops_db)
    with ledger.LEDGER.opened():
        clock.now += took
    with ledger.LEDGER.opened(again=True):
        pass
    assert given == [LISTENER.total, left]


def test_corrected_connection_is_followed_without_a_restart(
    found: Scheduler,
    clock: Clock,
    ops_db: str,
    postgres_dir: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    elsewhere = postgres.ensure_database(postgres_dir, "elsewhere")
    migrate(elsewhere)
    for address in (ops_db, elsewhere):
        ops_db_is(monkeypatch, address)
        summary_starts(found)
        assert noted(address) == [DAG]


def test_connection_that_comes_too_late_is_closed(
    found: Scheduler, clock: Clock, ops_db: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from nba_airflow.metadata.ledger import _Attempt

    ops_db_is(monkeypatch, ops_db)
    attempt = _Attempt()
    with pytest.raises(psycopg.OperationalError, match="no connection within"):
        attempt.wait(0.0)
    attempt.make()
    assert attempt._found.closed
