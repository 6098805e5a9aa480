"""How many slots a pool gets: as many tasks at a time as its limit can use, so that workers are
left for the others. Arithmetic only."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from math import ceil

TASK_OVERHEAD = 3.0
"""Seconds for which a task has its slot without asking for anything: three turns of the scheduler,
up to a second each, and a process (0.5 s in an idle system, measured on 3.3.2)."""


def needed_slots(
    *,
    rate: float,
    seconds_per_request: float,
    requests_per_task: float,
    tasks_per_day: float | None = None,
) -> int:
    """How many tasks at a time reach ``rate`` requests a second (Little's law), at least 1.

    ``tasks_per_day``: what a day's credits can buy; None where requests are free.
    """
    tasks = rate * (seconds_per_request + TASK_OVERHEAD / requests_per_task)
    if tasks_per_day is not None:
        tasks = min(tasks, tasks_per_day)
    return max(1, ceil(tasks))


def fit_into_workers(
    wanted: Mapping[str, int], sources: Iterable[Collection[str]], workers: int
) -> dict[str, int]:
    """The pools' slots where there are so many workers: no source, given by the names of its pools,
    has more than half of them, and all together leave two free, for the mail and for analytics.

    Each pool keeps one slot at least, also where that is more.
    """
    slots = dict(wanted)
    for pools in sources:
        _shrink(slots, pools, workers // 2)
    _shrink(slots, slots.keys(), workers - 2)
    return slots


def _shrink(slots: dict[str, int], pools: Collection[str], most: int) -> None:
    """Takes slots from the largest of the pools until they have ``most`` together."""
    while sum(slots[name] for name in pools) > most:
        largest = max(sorted(pools), key=lambda name: slots[name])
        if slots[largest] == 1:
            return
        slots[largest] -= 1
