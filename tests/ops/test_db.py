"""Connecting to the operations database: URL forms, session settings, and errors that help and
betray nothing."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import psycopg
import pytest

from include.errors import ErrorClass, Problem
from include.ops.db import (
    COMMAND,
    LISTENER,
    MIGRATION,
    PAGE,
    REPAIR,
    TASK,
    Deadlines,
    connect,
    driver_free,
    unreachable,
)
from include.ops.session import Session

SECRET = "hunter2-is-secret"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("postgresql+psycopg://u:p@h:5432/db", "postgresql://u:p@h:5432/db"),
        ("postgresql+psycopg2://u:p@h/db", "postgresql://u:p@h/db"),
        ("postgres://u:p@h/db?sslmode=require", "postgresql://u:p@h/db?sslmode=require"),
        ("postgresql://u:p@h/db", "postgresql://u:p@h/db"),
        ("host=h dbname=db", "host=h dbname=db"),
        ("host=h options=postgres+x://", "host=h options=postgres+x://"),
    ],
)
def test_urls_of_sqlalchemy_and_airflow_become_those_of_libpq(given: str, expected: str) -> None:
    assert driver_free(given) == expected


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_every_form_of_the_url_leads_to_the_same_database(ops_db: str, scheme: str) -> None:
    url = ops_db.replace("postgresql://", f"{scheme}://")
    with connect(url) as connection:
        assert connection.execute("SELECT count(*) FROM ops.limiters").fetchone() == (0,)


def test_a_session_has_the_settings_that_the_ledger_relies_on(ops_db: str) -> None:
    names = ("search_path", "TimeZone", "transaction_isolation", "application_name")
    with connect(ops_db, application_name="x" * 100) as connection:
        found = {name: connection.execute(f"SHOW {name}").fetchone() for name in names}
        assert connection.autocommit is False
    assert found == {
        "search_path": ("ops,public",),
        "TimeZone": ("UTC",),
        "transaction_isolation": ("read committed",),
        "application_name": ("x" * 63,),
    }


def test_options_of_the_url_are_kept_beside_ours(ops_db: str) -> None:
    with connect(f"{ops_db}&options=-c%20statement_timeout%3D7s") as connection:
        assert connection.execute("SHOW statement_timeout").fetchone() == ("7s",)
        assert connection.execute("SHOW search_path").fetchone() == ("ops,public",)


def test_a_session_says_which_process_it_serves(ops_db: str) -> None:
    with connect(ops_db) as connection:
        assert connection.execute("SHOW application_name").fetchone() == (
            f"pid {os.getpid()} on {socket.gethostname()}",
        )


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://user:{SECRET}@127.0.0.1:1/db",
        f"postgresql+psycopg://user:{SECRET}@127.0.0.1:1/db",
        f"host=127.0.0.1 port=1 password={SECRET}",
    ],
)
def test_a_database_that_is_away_is_named_without_its_password(url: str) -> None:
    with pytest.raises(Problem) as failed:
        connect(url)
    assert failed.value.error_class is ErrorClass.STORAGE
    assert failed.value.message.startswith("the operations database (ops_db) failed: ")
    assert failed.value.message.endswith(f": {REPAIR}")
    assert "127.0.0.1" in failed.value.message
    assert SECRET not in str(failed.value)
    assert failed.value.__suppress_context__


@pytest.mark.parametrize(
    "url", [f"mysql://user:{SECRET}@h/db", f"user:{SECRET}@h/db", f"password={SECRET} {SECRET}"]
)
def test_a_url_that_is_none_is_not_quoted(url: str) -> None:
    with pytest.raises(Problem) as failed:
        connect(url)
    assert failed.value == Problem(
        error_class=ErrorClass.STORAGE,
        message="the Airflow connection ops_db does not name a Postgres database: give it the type"
        " postgres, with host, login, password and schema",
    )


def test_the_servers_words_are_kept_on_one_line_without_the_secret() -> None:
    problem = unreachable(psycopg.OperationalError(f"no entry\n  for {SECRET}"), secret=SECRET)
    assert problem.message == f"the operations database (ops_db) failed: no entry for ***: {REPAIR}"


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM ops.nothing_like_it",
        "SELECT ops.nothing_like_it()",
        "CREATE TABLE nowhere.x ()",
    ],
)
def test_missing_tables_call_for_the_migration(ops_db: str, statement: str) -> None:
    with connect(ops_db) as connection, pytest.raises(psycopg.Error) as failed:
        connection.execute(statement)
    assert unreachable(failed.value).message.endswith(
        ": bring its tables up to date: airflow nba repair --tables"
    )


@pytest.mark.parametrize(
    ("error", "passing"),
    [
        (psycopg.OperationalError("connection refused"), True),
        (psycopg.errors.TooManyConnections("too many clients"), True),
        (psycopg.errors.QueryCanceled("statement timeout"), True),
        (psycopg.errors.LockNotAvailable("lock timeout"), True),
        (psycopg.errors.DeadlockDetected("deadlock"), True),
        (psycopg.errors.ReadOnlySqlTransaction("a standby"), True),
        (psycopg.errors.UndefinedTable("no such table"), False),
        (psycopg.errors.CheckViolation("not a phase"), False),
        (psycopg.DataError("a NUL"), False),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_ends_by_itself_is_told_from_what_is_wrong(
    error: psycopg.Error, passing: bool
) -> None:
    assert unreachable(error).passing is passing


@pytest.mark.parametrize("deadlines", [TASK, LISTENER, COMMAND, PAGE, MIGRATION])
def test_the_server_keeps_the_deadlines_of_every_session(ops_db: str, deadlines: Deadlines) -> None:
    names = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")
    with connect(ops_db, deadlines=deadlines) as connection:
        rows = connection.execute(
            "SELECT setting::float / 1000 FROM pg_settings WHERE name = ANY(%s) ORDER BY name DESC",
            (list(names),),
        ).fetchall()
    assert [kept for (kept,) in rows] == [deadlines.statement, deadlines.lock, deadlines.idle]


SHORT = replace(LISTENER, statement=0.2, lock=0.1, total=0.3)


def test_a_statement_that_takes_too_long_is_ended_by_the_server(ops_db: str) -> None:
    with (
        connect(ops_db, deadlines=replace(SHORT, total=10.0)) as connection,
        pytest.raises(psycopg.errors.QueryCanceled),
    ):
        connection.execute("SELECT pg_sleep(60)")


def test_a_lock_that_stays_taken_is_given_up(ops_db: str) -> None:
    with connect(ops_db) as holder, connect(ops_db, deadlines=SHORT) as connection:
        holder.execute("LOCK TABLE ops.batches")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            connection.execute("SELECT * FROM ops.batches")


@contextmanager
def frozen(connection: psycopg.Connection[Any]) -> Iterator[None]:
    """The server's process of the connection is stopped, as a machine that swaps to death is."""
    pid = connection.info.backend_pid
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def test_a_server_that_answers_no_more_is_given_up_by_the_client(ops_db: str) -> None:
    connection = connect(ops_db, deadlines=SHORT)
    with frozen(connection), pytest.raises(psycopg.OperationalError, match=r"^no answer within"):
        connection.execute("SELECT 1")
    assert connection.closed
    with pytest.raises(psycopg.OperationalError, match="closed"):
        connection.execute("SELECT 1")


def test_all_that_is_asked_of_a_connection_shares_one_deadline(ops_db: str) -> None:
    def ask_on(connection: psycopg.Connection[Any]) -> None:
        while True:
            connection.execute("SELECT pg_sleep(0.01)")

    with connect(ops_db, deadlines=replace(SHORT, statement=60.0)) as connection:
        with pytest.raises(psycopg.OperationalError, match=r"^no answer within 0\.. s"):
            ask_on(connection)
        assert connection.closed


def test_a_task_goes_on_with_a_new_connection_when_its_server_is_frozen(ops_db: str) -> None:
    opened: list[psycopg.Connection[Any]] = []

    def remembered(url: str, application_name: str) -> psycopg.Connection[Any]:
        opened.append(connect(url, deadlines=replace(SHORT, total=5.0)))
        return opened[-1]

    with Session(ops_db, connect=remembered) as session:
        session.run(lambda connection: connection.execute("SELECT 1"))
        with frozen(opened[0]):
            assert session.run(lambda connection: connection.execute("SELECT 7").fetchone()) == (7,)
    assert [connection.closed for connection in opened] == [True, True]
