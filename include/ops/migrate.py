"""Brings the schema ``ops`` to the version that this package works with."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import psycopg

from include.errors import ErrorClass, Problem
from include.ops.db import MIGRATION, SCHEMA, connect

# The files that lead from version n to n + 1. Those of a version that was released never change.
_STEPS: tuple[tuple[str, ...], ...] = (("tables.sql", "limiter.sql"),)
VERSION = len(_STEPS)

# Any constant will do, as long as every version of this package takes the same one.
_LOCK = 0x6E626F7073


def migrate(url: str) -> None:
    """Applies every missing step in one transaction: all or nothing. Idempotent; a second caller
    waits its turn.

    Raises Problem(STORAGE), with the repair: the database is away, its tables are of another shape
    or newer, or a step fails.
    """
    with connect(url, application_name="nba migrate", deadlines=MIGRATION) as connection:
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
        found = _version(connection)
        try:
            for version in range(found, VERSION):
                for name in _STEPS[version]:
                    connection.execute((Path(__file__).parent / name).read_bytes())
                connection.execute(
                    f"INSERT INTO {SCHEMA}.versions (version) VALUES (%s)", (version + 1,)
                )
        except psycopg.Error as error:
            raise _cannot(f"cannot be made, and nothing was changed: {error}") from None


def _version(connection: psycopg.Connection[Any]) -> int:
    """The schema's version, 0 for a new one."""
    ((of_old_shape,),) = connection.execute(
        "SELECT to_regclass(%s) IS NOT NULL", (f"{SCHEMA}.alembic_version",)
    ).fetchall()
    if of_old_shape:
        raise _cannot(
            f"are of the shape before the first release: run `DROP SCHEMA {SCHEMA} CASCADE` in that"
            " database, start again, and write the outcomes anew from raw with `airflow nba repair"
            " --ledger`"
        )
    connection.execute(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}")
    connection.execute(
        f"CREATE TABLE IF NOT EXISTS {SCHEMA}.versions (version int PRIMARY KEY,"
        " applied_at timestamptz NOT NULL DEFAULT clock_timestamp())"
    )
    ((found,),) = connection.execute(
        f"SELECT coalesce(max(version), 0) FROM {SCHEMA}.versions"
    ).fetchall()
    if found > VERSION:
        raise _cannot(
            f"are of version {found}, and this package knows {VERSION}: install the newer package"
        )
    return int(found)


def _cannot(why: str) -> Problem:
    return Problem(error_class=ErrorClass.STORAGE, message=f"the operations tables (ops_db) {why}")


def find_missing(connection: psycopg.Connection[Any]) -> list[str]:
    """The operations tables that are not there, in the order in which they are made."""
    made = "".join((Path(__file__).parent / name).read_text() for step in _STEPS for name in step)
    names = re.findall(rf"^CREATE TABLE ({SCHEMA}\.\w+)", made, re.MULTILINE)
    rows = connection.execute(
        "SELECT name FROM unnest(%s::text[]) WITH ORDINALITY AS wanted (name, number)"
        " WHERE to_regclass(name) IS NULL ORDER BY number",
        (names,),
    )
    return [name for (name,) in rows]
