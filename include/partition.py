"""Game dates: one, a range of them, and the partition (one DAG, one endpoint, one US/Eastern game
date) that paths, leases and log lines come from."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

EASTERN = ZoneInfo("America/New_York")

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


class BadDay(ValueError):
    """A text that should be a calendar date and is none; the message says which and what is
    wanted."""


def parse_day(text: str) -> date:
    """``2024-01-15`` -> date(2024, 1, 15). Raises BadDay for every other form, also for
    2024-02-30."""
    if not _DAY.fullmatch(text or ""):
        raise BadDay(f"{text!r} is not a date: write it as YYYY-MM-DD, for example 2024-10-22")
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise BadDay(f"{text!r} is not a day of the calendar ({error})") from error


def eastern_day(moment: datetime) -> date:
    """The US/Eastern game date of an aware moment; 74 % of NBA games start on the next UTC date."""
    return moment.astimezone(EASTERN).date()


def eastern_moment(day: date, at: time, *, days_later: int = 0) -> datetime:
    """The aware UTC moment of a wall-clock time in US/Eastern, ``days_later`` after ``day``; right
    across DST."""
    local = datetime.combine(day + timedelta(days=days_later), at, tzinfo=EASTERN)
    return local.astimezone(UTC)


def days_between(first: date, last: date) -> list[date]:
    """Every date of the window, both ends included; empty when last is before first."""
    return [first + timedelta(days=n) for n in range((last - first).days + 1)]


@dataclass(frozen=True, order=True)
class DateRange:
    """US/Eastern game dates from ``first`` to ``last``, both included; written
    ``2024-10-22..2025-04-13``."""

    first: date
    last: date

    @property
    def days(self) -> list[date]:
        """Every date of the range."""
        return days_between(self.first, self.last)

    def __str__(self) -> str:
        return f"{self.first}" if self.first == self.last else f"{self.first}..{self.last}"


def day_ranges(days: Iterable[date]) -> tuple[DateRange, ...]:
    """The dates as sorted, disjoint, maximal ranges; duplicates fold."""
    found: list[DateRange] = []
    for day in sorted(set(days)):
        if found and day == found[-1].last + timedelta(days=1):
            found[-1] = DateRange(found[-1].first, day)
        else:
            found.append(DateRange(day, day))
    return tuple(found)


@dataclass(frozen=True, kw_only=True, order=True)
class Partition:
    """What one scrape fetches, one manifest describes and one lease protects."""

    dag_id: str
    endpoint: str
    day: date

    @property
    def prefix(self) -> str:
        """Folder of the raw objects, without a trailing slash:
        ``dag/2024/01/2024-01-15/endpoint``."""
        return f"{self.dag_id}/{self.day:%Y/%m}/{self.day}/{self.endpoint}"

    @property
    def lease(self) -> str:
        """Name of the lease that lets one run at a time work on this partition."""
        return f"{self.dag_id}/{self.endpoint}/{self.day}"

    def __str__(self) -> str:
        return f"{self.dag_id} {self.endpoint} {self.day}"
