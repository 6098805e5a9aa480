"""The proxies' health as several processes see it, on a real Postgres whose recorded times are
moved."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from include.errors import ErrorClass, Problem
from include.http.addresses import COOLDOWN
from include.limits.health import SharedHealth
from include.limits.limiter import Limiter
from include.limits.state import limiter_states
from include.ops import session
from include.ops.db import connect
from include.ops.session import Session
from include.sources.spec import Window
from tests.http.local_health import LocalHealth

ROOT = Path(__file__).resolve().parents[2]
NAME = "nba_cdn@0123abcd"
NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)

Db = psycopg.Connection[Any]
Make = Callable[..., SharedHealth]


@pytest.fixture
def db(ops_db: str) -> Iterator[Db]:
    """All addresses are well; the connection sees and moves what is known of them."""
    with connect(ops_db) as connection:
        connection.autocommit = True
        connection.execute("TRUNCATE ops.address_health")
        yield connection


@pytest.fixture
def make(ops_db: str, db: Db) -> Iterator[Make]:
    """``make(now=...)``: another process's health."""
    made: list[Session] = []

    def health(**settings: Any) -> SharedHealth:
        made.append(Session(ops_db))
        return SharedHealth(made[-1], **settings)

    yield health
    for one in made:
        one.close()


def age(db: Db, by: timedelta = COOLDOWN) -> None:
    """Lets so much time pass for what is known."""
    db.execute("UPDATE ops.address_health SET cooldown_until = cooldown_until - %s", (by,))


def known(db: Db) -> list[tuple[str, int, bool]]:
    """(name, failures, in cooldown) of the addresses that are not well."""
    return db.execute(
        "SELECT name, failures, coalesce(cooldown_until > clock_timestamp(), false) FROM"
        " ops.address_health ORDER BY name"
    ).fetchall()


def cool_down(*processes: SharedHealth) -> None:
    """Three failures in a row, met by the processes in turn."""
    for n in range(3):
        processes[n % len(processes)].failed(NAME)


def claims(*processes: SharedHealth) -> list[bool]:
    return [process.claim(NAME) for process in processes]


# What all know.


def test_three_failures_cool_an_address_down_for_everybody_whoever_met_them(
    make: Make, db: Db
) -> None:
    one, two, three = make(), make(), make()
    one.failed(NAME)
    two.failed(NAME)
    assert claims(one, two, three) == [True, True, True]
    one.failed(NAME)
    assert claims(one, two, three) == [False, False, False]
    assert three.claim("nba_cdn@another") is True
    assert known(db) == [(NAME, 3, True)]


def test_a_cooldown_is_five_minutes_of_the_databases_clock(make: Make, db: Db) -> None:
    health = make()
    ((before,),) = db.execute("SELECT clock_timestamp()").fetchall()
    cool_down(health)
    ((after,),) = db.execute("SELECT clock_timestamp()").fetchall()
    until = make().cooldown_until(NAME)
    assert until is not None
    assert (before + COOLDOWN <= until <= after + COOLDOWN, until.tzinfo) == (True, UTC)


def test_a_success_ends_a_row_of_failures_for_everybody(make: Make, db: Db) -> None:
    one, two = make(), make()
    for outcome in ("failed", "failed", "succeeded", "failed", "failed"):
        getattr(two if outcome == "succeeded" else one, outcome)(NAME)
    assert (claims(one, two), known(db)) == ([True, True], [(NAME, 2, False)])


def test_after_the_cooldown_one_probe_is_granted_whose_success_frees_the_address(
    make: Make, db: Db
) -> None:
    one, two = make(), make()
    cool_down(one)
    age(db)
    assert claims(two, one, two, make()) == [True, False, False, False]
    two.succeeded(NAME)
    assert claims(one, two) == [True, True]
    assert (known(db), one.cooldown_until(NAME)) == ([], None)


