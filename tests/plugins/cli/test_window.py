"""The window that an operator asks for: every reason to refuse it is one line with the way out."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from include.partition import DateRange
from nba_airflow.cli.window import Refused, parse_window

# 2025-01-15 in US/Eastern, already the 16th in UTC.
NOW = datetime(2025, 1, 16, 3, tzinfo=UTC)


@pytest.mark.parametrize(
    ("first", "last", "days"),
    [
        ("2024-12-31", "2025-01-01", [date(2024, 12, 31), date(2025, 1, 1)]),
        ("2025-01-14", "2025-01-14", [date(2025, 1, 14)]),
        ("1946-11-01", "1946-11-01", [date(1946, 11, 1)]),
        ("2024-02-28", "2024-03-01", [date(2024, 2, 28), date(2024, 2, 29), date(2024, 3, 1)]),
    ],
)
def test_window_has_both_ends(first: str, last: str, days: list[date]) -> None:
    window = parse_window(first, last, NOW)
    assert (window, window.days) == (DateRange(days[0], days[-1]), days)


@pytest.mark.parametrize(
    ("first", "last", "message"),
    [
        (
            "2024-12-31",
            "today",
            "'today' is not a date: write it as YYYY-MM-DD, for example 2024-10-22",
        ),
        *(
            (
                first,
                last,
                f"{first} is before the league's first games (1946-11-01): check the year",
            )
            for first, last in (("0024-10-22", "2024-10-25"), ("1946-10-31", "1946-11-01"))
        ),
        (
            "2025-01-02",
            "2025-01-01",
            "the end 2025-01-01 is before the start 2025-01-02: swap them",
        ),
        (
            "2025-01-10",
            "2025-01-15",
            (
                "2025-01-15 is not over yet in US/Eastern: the last date that can be backfilled is"
                " 2025-01-14"
            ),
        ),
        (
            "2026-01-01",
            "2026-01-02",
            (
                "2026-01-02 is not over yet in US/Eastern: the last date that can be backfilled is"
                " 2025-01-14"
            ),
        ),
    ],
)
def test_window_that_cannot_be_is_refused_with_the_repair(
    first: str, last: str, message: str
) -> None:
    with pytest.raises(Refused) as caught:
        parse_window(first, last, NOW)
    assert str(caught.value) == message


def test_end_that_no_calendar_has_is_refused() -> None:
    with pytest.raises(Refused, match=r"^'2024-02-30' is not a day of the calendar \("):
        parse_window("2024-02-01", "2024-02-30", NOW)


@pytest.mark.parametrize(
    ("now", "last"),
    [
        (datetime(2025, 1, 16, 4, 59, tzinfo=UTC), "2025-01-14"),
        (datetime(2025, 1, 16, 5, 0, tzinfo=UTC), "2025-01-15"),
        (datetime(2025, 3, 10, 3, 59, tzinfo=UTC), "2025-03-08"),  # after the clocks went forward
        (datetime(2025, 3, 10, 4, 0, tzinfo=UTC), "2025-03-09"),
    ],
)
def test_date_is_over_at_its_eastern_midnight(now: datetime, last: str) -> None:
    assert str(parse_window(last, last, now)) == last
    day_after = str(date.fromordinal(date.fromisoformat(last).toordinal() + 1))
    with pytest.raises(Refused):
        parse_window(last, day_after, now)
