"""Which dates of its window `airflow dags backfill` is about to run, and which it leaves alone."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from include.partition import DateRange
from include.wording import counted, dates
from nba_airflow.metadata.runs import Run


@dataclass(frozen=True, kw_only=True)
class Selection:
    """``runs`` has the latest run of each date that has one; ``new`` are dates that get one,
    ``cleared`` runs that run again, with ``only_failed`` their failed tasks alone. ``left_failed``
    are failed dates that are left as they are; ``refetch``: the upstream is asked again.
    """

    dag_id: str
    window: DateRange
    runs: Mapping[date, Run]
    new: Sequence[date]
    cleared: Sequence[Run]
    only_failed: bool
    left_failed: Sequence[date]
    refetch: bool

    @classmethod
    def of(
        cls,
        dag_id: str,
        window: DateRange,
        runs: Mapping[date, Run],
        *,
        attach: bool,
        rerun_failed: bool,
        reset: bool,
        refetch: bool,
        not_done: Collection[date] = (),
    ) -> Selection:
        """``attach``: nothing is started. ``reset``: what has ended runs again as a whole,
        ``rerun_failed``: what has failed, or is ``not_done`` whatever colour its run has."""
        new: list[date] = []
        cleared: list[Run] = []
        bad = {run.day for run in runs.values() if run.state == "failed"} | {*not_done}
        failed = [run for run in runs.values() if run.finished and run.day in bad]
        if not attach:
            new = [day for day in window.days if day not in runs]
            cleared = failed if rerun_failed else []
        if reset and not attach:
            cleared = [run for run in runs.values() if run.finished]
        return cls(
            dag_id=dag_id,
            window=window,
            runs=runs,
            new=new,
            cleared=cleared,
            only_failed=not reset,
            left_failed=[] if cleared or attach else [run.day for run in failed],
            refetch=refetch,
        )

    @property
    def under_way(self) -> set[date]:
        """The dates of the window that run or are about to, so that a mail will come."""
        running = {run.day for run in self.runs.values() if not run.finished}
        return running | {*self.new} | {run.day for run in self.cleared}

    @property
    def started(self) -> list[date]:
        """The dates that run now, which were not running."""
        return sorted({*self.new} | {run.day for run in self.cleared})

    def lines(self) -> Iterator[str]:
        """As the operator reads it, one fact a line."""
        total = counted(len(self.window.days), "date")
        kept = len(self.runs) - len(self.cleared)
        yield f"{self.dag_id}: {self.window}, {total} (US/Eastern, both ends included)"
        yield (
            f"  {len(self.new)} new, {len(self.cleared)} to run again, {kept} that have a run are"
            " left alone"
        )
        if self.refetch:
            asked = counted(len(self.new) + len(self.cleared), "date")
            yield f"  refetch: the upstream is asked again for {asked}"
        if self.left_failed:
            yield (
                f"  of those, {len(self.left_failed)} failed ({dates(self.left_failed)}):"
                " --rerun-failed-tasks runs them again"
            )

    def rows(self) -> list[dict[str, object]]:
        """A row per date."""
        again = {run.day for run in self.cleared}
        done: dict[date, str] = dict.fromkeys(self.window.days, "left alone")
        done |= dict.fromkeys(self.new, "new")
        done |= dict.fromkeys(again, "run again")
        return [{"date": day, "plan": what} for day, what in done.items()]

    def facts(self) -> dict[str, object]:
        """For -o json."""
        return {
            "dag_id": self.dag_id,
            "first": self.window.first,
            "last": self.window.last,
            "dates": len(self.window.days),
            "new": self.new,
            "cleared": sorted(run.day for run in self.cleared),
            "refetch": self.refetch,
        }
