"""``memory``: what the whole installation and one task take, for a month, a season's third and a
year of dates; and when every worker is at work."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

from devstack.bench.installation import Installation, installed
from devstack.bench.lines import Line, compared
from devstack.bench.usage import Peak, sampled

DAG, CONNECTION = "bdl_box_scores", "balldontlie"
WINDOWS = ((date(2024, 10, 22), 30), (date(2024, 12, 1), 120), (date(2023, 7, 1), 365))
"""First date and number of dates."""
BUSY = (date(2022, 7, 1), 120)
"""Other dates: those of a backfill before are skipped."""


def bench() -> Iterator[Line]:
    """The peaks, each beside that of the shortest backfill, one after the other in one
    installation, with the pools that it has; before them with a task in every worker, since a
    worker takes 13 MB more from its first task on."""
    peaks: dict[int, Peak] = {}
    with installed() as system:
        system.lift_limits(CONNECTION)
        (slots,) = system.metadata("SELECT slots FROM slot_pool WHERE pool = %s", CONNECTION)
        system.set_pool(CONNECTION, 128)
        busy = _peak(system, *BUSY)
        system.set_pool(CONNECTION, slots[0])
        for first, dates in WINDOWS:
            peaks[dates] = _peak(system, first, dates)
    shortest = min(peaks)
    for dates, peak in peaks.items():
        against = f"{shortest} dates"
        name = f"memory_{dates}_dates"
        yield compared(name, peak.system, "MB PSS", against, peaks[shortest].system)
        yield compared(f"{name}_task", peak.task, "MB PSS", against, peaks[shortest].task)
    against = f"{shortest} dates with the pools as they are"
    yield compared("memory_all_busy", busy.system, "MB PSS", against, peaks[shortest].system)


def _peak(system: Installation, first: date, dates: int) -> Peak:
    with sampled(system.processes) as peak:
        system.backfill(DAG, first, first + timedelta(days=dates - 1))
    return peak
