"""The window of game dates that an operator asked for, and every reason to refuse it."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from include.errors import Refused
from include.partition import BadDay, DateRange, eastern_day, parse_day

FIRST_GAMES = date(1946, 11, 1)


def parse_window(first: str, last: str, now: datetime) -> DateRange:
    """US/Eastern game dates, both ends included. Raises Refused for a text that is not a date, a
    date before the league's first games, an end before the start, and a date that is not over
    yet."""
    try:
        window = DateRange(parse_day(first), parse_day(last))
    except BadDay as error:
        raise Refused(str(error)) from None
    if window.first < FIRST_GAMES:
        raise Refused(
            f"{window.first} is before the league's first games ({FIRST_GAMES}): check the year"
        )
    if window.last < window.first:
        raise Refused(f"the end {window.last} is before the start {window.first}: swap them")
    yesterday = eastern_day(now) - timedelta(days=1)
    if window.last > yesterday:
        raise Refused(
            f"{window.last} is not over yet in US/Eastern: the last date that can be backfilled is"
            f" {yesterday}"
        )
    return window