def test_a_probe_that_fails_begins_another_cooldown(make: Make, db: Db) -> None:
    one, two = make(), make()
    cool_down(one)
    age(db)
    assert claims(two) == [True]
    age(db, timedelta(minutes=2))
    two.failed(NAME)
    age(db, timedelta(minutes=4))
    assert claims(one, two) == [False, False]
    age(db, timedelta(minutes=1))
    assert claims(one, two) == [True, False]


def test_a_probe_that_is_never_heard_of_expires(make: Make, db: Db) -> None:
    one, two = make(), make()
    cool_down(one)
    age(db)
    assert claims(one, two) == [True, False]
    age(db)
    assert claims(two, one) == [True, False]


def test_a_probe_that_was_not_used_is_for_the_next(make: Make, db: Db) -> None:
    one, two = make(), make()
    cool_down(one)
    age(db)
    assert claims(one, two) == [True, False]
    one.unused(NAME)
    assert claims(two, one) == [True, False]


def test_what_was_no_probe_gives_none_back(make: Make, db: Db) -> None:
    well, weak, late, other = make(), make(), make(), make()
    assert claims(well) == [True]
    other.failed(NAME)
    assert claims(weak) == [True]
    cool_down(other)
    age(db)
    assert claims(late) == [True]
    other.failed(NAME)
    for process in (well, weak, late):
        process.unused(NAME)
    assert claims(well, weak, late, other) == [False] * 4


def test_a_success_that_was_under_way_leaves_what_others_met_meanwhile_to_the_next(
    make: Make, db: Db
) -> None:
    one, two = make(), make()
    assert claims(one) == [True]
    two.failed(NAME)
    one.succeeded(NAME)
    assert known(db) == [(NAME, 1, False)]
    assert claims(one) == [True]
    one.succeeded(NAME)
    assert known(db) == []


STEPS = st.lists(
    st.tuples(
        st.sampled_from([0, 1]),
        st.sampled_from(["nba_cdn@1", "nba_cdn@2"]),
        st.sampled_from(["succeeded", "failed", "failed", "failed", "unused", "killed"]),
        st.sampled_from([0, 0, 1, 2, 5]),
    ),
    max_size=30,
)


@settings(max_examples=60)  # each asks Postgres up to 120 times
@given(steps=STEPS)
def test_two_processes_know_what_one_would(
    ops_db: str, steps: list[tuple[int, str, str, int]]
) -> None:
    now = [NOON]
    local = LocalHealth(lambda: now[0])
    sessions = [Session(ops_db), Session(ops_db)]
    shared = [SharedHealth(each, now=lambda: now[0]) for each in sessions]
    with connect(ops_db) as connection:
        connection.execute("TRUNCATE ops.address_health")
    try:
        for turn, name, outcome, minutes in steps:
            granted = local.claim(name)
            assert shared[turn].claim(name) is granted
            if granted and outcome != "killed":
                getattr(local, outcome)(name)
                getattr(shared[turn], outcome)(name)
            assert [each.cooldown_until(name) for each in shared] == [
                local.cooldown_until(name)
            ] * 2
            now[0] += timedelta(minutes=minutes)
    finally:
        for each in sessions:
            each.close()


# Many at once, and those that die.


def locked_out(db: Db) -> int:
    """How many sessions wait for a lock on what is known."""
    rows = db.execute(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND"
        " wait_event_type = 'Lock' AND query LIKE '%address_health%'"
    ).fetchall()
    return rows[0][0]


@pytest.mark.parametrize(("meanwhile", "granted"), [("", 1), ("DELETE FROM ops.address_health", 8)])
def test_of_eight_that_find_the_cooldown_over_at_once_one_probes_unless_it_is_well_by_then(
    ops_db: str, make: Make, db: Db, meanwhile: str, granted: int
) -> None:
    cool_down(make())
    age(db)
    processes, found = [make() for _ in range(8)], deque[bool]()
    threads = [
        threading.Thread(target=lambda each=each: found.append(each.claim(NAME)))
        for each in processes
    ]
    with connect(ops_db) as holder:
        holder.execute("SELECT FROM ops.address_health FOR UPDATE")
        for thread in threads:
            thread.start()
        while locked_out(db) < 8:
            assert all(thread.is_alive() for thread in threads)
        if meanwhile:
            holder.execute(meanwhile)
    for thread in threads:
        thread.join()
    assert sorted(found) == [False] * (8 - granted) + [True] * granted


