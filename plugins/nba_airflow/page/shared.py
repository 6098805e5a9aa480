"""What many viewers poll is read once for all of them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")

SECONDS = 3.0
"""For so long a reading is shown to everybody: a backfill ends four dates in that time at most."""


class Shared(Generic[T]):
    """A reading that is made anew when it is older than SECONDS, by whoever asks first; the others
    wait for it. ``monotonic``: for tests."""

    def __init__(self, read: Callable[[], T], monotonic: Callable[[], float] = time.monotonic):
        self._read, self._monotonic = read, monotonic
        self._lock = threading.Lock()
        self._made: tuple[float, T] | None = None

    def get(self) -> T:
        """The reading. Whatever making it raises reaches who asked; the next one tries again."""
        with self._lock:
            if self._made is None or self._monotonic() - self._made[0] >= SECONDS:
                self._made = (self._monotonic(), self._read())
            return self._made[1]

    def forget(self) -> None:
        """Something was done: the next one reads anew."""
        with self._lock:
            self._made = None
