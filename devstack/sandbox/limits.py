"""Limits judged by the sandbox's own clock: an exact sliding window per source and caller."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

from devstack.sandbox.config import Windows


class Limits:
    """Admits at most ``limit`` requests in any half-open window [t, t + seconds); refused ones
    don't count."""

    def __init__(self, windows: Mapping[str, Windows]) -> None:
        self._windows = dict(windows)
        self._admitted: dict[tuple[str, str], deque[float]] = {}

    def change(self, windows: Mapping[str, Windows]) -> None:
        """New limits for these sources; what they admitted so far still counts."""
        self._windows.update(windows)

    def admit(self, source: str, caller: str, at: float) -> bool:
        """Whether a request that arrived ``at`` (monotonic seconds) is within every window of its
        source."""
        windows = self._windows.get(source, ())
        if not windows:
            return True
        times = self._admitted.setdefault((source, caller), deque())
        longest = max(seconds for _, seconds in windows)
        while times and times[0] + longest <= at:
            times.popleft()
        if any(sum(then + seconds > at for then in times) >= limit for limit, seconds in windows):
            return False
        times.append(at)
        return True
