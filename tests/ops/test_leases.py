"""Leases between real processes: one holder, a waiting twin, and kill -9."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import psycopg
import pytest

from include.errors import ErrorClass, Problem
from include.ops.db import connect
from include.ops.leases import lease
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
from include.partition import Partition
at = Partition(dag_id="bdl_box_scores", endpoint="box_scores", day=date(2025, 1, 15))
with lease(sys.argv[1], at, {holder}):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def another_process(url: str, holder: str = "") -> Iterator[subprocess.Popen[str]]:
    """A process that holds the lease of DATE until it is killed or its standard input is closed."""
    code = HOLDER.format(holder=f"holder={holder!r}" if holder else "")
    with subprocess.Popen(
        [sys.executable, "-c", code, url],
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


def test_a_lease_that_stays_taken_names_its_holder(ops_db: str) -> None:
    with (
        another_process(ops_db, holder="manual__2025-01-15 on worker-3"),
        pytest.raises(Problem) as refused,
        lease(ops_db, DATE, patience=0.0),
    ):
        pytest.fail("two hold one lease")
    assert refused.value == Problem(
        error_class=ErrorClass.INTERNAL,
        message=(
            "another run has been at work on bdl_box_scores box_scores 2025-01-15 for 0 s"
            " (lease manual__2025-01-15 on worker-3): let it end, then clear this task"
        ),
        endpoint="box_scores",
        day=date(2025, 1, 15),
    )


def test_a_holder_without_a_name_is_named_by_its_process(ops_db: str) -> None:
    with (
        another_process(ops_db) as holder,
        pytest.raises(Problem) as refused,
        lease(ops_db, DATE, patience=0.0),
    ):
        pytest.fail("two hold one lease")
    assert f"(lease pid {holder.pid} on " in refused.value.message


def test_kill_9_of_the_holder_frees_the_lease_for_who_waits(ops_db: str) -> None:
    taken = threading.Event()

    def twin() -> None:
        with lease(ops_db, DATE, patience=60.0):
            taken.set()

    with another_process(ops_db) as holder:
        thread = threading.Thread(target=twin)
        thread.start()
        until_waiting(ops_db)
        assert not taken.is_set()
        holder.kill()
        thread.join(timeout=30.0)
    assert taken.is_set()


def test_a_twin_begins_when_the_first_has_ended(ops_db: str) -> None:
    order: list[str] = []

    def twin() -> None:
        with lease(ops_db, DATE, patience=60.0):
            order.append("twin begins")

    thread = threading.Thread(target=twin)
    with lease(ops_db, DATE):
        thread.start()
        until_waiting(ops_db)
        order.append("first ends")
    thread.join(timeout=30.0)
    assert order == ["first ends", "twin begins"]


@pytest.mark.parametrize("other", OTHERS, ids=str)
def test_leases_of_other_partitions_are_free(ops_db: str, other: Partition) -> None:
    with lease(ops_db, DATE), lease(ops_db, other, patience=0.0):
        pass


def test_dates_of_one_group_share_one_lease(ops_db: str) -> None:
    with lease(ops_db, DATE, group="2024-25"):
        with (
            pytest.raises(Problem, match="another run has been at work on"),
            lease(ops_db, OTHERS[0], group="2024-25", patience=0.0),
        ):
            pytest.fail("two hold one lease")
        with (
            lease(ops_db, OTHERS[0], group="2025-26", patience=0.0),
            lease(ops_db, DATE, patience=0.0),
        ):
            pass


def test_an_error_in_the_block_passes_and_frees_the_lease(ops_db: str) -> None:
    with pytest.raises(ZeroDivisionError), lease(ops_db, DATE):
        raise ZeroDivisionError
    with lease(ops_db, DATE, patience=0.0):
        pass


def end_sessions(url: str) -> None:
    with connect(url) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name LIKE 'lease %' AND datname = current_database()"
        )


def test_a_lease_that_was_lost_on_the_way_does_not_fail_the_work(
    ops_db: str, caplog: pytest.LogCaptureFixture
) -> None:
    with lease(ops_db, DATE):
        end_sessions(ops_db)
    assert [record.getMessage() for record in caplog.records] == [
        "the lease of bdl_box_scores box_scores 2025-01-15 was lost on the way (was the database"
        " restarted?)"
    ]


def test_the_reason_for_a_failure_is_kept_when_the_lease_is_lost_too(ops_db: str) -> None:
    def work() -> None:
        with lease(ops_db, DATE):
            end_sessions(ops_db)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        work()


def test_losing_the_database_while_waiting_is_a_storage_problem(ops_db: str) -> None:
    failures: list[BaseException] = []

    def twin() -> None:
        try:
            with lease(ops_db, DATE, holder="twin", patience=60.0):
                failures.append(AssertionError("two hold one lease"))
        except (Problem, psycopg.Error) as error:
            failures.append(error)

    with another_process(ops_db):
        thread = threading.Thread(target=twin)
        thread.start()
        until_waiting(ops_db)
        with connect(ops_db) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name ="
                " 'lease twin'"
            )
        thread.join(timeout=30.0)
    assert [type(failure) for failure in failures] == [Problem]
    assert "the operations database (ops_db) failed: " in str(failures[0])
