"""Brings the schema ``ops`` to the version that this package works with."""

from __future__ import annotations

import hashlib
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
                connection.execute(_read(version).encode())
                connection.execute(
                    f"INSERT INTO {SCHEMA}.versions (version, made_by) VALUES (%s, %s)",
                    (version + 1, _digest(version)),
                )
        except psycopg.Error as error:
            raise _cannot(f"cannot be made, and nothing was changed: {error}") from None


def _version(connection: psycopg.Connection[Any]) -> int:
    """The schema's version, 0 for a new one."""
    ((of_old_shape,),) = connection.execute(
        "SELECT to_regclass(%s) IS NOT NULL", (f"{SCHEMA}.alembic_version",)
    ).fetchall()
    if of_old_shape:
        raise _cannot(f"are of the shape before the first release: {_ANEW}")
    connection.execute(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}")
    connection.execute(
        f"CREATE TABLE IF NOT EXISTS {SCHEMA}.versions (version int PRIMARY KEY,"
        " applied_at timestamptz NOT NULL DEFAULT clock_timestamp())"
    )
    connection.execute(f"ALTER TABLE {SCHEMA}.versions ADD COLUMN IF NOT EXISTS made_by text")
    made = connection.execute(
        f"SELECT version, made_by FROM {SCHEMA}.versions ORDER BY version"
    ).fetchall()
    found = max((version for version, _ in made), default=0)
    if found > VERSION:
        raise _cannot(
            f"are of version {found}, and this package knows {VERSION}: install the newer package"
        )
    if any(made_by != _digest(version - 1) for version, made_by in made):
        raise _cannot(f"are of another shape than this package's: {_ANEW}")
    return int(found)


_ANEW = (
    f"run `DROP SCHEMA {SCHEMA} CASCADE` in that database, start again, and write the outcomes anew"
    " from raw with `airflow nba repair --ledger`"
)


def _read(version: int) -> str:
    """The statements that lead from a version to the next."""
    return "".join((Path(__file__).parent / name).read_text() for name in _STEPS[version])


def _digest(version: int) -> str:
    """The SHA-256 of its statements; comments and line breaks change no shape."""
    statements = " ".join(re.sub(r"(?m)--.*$", "", _read(version)).split())
    return hashlib.sha256(statements.encode()).hexdigest()


def _cannot(why: str) -> Problem:
    return Problem(error_class=ErrorClass.STORAGE, message=f"the operations tables (ops_db) {why}")


def find_missing(connection: psycopg.Connection[Any]) -> list[str]:
    """The operations tables that are not there, in the order in which they are made."""
    made = "".join(map(_read, range(VERSION)))
    names = re.findall(rf"^CREATE TABLE ({SCHEMA}\.\w+)", made, re.MULTILINE)
    rows = connection.execute(
        "SELECT name FROM unnest(%s::text[]) WITH ORDINALITY AS wanted (name, number)"
        " WHERE to_regclass(name) IS NULL ORDER BY number",
        (names,),
    )
    return [name for (name,) in rows]
