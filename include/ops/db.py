"""Connections to the operations database (Airflow connection ``ops_db``): read committed, UTC,
schema ``ops``."""

from __future__ import annotations

import os
import re
import socket
from typing import Any

import psycopg
from psycopg import conninfo

from include.errors import ErrorClass, Problem
from include.redact import Redactor

SCHEMA = "ops"

# What both ends assume. The functions of the limiter and the credit ledger re-read rows after
# taking a lock, which only "read committed" lets them do.
# The keepalives are the server's: it notices a dead host, which may hold a lease, within a minute.
_SERVER_SETTINGS = (
    f"-c search_path={SCHEMA},public -c timezone=UTC"
    " -c default_transaction_isolation=read\\ committed"
    " -c tcp_keepalives_idle=20 -c tcp_keepalives_interval=10 -c tcp_keepalives_count=3"
)

# A dead network is noticed after about 30 + 3 x 10 seconds instead of the kernel's two hours.
_KEEPALIVES: dict[str, Any] = {
    "keepalives": 1,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
}

REPAIR = "start the database (`make up` on one machine) or correct the Airflow connection ops_db"


def connect(
    url: str, *, application_name: str = "", connect_timeout: int = 10
) -> psycopg.Connection[Any]:
    """A connection with autocommit off. ``url`` is libpq's or SQLAlchemy's form, or a conninfo
    string.

    ``application_name`` is what others see of this session (default: pid and host). Session
    state is used (advisory locks, search_path), so a pooler in between must pool sessions, not
    transactions. Raises Problem(STORAGE), without the password, when the database cannot be
    reached.
    """
    parts = _parts(url)
    try:
        return psycopg.connect(
            **{
                **parts,
                **_KEEPALIVES,
                "connect_timeout": connect_timeout,
                "application_name": (application_name or _this_process())[:63],
                "options": f"{parts.get('options') or ''} {_SERVER_SETTINGS}".strip(),
            }
        )
    except psycopg.OperationalError as error:
        raise unreachable(error, secret=str(parts.get("password") or "")) from None


def unreachable(error: psycopg.Error, *, secret: str = "") -> Problem:
    """The Problem that tells an operator which database failed, how, and what to do; ``secret`` is
    blotted out."""
    words = Redactor([secret]).text(" ".join(str(error).split())) or type(error).__name__
    if isinstance(
        error,
        (
            psycopg.errors.UndefinedTable,
            psycopg.errors.UndefinedColumn,
            psycopg.errors.UndefinedFunction,
            psycopg.errors.InvalidSchemaName,
        ),
    ):
        repair = "bring its tables up to date: python -m include.ops migrate"
    else:
        repair = REPAIR
    return Problem(
        error_class=ErrorClass.STORAGE,
        message=f"the operations database (ops_db) failed: {words}: {repair}",
    )


def driver_free(url: str) -> str:
    """``postgresql+psycopg://...`` (SQLAlchemy) and ``postgres://...`` (Airflow) as libpq's
    ``postgresql://...``."""
    return re.sub(r"^postgres(?:ql)?(?:\+\w+)?://", "postgresql://", url)


def _this_process() -> str:
    return f"pid {os.getpid()} on {socket.gethostname()}"


def _parts(url: str) -> dict[str, Any]:
    try:
        return dict(conninfo.conninfo_to_dict(driver_free(url)))
    except psycopg.ProgrammingError:
        # libpq quotes the part that it does not understand, which may be the password.
        message = (
            "the Airflow connection ops_db is not a Postgres URL: write"
            " postgresql://user:password@host:5432/database"
        )
        raise Problem(error_class=ErrorClass.STORAGE, message=message) from None
