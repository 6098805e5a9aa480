"""Following a window until its last run ends, on stderr: a bar on a terminal, a line every tenth
date everywhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from include.ops.progress import Pace, find_pace
from nba_airflow.metadata.runs import Run

if TYPE_CHECKING:
    from rich.console import Console

LINE_EVERY = 10  # dates between two printed lines


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far the window is. ``gone``: dates of which the run was deleted, which have ended
    too."""

    total: int
    ended: int
    failed: int
    gone: int = 0
    pace: Pace

    def line(self) -> str:
        """``30 of 214 dates | 29 ended well | 1 failed | 12 min left``."""
        parts = [
            f"{self.ended} of {self.total} dates",
            f"{self.ended - self.failed - self.gone} ended well",
            f"{self.failed} failed",
        ]
        if self.gone:
            parts.append(f"{self.gone} not run, deleted in Airflow")
        return " | ".join(filter(None, [*parts, self.pace.word_left()]))


def choose_tracked(runs: Mapping[date, Run], begun: set[int | None]) -> list[date]:
    """The window's dates that are followed: those under way, and of their backfills and of those
    ``begun`` before, which these are added to, the dates that have ended. All where none is."""
    under_way = {day for day, run in runs.items() if not run.finished}
    begun |= {runs[day].backfill_id for day in under_way}
    of_them = {day for day, run in runs.items() if run.backfill_id in begun - {None}}
    return sorted(under_way | of_them or runs)


def measure(
    runs: Mapping[date, Run],
    tracked: Sequence[date],
    *,
    ended_before: int,
    elapsed: float,
    planned: float | None = None,
) -> Progress:
    """Counts the tracked dates, all of which had a run; the pace is that of the dates that ended
    since following began. ``planned``: seconds a date, by the plan."""
    there = [runs[day] for day in tracked if day in runs]
    left = sum(not run.finished for run in there)
    ended = len(tracked) - left
    return Progress(
        total=len(tracked),
        ended=ended,
        failed=sum(run.state == "failed" for run in there),
        gone=len(tracked) - len(there),
        pace=find_pace(ended - ended_before, elapsed, left=left, planned=planned),
    )


def follow(
    read: Callable[[], Mapping[date, Run]],
    tracked: Sequence[date],
    *,
    held: Callable[[Mapping[date, Run]], str] = lambda runs: "",
    planned: float | None = None,
    console: Console | None = None,
    clock: Callable[[], float] = time.monotonic,
    pause: Callable[[float], None] = time.sleep,
) -> Mapping[date, Run]:
    """Reads the runs once a second until every tracked date's run has ended or is gone; returns
    them. ``held``: why none of them is started, empty while nothing holds them; said once.
    ``planned``: as of ``measure``."""
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn
    from rich.progress import Progress as Bar

    console = console or Console(stderr=True)
    began = clock()
    runs = read()
    before = measure(runs, tracked, ended_before=0, elapsed=0.0).ended
    said, told = before // LINE_EVERY, ""
    with Bar(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[line]}"),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as bar:
        task = bar.add_task("backfill", total=len(tracked), line="")
        while True:
            gone = clock() - began
            now = measure(runs, tracked, ended_before=before, elapsed=gone, planned=planned)
            bar.update(task, completed=now.ended, line=now.line())
            if now.ended // LINE_EVERY > said or now.ended == now.total:
                said = now.ended // LINE_EVERY
                bar.console.print(now.line(), highlight=False)
            if now.ended == now.total:
                return runs
            if (why := held(runs)) != told:
                told = why
                bar.console.print(why or "goes on", highlight=False, markup=False)
            pause(1.0)
            runs = read()
