"""Game dates: how they are read, what they fold into, and where they lie."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, timezone
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.partition import (
    BadDay,
    DateRange,
    Partition,
    day_ranges,
    days_between,
    eastern_day,
    eastern_moment,
    parse_day,
)

DAYS = st.dates(min_value=date(2024, 1, 1), max_value=date(2024, 3, 31))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2024",
        "2024-1-15",
        "20240115",
        "15.01.2024",
        "2024-01-15T00:00:00",
        " 2024-01-15",
        "2024-01-15\n",
        "２０２４-01-15",
        "today",
        "-024-01-15",
    ],
)
def test_text_that_is_no_date_is_refused_with_the_form_that_is_wanted(text: str) -> None:
    with pytest.raises(BadDay) as caught:
        parse_day(text)
    assert (
        str(caught.value)
        == f"{text!r} is not a date: write it as YYYY-MM-DD, for example 2024-10-22"
    )


@pytest.mark.parametrize(
    "text", ["2024-02-30", "2023-02-29", "2024-13-01", "2024-00-10", "0000-01-01"]
)
def test_date_that_no_calendar_has_is_refused(text: str) -> None:
    with pytest.raises(BadDay, match=rf"^'{text}' is not a day of the calendar \("):
        parse_day(text)


@given(st.dates(min_value=date(1000, 1, 1)))
def test_every_day_is_read_as_it_is_written(day: date) -> None:
    assert parse_day(str(day)) == day


@given(st.lists(DAYS))
def test_ranges_cover_exactly_the_days_sorted_disjoint_and_maximal(days: list[date]) -> None:
    ranges = day_ranges(days)
    assert [day for each in ranges for day in each.days] == sorted(set(days))
    # Maximal: a day at least lies between the end of one and the start of the next.
    assert all(a.last + timedelta(days=1) < b.first for a, b in pairwise(ranges))


def test_ranges_of_a_window_with_holes() -> None:
    days = [
        date(2024, 3, 2),
        date(2024, 2, 28),
        date(2024, 2, 29),
        date(2024, 3, 1),
        date(2024, 2, 29),
    ]
    ranges = day_ranges([*days, date(2024, 3, 4)])
    assert ranges == (
        DateRange(date(2024, 2, 28), date(2024, 3, 2)),
        DateRange(date(2024, 3, 4), date(2024, 3, 4)),
    )
    assert [str(each) for each in ranges] == ["2024-02-28..2024-03-02", "2024-03-04"]


def test_window_has_both_ends_and_a_reversed_one_is_empty() -> None:
    assert days_between(date(2024, 12, 31), date(2025, 1, 1)) == [
        date(2024, 12, 31),
        date(2025, 1, 1),
    ]
    assert days_between(date(2025, 1, 1), date(2025, 1, 1)) == [date(2025, 1, 1)]
    assert days_between(date(2025, 1, 1), date(2024, 12, 31)) == []


@pytest.mark.parametrize(
    ("day", "at", "days_later", "moment"),
    [
        (date(2025, 3, 8), time(0), 0, datetime(2025, 3, 8, 5, tzinfo=UTC)),
        (date(2025, 3, 8), time(0), 1, datetime(2025, 3, 9, 5, tzinfo=UTC)),
        (
            date(2025, 3, 8),
            time(6),
            1,
            datetime(2025, 3, 9, 10, tzinfo=UTC),
        ),  # the clock was put forward at 2:00
        (date(2025, 3, 9), time(0), 1, datetime(2025, 3, 10, 4, tzinfo=UTC)),
        (date(2025, 11, 1), time(6), 1, datetime(2025, 11, 2, 11, tzinfo=UTC)),  # and back
        (date(2025, 11, 1), time(0), 1, datetime(2025, 11, 2, 4, tzinfo=UTC)),
        (date(2025, 12, 31), time(15), 1, datetime(2026, 1, 1, 20, tzinfo=UTC)),
    ],
)
def test_eastern_wall_clock_is_right_across_daylight_saving(
    day: date, at: time, days_later: int, moment: datetime
) -> None:
    assert eastern_moment(day, at, days_later=days_later) == moment


@pytest.mark.parametrize(
    ("moment", "day"),
    [
        (datetime(2025, 1, 16, 4, 59, tzinfo=UTC), date(2025, 1, 15)),
        (datetime(2025, 1, 16, 5, 0, tzinfo=UTC), date(2025, 1, 16)),
        (datetime(2025, 7, 16, 3, 59, tzinfo=UTC), date(2025, 7, 15)),
        (datetime(2025, 7, 16, 4, 0, tzinfo=UTC), date(2025, 7, 16)),
        (datetime(2025, 1, 15, 22, 30, tzinfo=timezone(timedelta(hours=-8))), date(2025, 1, 16)),
    ],
)
def test_late_game_belongs_to_the_eastern_date_on_which_it_began(
    moment: datetime, day: date
) -> None:
    assert eastern_day(moment) == day


@given(day=DAYS, at=st.times(min_value=time(3)))
def test_the_date_of_a_moment_is_the_date_that_it_was_made_of(day: date, at: time) -> None:
    assert eastern_day(eastern_moment(day, at)) == day


def test_partition_names_its_folder_its_lease_and_itself() -> None:
    partition = Partition(dag_id="bdl_box_scores", endpoint="box_scores", day=date(2025, 3, 9))
    assert (partition.prefix, partition.lease, str(partition)) == (
        "bdl_box_scores/2025/03/2025-03-09/box_scores",
        "bdl_box_scores/box_scores/2025-03-09",
        "bdl_box_scores box_scores 2025-03-09",
    )
