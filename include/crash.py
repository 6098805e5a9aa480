"""Points at which a test can kill this process as kill -9, the OOM killer or a power cut would; otherwise nothing.

``NBA_CRASH_AT="after raw write:2"`` kills at the second time that the point is reached.
"""

from __future__ import annotations

import os
import signal
from collections import Counter

AT = "NBA_CRASH_AT"

POINTS = (
    "before fetch",
    "after fetch",
    "after raw write",
    "before manifest",
    "after manifest",
    "before load",
    "before swap",
    "after load",
)
"""In the order of a date; ``before swap`` is in every write of a file, when its bytes are in a temporary one."""

_reached: Counter[str] = Counter()


def reach(point: str) -> None:
    """Says that the process has come to one of POINTS."""
    wanted, _, time = os.environ.get(AT, "").partition(":")
    if wanted == point:
        _reached[point] += 1
        if _reached[point] == int(time or 1):
            os.kill(os.getpid(), signal.SIGKILL)
