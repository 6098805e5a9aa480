"""The window of game dates that an operator asked for, and every reason to refuse it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from include.partition import BadDay, days_between, eastern_day, parse_day


class Refused(Exception):
    """Nothing was done. The message is one line that says why and what to do instead; exit code
    2."""


@dataclass(frozen=True, kw_only=True)
class Window:
    """US/Eastern game dates, both ends included."""

    first: date
    last: date

    @property
    def days(self) -> list[date]:
        """Every date of the window."""
        return days_between(self.first, self.last)

    def __str__(self) -> str:
        return f"{self.first}..{self.last}"


def parse_window(first: str, last: str, now: datetime) -> Window:
    """Raises Refused for a date that is none, an end before the start, and a date that is not over
    yet."""
    try:
        window = Window(first=parse_day(first), last=parse_day(last))
    except BadDay as error:
        raise Refused(str(error)) from None
    if window.last < window.first:
        raise Refused(f"the end {window.last} is before the start {window.first}: swap them")
    yesterday = eastern_day(now) - timedelta(days=1)
    if window.last > yesterday:
        raise Refused(
            f"{window.last} is not over yet in US/Eastern: the last date that can be backfilled is"
            f" {yesterday}"
        )
    return window
