"""``memory``: what the whole installation and one task take, for a month, a season's third and a
year of dates."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

from devstack.bench.installation import installed
from devstack.bench.lines import Line, compared
from devstack.bench.usage import Peak, sampled

DAG = "bdl_box_scores"
WINDOWS = ((date(2024, 10, 22), 30), (date(2024, 12, 1), 120), (date(2023, 7, 1), 365))
"""First date and number of dates."""


def bench() -> Iterator[Line]:
    """The peaks, each beside that of the shortest backfill; one after the other in one
    installation."""
    peaks: dict[int, Peak] = {}
    with installed() as system:
        system.lift_limits("balldontlie")
        for first, dates in WINDOWS:
            with sampled(system.processes) as peak:
                system.backfill(DAG, first, first + timedelta(days=dates - 1))
            peaks[dates] = peak
    shortest = min(peaks)
    for dates, peak in peaks.items():
        against = f"{shortest} dates"
        name = f"memory_{dates}_dates"
        yield compared(name, peak.system, "MB PSS", against, peaks[shortest].system)
        yield compared(f"{name}_task", peak.task, "MB PSS", against, peaks[shortest].task)
