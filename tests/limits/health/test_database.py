"""What an address costs in statements, and a database that fails."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from include.errors import ErrorClass, Problem
from include.limits.health import SharedHealth
from include.ops import session
from include.ops.db import connect
from include.ops.session import Session
from tests.limits.health.address import NAME, Db, Make, age, claims, cool_down, known


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
        ": bring its tables up to date: airflow nba repair --tables"
    )
