"""Leases between real processes: one holder, a waiting twin, and kill -9."""

from __future__ import annotations

import pickle
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
import pytest

from include.errors import ErrorClass, Problem
from include.ops.db import TASK, connect
from include.ops.leases import Taken, lease
from include.ops.session import Session
from include.outcome import Outcome
from include.partition import Partition

ROOT = Path(__file__).resolve().parents[2]
DATE = Partition(dag_id="bdl_box_scores", endpoint="box_scores", day=date(2025, 1, 15))
OTHERS = (
    Partition(dag_id="bdl_box_scores", endpoint="box_scores", day=date(2025, 1, 16)),
    Partition(dag_id="bdl_box_scores", endpoint="stats", day=date(2025, 1, 15)),
    Partition(dag_id="bdl", endpoint="box_scores", day=date(2025, 1, 15)),
)
HOLDER = """
import sys
from datetime import date
from include.ops.leases import lease
from include.ops.session import Session
from include.partition import Partition
at = Partition(dag_id="bdl_box_scores", endpoint="box_scores", day=date(2025, 1, 15))
with Session(sys.argv[1], name=sys.argv[2]) as session, lease(session, at):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def another_process(url: str, holder: str = "") -> Iterator[subprocess.Popen[str]]:
    """A process that holds the lease of DATE until it is killed or its standard input is closed."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, url, holder],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "held\n"
            yield process
        finally:
            process.kill()


@pytest.fixture
def session(ops_db: str) -> Iterator[Session]:
    with Session(ops_db, name="this task") as session:
        yield session


@pytest.fixture
def twin(ops_db: str) -> Iterator[Session]:
    """The session of another task."""
    with Session(ops_db, name="the twin") as session:
        yield session


def waiting(url: str) -> int:
    """How many sessions of this database wait for a lease."""
    with connect(url) as connection:
        row = connection.execute(
            "SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database"
            " WHERE locktype = 'advisory' AND NOT granted AND datname = current_database()"
        ).fetchone()
    assert row is not None
    return row[0]


def until_waiting(url: str) -> None:
    while not waiting(url):
        time.sleep(0.01)


def test_who_finds_a_lease_taken_is_put_off_and_told_by_whom(ops_db: str, session: Session) -> None:
    with (
        another_process(ops_db, holder="manual__2025-01-15 on worker-3"),
        pytest.raises(Taken) as put_off,
        lease(session, DATE, patience=0.0),
    ):
        pytest.fail("two hold one lease")
    taken = put_off.value
    assert (taken.reason, taken.outcome, taken.until - taken.since) == (
        "another run (manual__2025-01-15 on worker-3) is at work on bdl_box_scores box_scores"
        " 2025-01-15",
        Outcome.NOT_YET,
        timedelta(seconds=30),
    )
    assert pickle.loads(pickle.dumps(taken)).since == taken.since


def test_who_waits_keeps_its_place_and_gives_up_after_an_hour_and_a_half(
    ops_db: str, session: Session, twin: Session
) -> None:
    def waiting_for(minutes: float) -> Exception:
        queued = now(ops_db) - timedelta(minutes=minutes)
        with (
            pytest.raises((Taken, Problem)) as put_off,
            lease(twin, DATE, queued_since=queued, patience=0.0),
        ):
            pytest.fail("two hold one lease")
        if isinstance(put_off.value, Taken):
            assert put_off.value.since == queued
        return put_off.value

    with lease(session, DATE) as since:
        assert since <= now(ops_db)
        assert isinstance(waiting_for(89), Taken)
        assert waiting_for(90) == Problem(
            error_class=ErrorClass.INTERNAL,
            message=(
                "another run (this task) is at work on bdl_box_scores box_scores 2025-01-15, for 90"
                " minutes now: let it end, or end it, then clear this task"
            ),
            endpoint="box_scores",
            day=date(2025, 1, 15),
        )
    queued = now(ops_db) - timedelta(minutes=5)
    with lease(twin, DATE, queued_since=queued) as since:
        assert since == queued


def now(url: str) -> datetime:
    with connect(url) as connection:
        ((moment,),) = connection.execute("SELECT clock_timestamp()").fetchall()
    return moment


def test_a_holder_without_a_name_is_named_by_its_process(ops_db: str, session: Session) -> None:
    with (
        another_process(ops_db) as holder,
        pytest.raises(Taken) as refused,
        lease(session, DATE, patience=0.0),
    ):
        pytest.fail("two hold one lease")
    assert f"(pid {holder.pid} on " in refused.value.reason


def test_kill_9_of_the_holder_frees_the_lease_for_who_waits(ops_db: str, twin: Session) -> None:
    taken = threading.Event()

    def work() -> None:
        with lease(twin, DATE, patience=60.0):
            taken.set()

    with another_process(ops_db) as holder:
        thread = threading.Thread(target=work)
        thread.start()
        until_waiting(ops_db)
        assert not taken.is_set()
        holder.kill()
        thread.join(timeout=30.0)
    assert taken.is_set()


