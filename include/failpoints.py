"""Points at which a test can kill this process as kill -9, the OOM killer or a power cut would;
otherwise nothing.

``NBA_CRASH_AT="after raw write:2"`` kills at the second time that the point is reached.
``NBA_CRASH_ORDERS=folder`` kills one process at each point for which the folder holds a file of
that name; the file is gone then.
``NBA_LOSE_EVENTS="7:50"`` loses, by seed 7, half of the events that the listener is told of.
"""

from __future__ import annotations

import os
import signal
from collections import Counter
from pathlib import Path
from zlib import crc32

AT = "NBA_CRASH_AT"
ORDERS = "NBA_CRASH_ORDERS"
LOST = "NBA_LOSE_EVENTS"

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


class Lost(Exception):
    """An event that is to be lost, by its name."""


_reached: Counter[str] = Counter()


def reach_failpoint(point: str) -> None:
    """Says that the process has come to one of POINTS."""
    _reached[point] += 1
    folder = os.environ.get(ORDERS)
    wanted = os.environ.get(AT) == f"{point}:{_reached[point]}"
    if wanted or (folder and _taken(Path(folder) / point)):
        os.kill(os.getpid(), signal.SIGKILL)


def lose_event(event: str) -> None:
    """Raises Lost for an event that is to be lost. The seed and the event's name alone decide, so
    that one that is told again is lost again."""
    seed, _, percent = os.environ.get(LOST, ":0").partition(":")
    if crc32(f"{seed} {event}".encode()) % 100 < int(percent):
        raise Lost(event)


def _taken(order: Path) -> bool:
    """Whether the order was there and is ours: removing a file succeeds for one process only."""
    try:
        order.unlink()
    except FileNotFoundError:
        return False
    return True
