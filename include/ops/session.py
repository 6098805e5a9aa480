"""The one connection of a task to the operations database: opened when it is first needed,
fork-safe, thread-safe, renewed."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Self, TypeVar

import psycopg

from include.errors import Problem
from include.ops.db import TASK, connect, unreachable

Connection = psycopg.Connection[Any]
T = TypeVar("T")

# Seconds for which a lost database is tried again before the caller fails: a restart of Postgres
# takes 1-2, a failover 10-20. What lasts longer is left to Airflow's retries.
PATIENCE = 30.0
_PAUSE = 0.25


def connect_task(url: str, application_name: str) -> Connection:
    """A connection with the deadlines of a task's session."""
    return connect(url, application_name=application_name, deadlines=TASK)


class Session:
    """Runs pieces of work on one connection with autocommit on; limiter, credits, health, leases
    and outcomes of a task share it.

    ``url`` as for ``ops.db.connect``; ``name`` is what others see of it (who waits for a lease is
    told who holds it). ``connect``: for tests. As a context manager it is closed at the end.
    """

    def __init__(
        self,
        url: str,
        *,
        name: str = "",
        connect: Callable[..., Connection] = connect_task,
        sleep: Callable[[float], None] = time.sleep,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._url, self._name = url, name
        self._connect = connect
        self._sleep = sleep
        self._monotonic = monotonic
        self._connection: Connection | None = None
        self._inherited: Connection | None = None
        self._clock: tuple[datetime, float] | None = None
        self._pid = os.getpid()
        self._turn = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def run(self, work: Callable[[Connection], T]) -> T:
        """``work(connection)``, again on a new connection when the old one is lost on the way, for
        PATIENCE seconds from the first loss.

        So ``work`` may take effect twice and must be harmless then. It must not call ``run``: one
        piece of work at a time. Raises what it raises; psycopg's errors and a database that stays
        away become Problem(STORAGE).
        """
        give_up: float | None = None
        while True:
            with self._turn:
                try:
                    return work(self._open())
                except (psycopg.Error, Problem) as error:
                    lost = self._connection is None or self._connection.closed
                    if lost:
                        self._drop()
                    now = self._monotonic()
                    give_up = now + PATIENCE if give_up is None else give_up
                    if not lost or now > give_up:
                        raise (
                            error if isinstance(error, Problem) else unreachable(error)
                        ) from None
            self._sleep(_PAUSE)

    def now(self) -> datetime:
        """The time (UTC) by the database's clock, one for all hosts: asked for once, and counted on
        from there."""
        if self._clock is None:
            ((moment,),) = self.run(lambda c: c.execute("SELECT clock_timestamp()").fetchall())
            self._clock = moment.astimezone(UTC), self._monotonic()
        moment, at = self._clock
        return moment + timedelta(seconds=self._monotonic() - at)

    def close(self) -> None:
        """Close this process's connection; the next work opens a new one."""
        with self._turn:
            self._drop()

    def _open(self) -> Connection:
        if self._pid != os.getpid():
            # A forked child must not talk on its parent's socket, nor close it: it only remembers
            # it.
            self._inherited, self._connection, self._pid = self._connection, None, os.getpid()
        if self._connection is None:
            connection = self._connect(self._url, application_name=self._name)
            connection.autocommit = True
            self._connection = connection
        return self._connection

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