WORKER = """
import sys
from include.limits.health import SharedHealth
from include.ops.session import Session
health = SharedHealth(Session(sys.argv[1]))
print(*(getattr(health, step)(sys.argv[2]) for step in sys.argv[3:]), flush=True)
sys.stdin.read()
"""


def start(ops_db: str, *steps: str) -> subprocess.Popen[str]:
    """A process that takes the steps, says what each returned, and stays until its standard input
    is closed."""
    return subprocess.Popen(
        [sys.executable, "-c", WORKER, ops_db, NAME, *steps],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_what_a_process_knew_is_known_when_it_is_gone(ops_db: str, make: Make, db: Db) -> None:
    said, _ = (
        process := start(ops_db, "claim", "failed", "failed", "failed", "claim")
    ).communicate(timeout=60)
    assert (said, process.returncode) == ("True None None None False\n", 0)
    assert claims(make()) == [False]


def test_eight_processes_get_one_probe_and_when_it_is_killed_one_more_after_the_cooldown(
    ops_db: str, make: Make, db: Db
) -> None:
    cool_down(make())
    age(db)
    processes = [start(ops_db, "claim") for _ in range(8)]
    try:
        said = [process.stdout.readline() for process in processes if process.stdout]
        assert sorted(said) == ["False\n"] * 7 + ["True\n"]
        prober = processes[said.index("True\n")]
        prober.kill()
        assert prober.wait() == -signal.SIGKILL
        one, two = make(), make()
        assert claims(one, two) == [False, False]
        age(db)
        assert claims(one, two) == [True, False]
    finally:
        for process in processes:
            process.kill()
            process.communicate()


def test_a_forked_process_uses_a_connection_of_its_own(make: Make, db: Db) -> None:
    health = make()
    health.failed(NAME)
    child = os.fork()
    if child == 0:
        try:
            health.failed(NAME)
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    health.failed(NAME)
    assert known(db) == [(NAME, 3, True)]


# What it takes, and a database that fails.


class Counting(psycopg.Cursor[Any]):
    """Remembers the first word of what was asked."""

    sent: list[str]

    def execute(self, *args: Any, **options: Any) -> Counting:
        Counting.sent.append(args[0].split()[0])
        return super().execute(*args, **options)


@pytest.fixture
def counted(ops_db: str, db: Db) -> Iterator[SharedHealth]:
    """Connected; ``Counting.sent`` holds what it asks from now on."""

    def counting(url: str, application_name: str) -> Db:
        connection = connect(url, application_name=application_name)
        connection.cursor_factory = Counting
        return connection

    Counting.sent = []
    with Session(ops_db, connect=counting) as session:
        health = SharedHealth(session)
        health.claim("another")
        Counting.sent.clear()
        yield health


def test_a_request_through_an_address_that_is_well_takes_one_look_and_no_write(
    counted: SharedHealth,
) -> None:
    for _ in range(3):
        assert counted.claim(NAME) is True
        counted.succeeded(NAME)
    assert counted.claim(NAME) is True
    counted.unused(NAME)
    assert Counting.sent == ["SELECT"] * 4


def test_an_address_in_cooldown_takes_one_look_and_a_probe_two_writes(
    counted: SharedHealth, db: Db
) -> None:
    cool_down(counted)
    assert Counting.sent == ["INSERT"] * 3
    Counting.sent.clear()
    assert claims(counted) == [False]
    assert Counting.sent == ["SELECT"]
    Counting.sent.clear()
    age(db)
    assert claims(counted) == [True]
    counted.succeeded(NAME)
    assert Counting.sent == ["SELECT", "UPDATE", "DELETE"]


class Lost(Exception):
    """Stands for the answer that does not come."""


@pytest.mark.parametrize(
    ("lost", "before", "after"),
    [
        ("failed", [], [(NAME, 1, False)]),
        ("claim", ["failed"] * 3, [(NAME, 3, True)]),
        ("unused", ["failed"] * 3 + ["claim"], [(NAME, 3, False)]),
        ("succeeded", ["failed"], []),
    ],
)
def test_what_is_written_again_because_its_answer_was_lost_counts_once(
    ops_db: str,
    db: Db,
    monkeypatch: pytest.MonkeyPatch,
    lost: str,
    before: list[str],
    after: list[Any],
) -> None:
    monkeypatch.setattr(session, "_PAUSE", 0.0)
    writes, armed = ("INSERT", "UPDATE", "DELETE"), []

    class Losing(psycopg.Cursor[Any]):
        def execute(self, *args: Any, **options: Any) -> Losing:
            super().execute(*args, **options)
            if armed and args[0].split()[0] in writes:
                armed.clear()
                self.connection.close()
                raise psycopg.OperationalError("the connection is lost")
            return self

    def losing(url: str, application_name: str) -> Db:
        connection = connect(url, application_name=application_name)
        connection.cursor_factory = Losing
        return connection

    shared = Session(ops_db, connect=losing)
    health = SharedHealth(shared)
    for step in before:
        if step == "claim":
            age(db)
        getattr(health, step)(NAME)
    if lost == "claim":
        age(db)
    armed.append(True)
    returned = getattr(health, lost)(NAME)
    shared.close()
    assert armed == []
    assert (returned, known(db)) == (True if lost == "claim" else None, after)


def test_a_lost_connection_is_replaced(make: Make, db: Db) -> None:
    health = make()
    cool_down(health)
    db.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE pid <> pg_backend_pid() AND datname = current_database()"
    )
    assert claims(health) == [False]


