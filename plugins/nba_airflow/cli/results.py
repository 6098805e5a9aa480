"""Results of dates as the commands print them: a row each, or groups of those that are alike."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from include.fold import Group, fold
from include.outcome import Outcome
from include.results import DateResult
from include.wording import clean, counted, dates
from nba_airflow.cli.answer import Row

MAX_NAMED_DATES = 20  # dates of a group that the text quotes one by one; -o json has all


def list_rows(results: Iterable[DateResult]) -> list[Row]:
    """A row per date and endpoint."""
    return [
        {
            "date": each.day,
            "endpoint": each.endpoint,
            "outcome": each.outcome,
            "message": clean(each.message),
        }
        for each in sorted(results, key=lambda each: (each.day, each.endpoint))
    ]


def word_groups(results: Iterable[DateResult]) -> list[str]:
    """What is wrong, with which dates; of incomplete dates that differ, what each of them lacks."""
    return [line for group in fold(results) for line in _lines(group)]


def word_noted(results: Iterable[DateResult]) -> list[str]:
    """What was accepted, and why, and the dates that are empty by the source's own word: such dates
    are done, and never shown as if nothing were to be known of them."""
    found = filter(lambda each: each.noted, results)
    return [
        f"  {each.outcome} {each.endpoint}: {each.day}: {clean(each.message)}"
        for each in sorted(found, key=lambda each: (each.day, each.endpoint))
    ]


def _lines(group: Group) -> Iterator[str]:
    what = f"{group.outcome} ({group.error_class})" if group.error_class else str(group.outcome)
    where = f" {group.endpoint}" if group.endpoint else ""
    if group.outcome is not Outcome.PARTIAL or not group.by_day:
        yield f"  {what}{where}: {dates(group.days)}: {clean(group.message)}"
        return
    yield f"  {what}{where}: {dates(group.days)}"
    for day, message in group.by_day[:MAX_NAMED_DATES]:
        yield f"    {day}: {clean(message)}"
    if (more := len(group.by_day) - MAX_NAMED_DATES) > 0:
        yield f"    and {counted(more, 'more date')}, which -o json names"
