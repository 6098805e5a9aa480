"""The migration: once or often, alone or at the same time, all or nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from devstack import postgres
from include.ops.db import connect
from include.ops.migrate import migrate

ROOT = Path(__file__).resolve().parents[2]
VERSIONS = ROOT / "include" / "ops" / "migrations" / "versions"
NEWEST = max(path.name.split("_")[0] for path in VERSIONS.glob("[0-9]*.py"))


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


def revision(url: str) -> list[tuple[str]]:
    with connect(url) as connection:
        return connection.execute("SELECT version_num FROM ops.alembic_version").fetchall()


def test_an_empty_database_gets_every_table(empty: str) -> None:
    migrate(empty)
    assert {table for table, _, _ in structure(empty)} >= {
        "batch_runs",
        "batches",
        "limiter_requests",
        "limiter_windows",
        "limiters",
        "outbox",
        "outcomes",
    }
    assert revision(empty) == [(NEWEST,)]


def test_migrating_again_changes_nothing(empty: str) -> None:
    migrate(empty)
    before = structure(empty)
    with connect(empty) as connection:
        connection.execute("INSERT INTO ops.limiters (name) VALUES ('kept')")
    migrate(empty)
    with connect(empty) as connection:
        assert connection.execute("SELECT name FROM ops.limiters").fetchall() == [("kept",)]
    assert (structure(empty), revision(empty)) == (before, [(NEWEST,)])


def run(*arguments: str, url: str | None = None) -> subprocess.Popen[str]:
    environment = {
        name: value for name, value in os.environ.items() if name != "AIRFLOW_CONN_OPS_DB"
    }
    if url is not None:
        environment["AIRFLOW_CONN_OPS_DB"] = url
    return subprocess.Popen(
        [sys.executable, "-m", "include.ops", *arguments],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_two_processes_that_migrate_at_once_both_succeed(empty: str) -> None:
    processes = [run("migrate", empty), run("migrate", url=empty)]
    said = [(*process.communicate(timeout=60), process.returncode) for process in processes]
    assert said == [("operations tables: up to date\n", "", 0)] * 2
    assert revision(empty) == [(NEWEST,)]


def test_a_revision_that_fails_leaves_nothing_of_the_others(empty: str) -> None:
    with connect(empty) as connection:
        connection.execute("CREATE SCHEMA ops")
        connection.execute("CREATE TABLE ops.outbox (in_the_way int)")
    with pytest.raises(Exception, match='relation "outbox" already exists') as failed:
        migrate(empty)
    assert isinstance(failed.value.__cause__, psycopg.errors.DuplicateTable)
    assert structure(empty) == [("outbox", "in_the_way", "integer")]


def test_the_command_says_which_database_it_misses() -> None:
    said, complained = (process := run("migrate")).communicate(timeout=60)
    assert (process.returncode, said) == (2, "")
    assert complained.splitlines()[-1].endswith(
        "which database? give its URL, or set AIRFLOW_CONN_OPS_DB (`. .airflow/env` does)"
    )


def test_the_command_says_in_one_line_that_the_database_is_away() -> None:
    said, complained = (
        process := run("migrate", "postgresql://u:sesame@127.0.0.1:1/db")
    ).communicate(timeout=60)
    assert (process.returncode, said, complained.count("\n")) == (1, "", 1)
    assert complained.startswith("storage: the operations database (ops_db) failed: ")
    assert "sesame" not in complained


def test_every_revision_follows_the_one_before() -> None:
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(VERSIONS.parent))
    config.set_main_option("path_separator", "os")
    chain = [step.revision for step in ScriptDirectory.from_config(config).walk_revisions()]
    assert chain == sorted(
        (path.name.split("_")[0] for path in VERSIONS.glob("[0-9]*.py")), reverse=True
    )
