"""Points at which a test can kill this process as kill -9, the OOM killer or a power cut would;
otherwise nothing.

``NBA_CRASH_AT="after raw write:2"`` kills at the second time that the point is reached.
``NBA_CRASH_ORDERS=folder`` kills one process at each point for which the folder holds a file of
that name; the file is gone then.
"""

from __future__ import annotations

import os
import signal
from collections import Counter
from pathlib import Path

AT = "NBA_CRASH_AT"
ORDERS = "NBA_CRASH_ORDERS"

POINTS = (
    "before fetch",
    "before reserve",
    "after reserve",
    "before settle",
    "after fetch",
    "after raw write",
    "before manifest",
    "after manifest",
    "before load",
    "before swap",
    "after load",
    "before outcome",
    "after outcome",
    "before outbox",
    "after outbox",
    "before send",
    "after send",
)
"""In the order of a date, then of its mail; ``before swap`` is in every write of a file, when its
bytes are in a temporary one. The three about credits are reached by paid requests only."""

_reached: Counter[str] = Counter()


def reach_failpoint(point: str) -> None:
    """Says that the process has come to one of POINTS."""
    wanted, _, time = os.environ.get(AT, "").partition(":")
    if wanted == point:
        _reached[point] += 1
        if _reached[point] == int(time or 1):
            os.kill(os.getpid(), signal.SIGKILL)
    if (folder := os.environ.get(ORDERS)) and _taken(Path(folder) / point):
        os.kill(os.getpid(), signal.SIGKILL)


def _taken(order: Path) -> bool:
    """Whether the order was there and is ours: removing a file succeeds for one process only."""
    try:
        order.unlink()
    except FileNotFoundError:
        return False
    return True
