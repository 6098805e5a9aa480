"""The commands that run dates again, as the mail, the commands and the checks word them."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import date

from include.partition import DateRange, day_ranges

MAX_COMMANDS = 5
"""More ranges than these are one command over all of them: dates that raw has whole cost no request
anyway."""


def word_backfill(dag_id: str, dates: DateRange, *flags: str) -> str:
    """``airflow dags backfill DAG -s FIRST -e LAST FLAGS``, ready to be pasted."""
    words = ("airflow dags backfill", dag_id, f"-s {dates.first} -e {dates.last}", *flags)
    return " ".join(words)


def word_rerun(dag_id: str, days: Iterable[date]) -> str:
    """Runs again what failed on these dates and leaves the good ones between them alone; empty
    without dates."""
    ranges = day_ranges(days)
    if not ranges:
        return ""
    dates = DateRange(ranges[0].first, ranges[-1].last)
    return word_backfill(dag_id, dates, "--rerun-failed-tasks", "-y")


def word_reruns(dag_id: str, days: Iterable[date]) -> list[str]:
    """The same for dates of which nothing is known between them: what never ran stays so."""
    ranges = day_ranges(days)
    return [word_backfill(dag_id, each, "--rerun-failed-tasks", "-y") for each in ranges]


def word_reruns_within(dag_id: str, days: Iterable[date], known: Collection[date]) -> str:
    """The same for dates of a batch that has the ``known`` ones, a command a line: a date between
    them that is none of these was not ordered, and is not run."""
    bad = sorted(days)
    if bad and {*DateRange(bad[0], bad[-1]).days} <= {*known}:
        return word_rerun(dag_id, bad)
    return "\n".join(word_reruns(dag_id, bad))


def word_resets(dag_id: str, days: Iterable[date]) -> list[str]:
    """Run these dates, whether they have a run or not and whatever its colour."""
    ranges = day_ranges(days)
    if len(ranges) > MAX_COMMANDS:
        ranges = (DateRange(ranges[0].first, ranges[-1].last),)
    return [word_backfill(dag_id, each, "--reset-dagruns", "-y") for each in ranges]