def test_a_twin_begins_when_the_first_has_ended(
    ops_db: str, session: Session, twin: Session
) -> None:
    order: list[str] = []

    def work() -> None:
        with lease(twin, DATE, patience=60.0):
            order.append("twin begins")

    thread = threading.Thread(target=work)
    with lease(session, DATE):
        thread.start()
        until_waiting(ops_db)
        order.append("first ends")
    thread.join(timeout=30.0)
    assert order == ["first ends", "twin begins"]


@pytest.mark.parametrize("other", OTHERS, ids=str)
def test_leases_of_other_partitions_are_free(
    session: Session, twin: Session, other: Partition
) -> None:
    with lease(session, DATE), lease(twin, other, patience=0.0):
        pass


def test_dates_of_one_group_share_one_lease(session: Session, twin: Session) -> None:
    with lease(session, DATE, group="2024-25"):
        with (
            pytest.raises(Taken, match="is at work on bdl_box_scores box_scores 2024-25"),
            lease(twin, OTHERS[0], group="2024-25", patience=0.0),
        ):
            pytest.fail("two hold one lease")
        with (
            lease(twin, OTHERS[0], group="2025-26", patience=0.0),
            lease(twin, DATE, patience=0.0),
        ):
            pass


def test_one_session_holds_two_leases_and_gives_them_back_one_by_one(
    session: Session, twin: Session
) -> None:
    with lease(session, DATE):
        with lease(session, DATE, group="2024-25"):
            assert [held(twin, DATE), held(twin, DATE, group="2024-25")] == [True, True]
        assert [held(twin, DATE), held(twin, DATE, group="2024-25")] == [True, False]
    assert [held(twin, DATE), held(twin, DATE, group="2024-25")] == [False, False]


def test_a_session_that_holds_a_lease_works_on_without_the_leases_time_out(
    session: Session,
) -> None:
    with lease(session, DATE, patience=7.0):
        found = session.run(lambda connection: connection.execute("SHOW lock_timeout").fetchone())
    assert found == (f"{TASK.lock:g}s",)


def held(session: Session, partition: Partition, group: str = "") -> bool:
    """Whether somebody else has the lease."""
    try:
        with lease(session, partition, group=group, patience=0.0):
            return False
    except Taken:
        return True


def test_an_error_in_the_block_passes_and_frees_the_lease(session: Session, twin: Session) -> None:
    with pytest.raises(ZeroDivisionError), lease(session, DATE):
        raise ZeroDivisionError
    with lease(twin, DATE, patience=0.0):
        pass


def end_sessions(url: str) -> None:
    with connect(url) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name LIKE 'th% t%' AND datname = current_database()"
        )


LOST = (
    "the lease of bdl_box_scores box_scores 2025-01-15 was lost on the way (was the database"
    " restarted?)"
)


@pytest.mark.parametrize("reopened", [False, True], ids=["at its end", "by work in between"])
def test_a_lease_that_was_lost_on_the_way_does_not_fail_the_work(
    ops_db: str,
    session: Session,
    twin: Session,
    reopened: bool,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with lease(session, DATE):
        end_sessions(ops_db)
        if reopened:
            session.run(lambda connection: connection.execute("SELECT 1"))
        with lease(twin, DATE, patience=60.0):
            pass
    assert [record.getMessage() for record in caplog.records] == [LOST]


def test_a_database_that_stays_away_at_the_end_does_not_fail_the_work(
    ops_db: str, caplog: pytest.LogCaptureFixture
) -> None:
    seconds = count()
    there = [True]

    def opening(url: str, application_name: str) -> psycopg.Connection[Any]:
        if not there:
            raise Problem(error_class=ErrorClass.STORAGE, message="ops_db is away")
        return connect(url, application_name="this task")

    session = Session(
        ops_db,
        connect=opening,
        sleep=lambda _: None,
        monotonic=lambda: float(next(seconds)),
    )
    with lease(session, DATE):
        there.clear()
        end_sessions(ops_db)
    assert [record.getMessage() for record in caplog.records] == [LOST]


def test_the_reason_for_a_failure_is_kept_when_the_lease_is_lost_too(
    ops_db: str, session: Session
) -> None:
    def work() -> None:
        with lease(session, DATE):
            end_sessions(ops_db)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        work()


def test_who_waits_waits_on_when_the_database_was_restarted(ops_db: str, twin: Session) -> None:
    order: list[str] = []

    def work() -> None:
        with lease(twin, DATE, patience=60.0):
            order.append("twin begins")

    thread = threading.Thread(target=work)
    with another_process(ops_db):
        thread.start()
        until_waiting(ops_db)
        end_sessions(ops_db)
        while waiting(ops_db):
            time.sleep(0.01)
        until_waiting(ops_db)
        order.append("first ends")
    thread.join(timeout=30.0)
    assert order == ["first ends", "twin begins"]


def test_a_database_that_cannot_be_asked_is_a_storage_problem() -> None:
    seconds = count()

    def unreachable(url: str, application_name: str) -> psycopg.Connection[Any]:
        raise Problem(error_class=ErrorClass.STORAGE, message="ops_db is away")

    session = Session(
        "", connect=unreachable, sleep=lambda _: None, monotonic=lambda: float(next(seconds))
    )
    with pytest.raises(Problem) as refused, lease(session, DATE):
        pytest.fail("nobody holds it")
    assert refused.value == Problem(error_class=ErrorClass.STORAGE, message="ops_db is away")
