"""Airflow's own database when it fails: which one it is, and what starts it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from include.errors import ErrorClass, Problem
from include.redact import Redactor

START = (
    "start it (`make up` on one machine) or correct the variable"
    " AIRFLOW__DATABASE__SQL_ALCHEMY_CONN (`. .airflow/env` sets it)"
)
MIGRATE = "bring its tables up to date: airflow db migrate"


@contextmanager
def database_named() -> Iterator[None]:
    """Makes an error of Airflow's database one line with the repair. Raises Problem(STORAGE)."""
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except SQLAlchemyError as error:
        raise _failed(error) from None


def ask_database() -> None:
    """Raises Problem(STORAGE) where Airflow's database cannot be asked: Airflow 3.3.2 says then
    that a connection is not defined."""
    from airflow.utils.session import create_session
    from sqlalchemy import text

    with database_named(), create_session() as session:
        session.execute(text("SELECT 1 FROM connection LIMIT 1"))


def _failed(error: Exception) -> Problem:
    from psycopg.errors import UndefinedColumn, UndefinedTable

    cause = getattr(error, "orig", None) or error
    lines = [line.strip() for line in str(cause).splitlines() if line.strip()]
    reason = Redactor().text(lines[0]) if lines else type(cause).__name__
    outdated = isinstance(cause, (UndefinedTable, UndefinedColumn))
    return Problem(
        error_class=ErrorClass.STORAGE,
        message=f"Airflow's database failed: {reason}: {MIGRATE if outdated else START}",
    )
