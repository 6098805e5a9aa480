"""Connections to the operations database (Airflow connection ``ops_db``): read committed, UTC,
schema ``ops``."""

from __future__ import annotations

import os
import re
import socket
import time
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, TypeVar

import psycopg
from psycopg import conninfo
from psycopg.types.string import StrDumperUnknown

from include.errors import ErrorClass, Problem, storable
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

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Deadlines:
    """Seconds for which a session of ours waits at most, and holds others up at most.

    ``connect``: for a connection, whole seconds, 2 at least (libpq's rule), for each address of the
    host. ``statement``: until the server ends a statement itself; a server that is frozen does not,
    so that the client gives up GRACE later and closes the connection. ``lock``: for one lock.
    ``idle``: until the server ends a transaction in which nothing is asked; it may hold locks.
    ``total``: for everything that is asked of one connection, from its opening on.
    """

    connect: int
    statement: float
    lock: float
    idle: float
    total: float = float("inf")


GRACE = 1.0

# Every session of a task asks for single rows by their keys (3-5 ms): 20 s are a database that is
# ill. Of its locks the longest holds for some milliseconds, or until `idle` ends its transaction.
TASK = Deadlines(connect=5, statement=20.0, lock=10.0, idle=5.0)

# The scheduler waits for its listeners: 2 s in all are a tenth of what its heartbeat may miss. What
# is not noted then, the sweep notes. Its statements take 10 ms together.
LISTENER = Deadlines(connect=2, statement=1.5, lock=1.0, idle=5.0, total=2.0)

# A person waits, and a mail is made of a whole season. A transaction may be open while files are
# written.
COMMAND = Deadlines(connect=5, statement=60.0, lock=10.0, idle=300.0)

# Somebody looks at a page, and others wait for the same reading. It takes 0.1 s of a large ledger.
PAGE = Deadlines(connect=2, statement=5.0, lock=2.0, idle=10.0, total=8.0)

# Tables are made once, and another host may be making them just now.
MIGRATION = Deadlines(connect=10, statement=300.0, lock=60.0, idle=60.0)

REPAIR = "start the database (`make up` on one machine) or correct the Airflow connection ops_db"


class _StorableText(StrDumperUnknown):
    """The last net for texts, whoever wrote them."""

    def dump(self, obj: str) -> Any:
        return super().dump(storable(obj))


class BoundedConnection(psycopg.Connection[Any]):
    """A connection on which nobody waits longer than its deadlines allow, also when the server does
    not answer any more: it is closed then."""

    deadlines = COMMAND
    ends = float("inf")

    def wait(
        self,
        gen: Generator[Any, Any, T],
        interval: float = 0.1,
        timeout: float | None = None,
    ) -> T:
        """What psycopg calls for everything that it asks of the server."""
        most = self.deadlines.statement + GRACE if timeout is None else timeout
        begun = time.monotonic()
        most = min(most, max(0.0, self.ends - begun))
        try:
            return super().wait(gen, interval, most)
        except psycopg.OperationalError:
            if time.monotonic() < begun + most:
                raise
            # Closed, since the answer that is still to come would be taken for the next one's.
            self.pgconn.finish()
            raise psycopg.OperationalError(f"no answer within {most:.1f} s") from None


def connect(
    url: str, *, application_name: str = "", deadlines: Deadlines = COMMAND
) -> BoundedConnection:
    """A connection with autocommit off. ``url`` is libpq's or SQLAlchemy's form, or a conninfo
    string.

    ``application_name`` is what others see of this session (default: pid and host). Session
    state is used (advisory locks, search_path), so a pooler in between must pool sessions, not
    transactions. Raises Problem(STORAGE), without the password, when the database cannot be
    reached within ``deadlines``.
    """
    parts = _parts(url)
    ends = time.monotonic() + deadlines.total
    try:
        connection = BoundedConnection.connect(
            **{
                **parts,
                **_KEEPALIVES,
                "connect_timeout": deadlines.connect,
                "application_name": (application_name or _this_process())[:63],
                "options": " ".join(
                    [_settings(deadlines), str(parts.get("options") or ""), _SERVER_SETTINGS]
                ),
            }
        )
    except psycopg.OperationalError as error:
        raise unreachable(error, secret=str(parts.get("password") or "")) from None
    connection.deadlines, connection.ends = deadlines, ends
    connection.adapters.register_dumper(str, _StorableText)
    return connection


def _settings(deadlines: Deadlines) -> str:
    """The deadlines as the server keeps them, in milliseconds; the URL's own options go before
    them."""
    seconds = {
        "statement_timeout": deadlines.statement,
        "lock_timeout": deadlines.lock,
        "idle_in_transaction_session_timeout": deadlines.idle,
    }
    return " ".join(f"-c {name}={round(value * 1000)}" for name, value in seconds.items())


# What is wrong with a statement, or with the tables; anything else is the database's own state.
_LASTING = (
    psycopg.ProgrammingError,
    psycopg.DataError,
    psycopg.IntegrityError,
    psycopg.NotSupportedError,
)


def unreachable(error: psycopg.Error, *, secret: str = "") -> Problem:
    """The Problem that tells an operator which database failed, how, and what to do; ``secret`` is
    blotted out.

    It is a passing one where the database is away, full of clients or held up by a lock.
    """
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
        repair = "bring its tables up to date: airflow nba repair --tables"
    else:
        repair = REPAIR
    return Problem(
        error_class=ErrorClass.STORAGE,
        message=f"the operations database (ops_db) failed: {words}: {repair}",
        passing=not isinstance(error, _LASTING),
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
            "the Airflow connection ops_db does not name a Postgres database: give it the type"
            " postgres, with host, login, password and schema"
        )
        raise Problem(error_class=ErrorClass.STORAGE, message=message) from None
