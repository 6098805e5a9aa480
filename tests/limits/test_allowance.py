"""What an allowance leaves, for whom and when: arithmetic, checked by cases and by properties."""

from __future__ import annotations

from calendar import monthrange
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from include.limits.allowance import (
    Month,
    more_at,
    next_month,
    project_end,
    project_use,
    reserve_left,
    room,
    room_of_a_month,
    room_today,
    total,
)
from include.sources.spec import Credits

JANUARY = date(2026, 1, 1)
CREDITS = Credits(monthly=500, live_reserve=100)
FRESH = Month(month=JANUARY)


@pytest.mark.parametrize(
    ("month", "live", "backfill"),
    [
        ({}, 500, 400),
        ({"open_backfill": 30, "billed": 70, "spent_backfill": 70}, 400, 300),
        ({"open_live": 30, "billed": 30, "spent_live": 30}, 440, 400),
        ({"billed": 150, "spent_live": 150}, 350, 350),
        ({"billed": 100}, 400, 300),
        ({"billed": 400, "spent_backfill": 400}, 100, 0),
        ({"billed": 460, "spent_backfill": 400, "spent_live": 60}, 40, 0),
        ({"billed": 700}, 0, 0),
    ],
    ids=[
        "nothing was used",
        "backfills used a quarter",
        "live runs used part of their reserve",
        "live runs used more than their reserve",
        "somebody else used the key",
        "backfills used all that is theirs",
        "the reserve that live runs have used is not reserved again",
        "the upstream let somebody overdraw",
    ],
)
def test_backfills_leave_live_runs_what_is_left_of_their_reserve(
    month: dict[str, int], live: int, backfill: int
) -> None:
    stands = replace(FRESH, **month)
    assert (room(stands, CREDITS, "live"), room(stands, CREDITS, "backfill")) == (live, backfill)


def test_a_plan_that_is_smaller_than_declared_counts() -> None:
    told = FRESH.told(1, 20, 280, declared=500)
    assert (total(told, CREDITS), room(told, CREDITS, "backfill")) == (300, 180)
    assert room_of_a_month(told, CREDITS, "backfill") == 200


def test_a_plan_that_is_larger_than_declared_does_not() -> None:
    assert total(FRESH.told(1, 20, 19_980, declared=500), CREDITS) == 500


def test_a_raised_plan_outranks_what_the_upstream_said_of_the_old_one() -> None:
    raised = Credits(monthly=20_000, live_reserve=100)
    told = FRESH.told(1, 500, 0, declared=500)
    assert (room(told, CREDITS, "live"), room(told, raised, "live")) == (0, 19_500)
    exhausted = replace(FRESH, exhausted_under=500)
    assert (room(exhausted, CREDITS, "live"), room(exhausted, raised, "live")) == (0, 20_000)


def test_totals_without_what_remains_say_nothing_of_the_plan() -> None:
    assert FRESH.told(7, 20, None, declared=500) == replace(FRESH, billed=20)


def test_a_total_of_an_answer_that_was_overtaken_never_lowers_the_bill() -> None:
    later = replace(FRESH, last_reservation=3).told(3, 70, None, declared=500)
    assert later.told(2, 10, None, declared=500).billed == 70
    assert later.told(4, 60, None, declared=500).billed == 60


@pytest.mark.parametrize(
    ("since", "used", "today", "expected"),
    [
        (1, 0, 1, 13),
        (1, 10, 1, 3),
        (1, 10, 2, 16),
        (1, 13, 31, 387),
        (20, 0, 20, 34),
        (20, 34, 21, 33),
        (31, 0, 31, 400),
        (1, 50, 2, 0),
    ],
    ids=[
        "a thirty-first on the first day",
        "less what today used",
        "what yesterday left comes on top",
        "the last day has all that is left",
        "who starts late has larger shares",
        "and equal ones",
        "who starts on the last day has all",
        "a day that used more than its share is made up for",
    ],
)
def test_a_backfill_has_an_equal_share_a_day_and_what_days_before_left(
    since: int, used: int, today: int, expected: int
) -> None:
    month = replace(FRESH, backfill_since=date(2026, 1, since), billed=used, spent_backfill=used)
    assert room_today(month, CREDITS, date(2026, 1, today)) == expected


