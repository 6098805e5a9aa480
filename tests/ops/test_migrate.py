"""The migration: once or often, alone or at the same time, all or nothing."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest

from devstack import postgres
from include.errors import ErrorClass, Problem
from include.ops.db import connect
from include.ops.migrate import VERSION, migrate
from include.ops.outcomes import Phase
from include.outcome import Outcome

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def empty(postgres_dir: Path, request: pytest.FixtureRequest) -> str:
    """URL of a database of its own without any table."""
    return postgres.ensure_database(postgres_dir, request.node.name)


def structure(url: str) -> list[tuple[str, str, str]]:
    """(table, column, type) of everything in the schema ops."""
    with connect(url) as connection:
        return connection.execute(
            "SELECT table_name, column_name, data_type FROM information_schema.columns WHERE"
            " table_schema = 'ops' ORDER BY table_name, ordinal_position"
        ).fetchall()


def versions(url: str) -> list[tuple[int]]:
    with connect(url) as connection:
        return connection.execute("SELECT version FROM ops.versions").fetchall()


def test_an_empty_database_gets_every_table(empty: str) -> None:
    migrate(empty)
    assert {table for table, _, _ in structure(empty)} == {
        "address_health",
        "alerts",
        "announcements",
        "backfills",
        "batch_runs",
        "batches",
        "breakers",
        "built",
        "credit_months",
        "credit_reservations",
        "game_days",
        "holds",
        "late_dates",
        "limiter_requests",
        "limiter_windows",
        "limiters",
        "looks",
        "outbox",
        "outcomes",
        "past_holds",
        "shared_failures",
        "stages",
        "touched",
        "versions",
    }
    assert versions(empty) == [(VERSION,)]


def test_the_ledger_takes_exactly_the_outcomes_and_phases_that_there_are(empty: str) -> None:
    migrate(empty)
    assert allowed(empty, "outcome") == {str(outcome) for outcome in Outcome}
    assert allowed(empty, "phase") == set(get_args(Phase))


def allowed(url: str, column: str) -> set[str]:
    """The values that the CHECK of a column of ops.outcomes lists."""
    with connect(url) as connection:
        ((check,),) = connection.execute(
            "SELECT pg_get_constraintdef(oid) FROM pg_constraint"
            " WHERE conrelid = 'ops.outcomes'::regclass AND conname = %s",
            (f"outcomes_{column}_check",),
        ).fetchall()
    return set(re.findall(r"'(\w+)'", check))


def test_migrating_again_changes_nothing(empty: str) -> None:
    migrate(empty)
    before = structure(empty)
    with connect(empty) as connection:
        connection.execute("INSERT INTO ops.limiters (name) VALUES ('kept')")
    migrate(empty)
    with connect(empty) as connection:
        assert connection.execute("SELECT name FROM ops.limiters").fetchall() == [("kept",)]
    assert (structure(empty), versions(empty)) == (before, [(VERSION,)])


def test_two_processes_that_migrate_at_once_both_succeed(empty: str) -> None:
    code = "import sys; from include.ops.migrate import migrate; migrate(sys.argv[1])"
    command = [sys.executable, "-c", code, empty]
    processes = [
        subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) for _ in range(2)
    ]
    said = [(process.communicate(timeout=60)[1], process.returncode) for process in processes]
    assert said == [("", 0)] * 2
    assert versions(empty) == [(VERSION,)]


def test_a_step_that_fails_leaves_nothing_of_the_others(empty: str) -> None:
    with connect(empty) as connection:
        connection.execute("CREATE SCHEMA ops")
        connection.execute("CREATE TABLE ops.outbox (in_the_way int)")
    with pytest.raises(Problem) as failed:
        migrate(empty)
    assert failed.value == Problem(
        error_class=ErrorClass.STORAGE,
        message="the operations tables (ops_db) cannot be made, and nothing was changed:"
        ' relation "outbox" already exists',
    )
    assert structure(empty) == [("outbox", "in_the_way", "integer")]


def test_tables_of_the_shape_before_the_first_release_are_refused_with_the_repair(
    empty: str,
) -> None:
    with connect(empty) as connection:
        connection.execute("CREATE SCHEMA ops")
        connection.execute("CREATE TABLE ops.alembic_version (version_num text)")
        connection.execute("INSERT INTO ops.alembic_version VALUES ('0008')")
    with pytest.raises(Problem) as failed:
        migrate(empty)
    assert failed.value == Problem(
        error_class=ErrorClass.STORAGE,
        message="the operations tables (ops_db) are of the shape before the first release: run"
        " `DROP SCHEMA ops CASCADE` in that database, start again, and write the outcomes anew from"
        " raw with `airflow nba repair --ledger`",
    )
    assert structure(empty) == [("alembic_version", "version_num", "text")]


def test_tables_that_were_made_by_other_statements_are_refused_with_the_repair(empty: str) -> None:
    migrate(empty)
    with connect(empty) as connection:
        connection.execute("ALTER TABLE ops.versions DROP COLUMN made_by")
    with pytest.raises(Problem) as failed:
        migrate(empty)
    assert failed.value.message == (
        "the operations tables (ops_db) are of another shape than this package's: run `DROP SCHEMA"
        " ops CASCADE` in that database, start again, and write the outcomes anew from raw with"
        " `airflow nba repair --ledger`"
    )


def test_tables_that_a_newer_package_has_made_are_refused(empty: str) -> None:
    migrate(empty)
    with connect(empty) as connection:
        connection.execute("INSERT INTO ops.versions (version) VALUES (%s)", (VERSION + 1,))
    with pytest.raises(Problem) as failed:
        migrate(empty)
    assert failed.value == Problem(
        error_class=ErrorClass.STORAGE,
        message=f"the operations tables (ops_db) are of version {VERSION + 1}, and this package"
        f" knows {VERSION}: install the newer package",
    )
