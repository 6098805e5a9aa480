"""The scheduler's way to our tables: it waits for them once, for two seconds, and then not at all
for a while. What it does not note then, the sweep finds."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

from include.errors import Problem
from include.ops.db import LISTENER, BoundedConnection, connect, unreachable
from nba_airflow import connections

log = logging.getLogger(__name__)

PAUSE = 30.0
"""Seconds for which a database that failed is not asked again: 2 of 32 are a share of its time
that a scheduler can lose, and a mail is half a minute late."""

SLOW = 1.0
"""Seconds after which a database that answered counts as one that failed: a summary's start asks it
three times, 10 ms each (measured), and the scheduler's turn must end."""

MIN_AGAIN = 1.0
"""Seconds that the second part of what was begun has at least: with the first it ends in three."""


class Away(Exception):
    """Our tables could not be asked, or are not asked just now; says why."""


class Ledger:
    """Our tables, for one scheduler. ``monotonic``: for tests."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._again_at = float("-inf")
        self._spent = 0.0

    @contextmanager
    def opened(self, *, again: bool = False) -> Iterator[psycopg.Connection[Any]]:
        """A connection on which everything ends within LISTENER's seconds, from the look-up of its
        address on. Raises Away; whatever the database did wrong, it is left alone for PAUSE.

        ``again``: for the second part of what was begun, which is not left undone because the first
        was slow, and has what that left of the seconds, MIN_AGAIN at least. The connection
        ``ops_db`` is read anew each time, since people correct it while the scheduler runs.
        """
        begun = self._monotonic()
        if begun < self._again_at and not again:
            raise Away(f"the operations database is left alone for {PAUSE:.0f} s after it failed")
        seconds = max(MIN_AGAIN, LISTENER.total - self._spent) if again else LISTENER.total
        try:
            with _connect(seconds) as connection:
                yield connection
        except (psycopg.Error, Problem) as error:
            problem = error if isinstance(error, Problem) else unreachable(error)
            self._leave_alone(str(problem))
            raise Away(str(problem)) from None
        self._spent = self._monotonic() - begun
        if self._spent > SLOW:
            self._leave_alone(f"the operations database took {self._spent:.1f} s")

    def _leave_alone(self, why: str) -> None:
        self._again_at = self._monotonic() + PAUSE
        log.warning("left to the sweep, and not asked for %.0f s: %s", PAUSE, why)


def _connect(seconds: float) -> BoundedConnection:
    """In a thread of its own, for two reasons: a name that is not resolved keeps to no deadline,
    and Airflow's sessions are per thread, so that a second one in the scheduler's would detach the
    rows that it works on (3.3.2: it dies of DetachedInstanceError)."""
    begun = time.monotonic()
    attempt = _Attempt()
    threading.Thread(target=attempt.make, name="nba ops_db", daemon=True).start()
    found = attempt.wait(seconds)
    found.ends = begun + seconds
    return found


class _Attempt:
    """A connection that is made in another thread, and closed there when nobody waits any more."""

    def __init__(self) -> None:
        self._turn = threading.Condition()
        self._given_up = False
        self._found: BoundedConnection | Exception | None = None

    def make(self) -> None:
        """The thread's work."""
        found: BoundedConnection | Exception
        try:
            address = connections.ops_url()
            found = connect(address, application_name="nba scheduler", deadlines=LISTENER)
        except Exception as error:  # noqa: BLE001  raised where it is waited for
            found = error
        with self._turn:
            self._found = found
            self._turn.notify()
            if self._given_up and isinstance(found, BoundedConnection):
                found.close()

    def wait(self, seconds: float) -> BoundedConnection:
        """What came of it. Raises what the thread met, or an error of psycopg when it takes
        longer."""
        with self._turn:
            if not self._turn.wait_for(lambda: self._found is not None, seconds):
                self._given_up = True
                raise psycopg.OperationalError(f"no connection within {seconds:.1f} s")
        if isinstance(self._found, BoundedConnection):
            return self._found
        assert self._found is not None
        raise self._found


LEDGER = Ledger()