months = st.builds(
    lambda first, billed, open_live, open_backfill, spent, since: Month(
        month=first,
        billed=billed,
        open_live=open_live,
        open_backfill=open_backfill,
        spent_backfill=min(spent, billed),
        backfill_since=first + timedelta(days=since),
    ),
    st.sampled_from([date(2024, 2, 1), date(2025, 2, 1), date(2026, 1, 1), date(2026, 4, 1)]),
    *(st.integers(0, 300) for _ in range(4)),
    st.integers(0, 27),
)
allowances = st.builds(
    lambda monthly, reserve: Credits(monthly=monthly, live_reserve=reserve),
    st.integers(1, 20_000),
    st.integers(0, 600),
)


def days_from(month: Month) -> list[date]:
    assert month.backfill_since is not None
    last = month.month.replace(day=monthrange(month.month.year, month.month.month)[1])
    return [
        month.backfill_since + timedelta(days=n)
        for n in range((last - month.backfill_since).days + 1)
    ]


@given(months, allowances)
def test_shares_grow_by_the_day_and_the_last_day_has_all_that_is_left(
    month: Month, credits: Credits
) -> None:
    shares = [room_today(month, credits, day) for day in days_from(month)]
    assert shares == sorted(shares)
    assert shares[-1] == room(month, credits, "backfill")


@given(months, allowances)
def test_a_backfill_that_takes_every_share_takes_what_it_has_to_the_credit(
    month: Month, credits: Credits
) -> None:
    left = room(month, credits, "backfill")
    taken = 0
    for day in days_from(month):
        share = room_today(month, credits, day)
        taken += share
        month = replace(
            month, billed=month.billed + share, spent_backfill=month.spent_backfill + share
        )
    assert taken == left


@given(months, allowances, st.integers(1, 400), st.integers(0, 30))
def test_the_moment_that_is_named_is_the_first_day_on_which_it_fits(
    month: Month, credits: Credits, cost: int, at: int
) -> None:
    days = days_from(month)
    today = days[at % len(days)]
    assume(cost > room_today(month, credits, today))
    fitting = [day for day in days if day > today and cost <= room_today(month, credits, day)]
    expected = fitting[0] if fitting else next_month(today)
    assert more_at(month, credits, "backfill", cost, today) == datetime(
        expected.year, expected.month, expected.day, tzinfo=UTC
    )


def test_live_runs_wait_for_the_next_month() -> None:
    full = Month(month=date(2026, 12, 1), billed=495)
    assert more_at(full, CREDITS, "live", 10, date(2026, 12, 31)) == datetime(
        2027, 1, 1, tzinfo=UTC
    )


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        (date(2024, 2, 29), date(2024, 3, 1)),
        (date(2025, 12, 31), date(2026, 1, 1)),
        (date(2026, 1, 31), date(2026, 2, 1)),
        (date(2026, 4, 1), date(2026, 5, 1)),
    ],
)
def test_the_next_month_begins_on_its_first_day(day: date, expected: date) -> None:
    assert next_month(day) == expected


@pytest.mark.parametrize(
    ("used", "day", "projected", "end"),
    [
        ({}, 16, 0, None),
        ({"billed": 100, "open_backfill": 50}, 16, 310, None),
        ({"billed": 300}, 16, 620, date(2026, 1, 26)),
        ({"billed": 40}, 1, 1240, date(2026, 1, 12)),
        ({"billed": 500}, 16, 1033, date(2026, 1, 16)),
    ],
    ids=["nothing used", "it suffices", "it does not", "the first day counts whole", "used up"],
)
def test_the_months_end_is_projected_at_its_pace_so_far(
    used: dict[str, int], day: int, projected: int, end: date | None
) -> None:
    month, now = replace(FRESH, **used), datetime(2026, 1, day, tzinfo=UTC)
    assert (project_use(month, now), project_end(month, CREDITS, now)) == (projected, end)


def test_what_is_kept_for_live_runs_is_what_they_have_not_used() -> None:
    kept = [replace(FRESH, spent_live=n, open_live=20) for n in (0, 50, 90)]
    assert [reserve_left(month, CREDITS) for month in kept] == [80, 30, 0]
