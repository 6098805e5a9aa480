"""The rules of http.addresses.Health in this process's memory: what the shared one is held
against."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from include.http.addresses import COOLDOWN, MAX_FAILURES


class LocalHealth:
    """After MAX_FAILURES in a row a cooldown, then one probe decides."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._failures: dict[str, int] = {}
        self._until: dict[str, datetime] = {}

    def claim(self, name: str) -> bool:
        if (until := self._until.get(name)) is None:
            return True
        if self._now() < until:
            return False
        # Left alone again until the probe's result is in: one that is never heard of expires by
        # itself.
        self._until[name] = self._now() + COOLDOWN
        return True

    def succeeded(self, name: str) -> None:
        self._failures.pop(name, None)
        self._until.pop(name, None)

    def failed(self, name: str) -> None:
        self._failures[name] = self._failures.get(name, 0) + 1
        if self._failures[name] >= MAX_FAILURES:
            self._until[name] = self._now() + COOLDOWN

    def unused(self, name: str) -> None:
        if name in self._until:
            self._until[name] = self._now()

    def cooldown_until(self, name: str) -> datetime | None:
        return self._until.get(name)
