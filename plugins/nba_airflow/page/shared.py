"""What many viewers poll is read once for all of them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

import psycopg
from sqlalchemy.exc import SQLAlchemyError

from include.errors import Problem

T = TypeVar("T")

SECONDS = 3.0
"""For so long a reading is shown to everybody: a backfill ends four dates in that time at most."""
MAX_OLD = 30.0
"""No older than this is what is shown while a new one is made: three polls of a page."""


AWAY = (Problem, psycopg.Error, SQLAlchemyError)
"""What a reading raises when a database does not answer as it should."""


@dataclass(frozen=True, kw_only=True)
class _Made(Generic[T]):
    """What a reading came to, the moment at which it was there, and how to show it."""

    at: float
    show: Callable[[], T]


class Shared(Generic[T]):
    """A reading that is made anew when it is older than SECONDS, by whoever asks first; the others
    see the one before meanwhile, or wait where it is too old. ``monotonic``: for tests."""

    def __init__(self, read: Callable[[], T], monotonic: Callable[[], float] = time.monotonic):
        self._read, self._monotonic = read, monotonic
        self._lock = threading.Lock()
        self._made: _Made[T] | None = None

    def get(self) -> T:
        """The reading. What it raised of AWAY reaches everybody who asks within SECONDS."""
        made = self._made
        if not self._is_within(SECONDS, made):
            made = self._read_once(made)
        assert made is not None
        return made.show()

    def forget(self) -> None:
        """Something was done: the next one reads anew."""
        with self._lock:
            self._made = None

    def _read_once(self, older: _Made[T] | None) -> _Made[T] | None:
        if not self._lock.acquire(blocking=not self._is_within(MAX_OLD, older)):
            return older
        try:
            if not self._is_within(SECONDS, self._made):
                show = _attempt(self._read)
                self._made = _Made(at=self._monotonic(), show=show)
            return self._made
        finally:
            self._lock.release()

    def _is_within(self, seconds: float, made: _Made[T] | None) -> bool:
        return made is not None and self._monotonic() - made.at < seconds


def _attempt(read: Callable[[], T]) -> Callable[[], T]:
    """Reads; what gives the outcome, be it one of AWAY, as often as it is asked."""
    try:
        found = read()
    except AWAY as error:
        failure = error

        def fail() -> T:
            raise failure.with_traceback(None)

        return fail
    return lambda: found