@pytest.mark.parametrize("call", ["claim", "failed", "succeeded", "cooldown_until"])
def test_without_a_database_nothing_is_known(monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    monkeypatch.setattr(session, "PATIENCE", 0.0)
    monkeypatch.setattr(session, "_PAUSE", 0.0)

    def unreachable(url: str, application_name: str) -> Db:
        raise Problem(error_class=ErrorClass.STORAGE, message="ops_db is away")

    with pytest.raises(Problem) as failed:
        getattr(SharedHealth(Session("", connect=unreachable)), call)(NAME)
    assert failed.value == Problem(error_class=ErrorClass.STORAGE, message="ops_db is away")


def test_a_database_that_was_not_migrated_says_how_to(postgres_dir: Path) -> None:
    from devstack import postgres

    url = postgres.ensure_database(postgres_dir, "without_health")
    with Session(url) as session, pytest.raises(Problem) as failed:
        SharedHealth(session).claim(NAME)
    assert failed.value.error_class is ErrorClass.STORAGE
    assert failed.value.message.endswith(
        ": bring its tables up to date: python -m include.ops migrate"
    )


# What an operator is told.


def test_a_limiter_is_shown_with_the_cooldown_of_its_address_until_that_is_over(
    ops_db: str, make: Make, db: Db
) -> None:
    windows, health = (Window(limit=100, seconds=60.0),), make()
    names = [NAME, "nba_cdn@well"]
    with Session(ops_db) as session:
        limiter = Limiter(session, dict.fromkeys(names, windows))
        for name in names:
            limiter.admit(name, max_wait=0).release()

    def shown() -> dict[str, datetime | None]:
        return {
            state.name: state.cooldown_until for state in limiter_states(db, "nba_cdn", windows)
        }

    health.failed(NAME)
    assert shown() == {NAME: None, "nba_cdn@well": None}
    cool_down(health)
    assert shown() == {NAME: health.cooldown_until(NAME), "nba_cdn@well": None}
    age(db)
    assert shown() == {NAME: None, "nba_cdn@well": None}
