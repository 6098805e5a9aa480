"""Quiet hours by an injected clock: over both changes of daylight saving time, on dates with and
without games, at both ends."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from include.guards.quiet_hours import (
    QuietHours,
    assume_games,
    choose_quiet_hours,
    find_end,
    in_quiet_hours,
    next_open,
    parse_quiet_hours,
)

PACIFIC = ZoneInfo("US/Pacific")
USUAL = QuietHours()
SECOND = timedelta(seconds=1)


def always(day: date) -> bool:
    return True


def never(day: date) -> bool:
    return False


@pytest.mark.parametrize(
    ("day", "begin", "end"),
    [
        (date(2025, 3, 8), "2025-03-09T02:00", "2025-03-09T07:00"),  # the eve of summer time
        (date(2025, 3, 9), "2025-03-10T01:00", "2025-03-10T06:00"),
        (date(2025, 11, 1), "2025-11-02T01:00", "2025-11-02T06:00"),
        (date(2025, 11, 2), "2025-11-03T02:00", "2025-11-03T07:00"),  # winter time since 2:00
    ],
)
def test_they_are_five_hours_by_pacific_clocks_on_both_sides_of_each_change(
    day: date, begin: str, end: str
) -> None:
    first, last = (datetime.fromisoformat(each).replace(tzinfo=UTC) for each in (begin, end))
    assert USUAL.bounds(day) == (first, last)
    asked = {m: in_quiet_hours(m, USUAL, always) for m in (first - SECOND, first, last - SECOND)}
    assert [*asked.values(), in_quiet_hours(last, USUAL, always)] == [False, True, True, False]


def test_they_end_at_their_end_and_what_is_open_is_open_now() -> None:
    first, last = USUAL.bounds(date(2025, 1, 15))
    moments = (first - SECOND, first, last - SECOND, last)
    assert [next_open(m, USUAL, always) for m in moments] == [first - SECOND, last, last, last]


def test_date_without_games_has_none() -> None:
    at = datetime(2025, 1, 15, 20, tzinfo=PACIFIC)
    assert next_open(at, USUAL, never) == at
    asked = []
    in_quiet_hours(at, USUAL, lambda day: bool(asked.append(day)))
    assert asked == [date(2025, 1, 15)]  # the game date: in New York it is 23:00


def test_hours_over_midnight_are_of_the_date_on_which_they_began() -> None:
    night = QuietHours(begin=time(22), end=time(2))
    late = datetime(2025, 1, 16, 1, tzinfo=PACIFIC)
    games = {date(2025, 1, 15)}
    assert next_open(late, night, games.__contains__) == datetime(2025, 1, 16, 10, tzinfo=UTC)
    assert not in_quiet_hours(late + timedelta(days=1), night, games.__contains__)


def test_hour_that_the_clock_shows_twice_is_quiet_twice() -> None:
    night = QuietHours(begin=time(0), end=time(1, 30))
    begin, end = night.bounds(date(2025, 11, 2))
    assert end - begin == timedelta(hours=2, minutes=30)


def test_dag_without_them_is_always_open() -> None:
    at = datetime(2025, 1, 15, 20, tzinfo=PACIFIC)
    assert next_open(at, None, always) == at
    assert find_end(at, timedelta(hours=9), None, always) == at + timedelta(hours=9)


@pytest.mark.parametrize(
    ("hours", "ends"),
    [
        (2, "2025-03-08T18:00"),  # just done when they begin
        (3, "2025-03-09T00:00"),
        (20, "2025-03-09T18:00"),  # 18 of the day that has 23, less their five
        (21, "2025-03-10T00:00"),
    ],
)
def test_work_ends_later_by_the_quiet_hours_that_it_meets(hours: int, ends: str) -> None:
    start = datetime(2025, 3, 8, 16, tzinfo=PACIFIC)
    found = find_end(start, timedelta(hours=hours), USUAL, always)
    assert found
    assert found.astimezone(PACIFIC).isoformat()[:16] == ends


def test_work_that_starts_in_them_starts_at_their_end() -> None:
    start = datetime(2025, 1, 15, 20, tzinfo=PACIFIC)
    found = find_end(start, timedelta(hours=1), USUAL, always)
    assert found == datetime(2025, 1, 16, tzinfo=PACIFIC)


def test_work_that_never_finds_time_has_no_end() -> None:
    whole_day = QuietHours(begin=time(0), end=time(0))
    assert find_end(datetime(2025, 1, 15, tzinfo=UTC), SECOND, whole_day, always) is None


def test_unknown_date_has_games_in_the_months_of_a_season() -> None:
    assert [m for m in range(1, 13) if assume_games(date(2026, m, 1))] == [*range(1, 7), 10, 11, 12]


def test_each_dag_may_have_its_own_or_none() -> None:
    stated = parse_quiet_hours(
        '{"a": {"begin": "17:30", "zone": "US/Eastern"}, "b": null, "*": {"end": "22:00"}}'
    )
    assert [choose_quiet_hours(stated, dag_id) for dag_id in ("a", "b", "c")] == [
        QuietHours(begin=time(17, 30), zone=ZoneInfo("US/Eastern")),
        None,
        QuietHours(end=time(22)),
    ]
    assert choose_quiet_hours(parse_quiet_hours(""), "a") == USUAL


@pytest.mark.parametrize(
    "text",
    [
        *("[]", "{", '{"a": 5}', '{"a": {"from": "18:00"}}', '{"a": {"end": "25:00"}}'),
        *('{"a": {"zone": "US/Nowhere"}}', '{"a": {"end": 23}}', '{"a": {"zone": "US"}}'),
        *('{"a": {"begin": "18:00+02:00"}}', '{"a": {"end": "23:00Z"}}'),
        *('{"a": {"begin": "23:00"}}', '{"a": {"begin": "00:00", "end": "00:00"}}'),
    ],
)
def test_what_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_quiet_hours(text)
