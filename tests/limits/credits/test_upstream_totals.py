"""The month and its total are the upstream's: what it says counts, except where it can be about the
month before."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import psycopg
import pytest

from include.limits.allowance import Month
from include.limits.credit_rows import balance
from include.outcome import Later, Outcome
from tests.limits.credits.ledger import (
    ODDS,
    REQUEST_TIMEOUT,
    Clock,
    MakeMeter,
    refused,
    spend,
)

# The month.


def test_a_new_month_is_a_new_allowance_and_the_old_one_is_kept(
    meter: MakeMeter, db: psycopg.Connection[Any], clock: Clock
) -> None:
    live = meter("live")
    spend(live, 500, used=500)
    clock.now = refused(live, 10)[0]
    spend(live, 10)
    assert balance(db, ODDS, date(2026, 1, 31)).committed == 500
    assert balance(db, ODDS, date(2026, 2, 1)).committed == 10


def test_nothing_is_reserved_so_late_that_the_reset_could_come_first(
    meter: MakeMeter, clock: Clock
) -> None:
    live = meter("live")
    reset = datetime(2026, 2, 1, tzinfo=UTC)
    clock.now = reset - REQUEST_TIMEOUT - timedelta(seconds=1)
    live.reserve(ODDS, 10)
    clock.now = reset - REQUEST_TIMEOUT
    assert refused(live, 10) == (reset, 0)


def test_on_the_first_a_total_may_be_last_months_and_does_not_count(
    meter: MakeMeter, db: psycopg.Connection[Any], clock: Clock
) -> None:
    live = meter("live")
    clock.now = datetime(2026, 2, 1, 23, 59, tzinfo=UTC)
    spend(live, 10, used=490)
    assert balance(db, ODDS, clock.now.date()).committed == 10
    spend(live, 10, used=500)
    clock.now = datetime(2026, 2, 2, 0, 10, tzinfo=UTC)
    spend(live, 1, used=25)
    found = balance(db, ODDS, clock.now.date())
    assert (found.committed, found.billed) == (25, 25)


@pytest.mark.parametrize("at", ["00:00", "07:30", "23:59"])
def test_on_the_first_a_refusal_may_be_last_months_and_means_a_wait_of_an_hour(
    meter: MakeMeter, db: psycopg.Connection[Any], clock: Clock, at: str
) -> None:
    live = meter("live")
    clock.now = datetime.fromisoformat(f"2026-02-01T{at}Z")
    again = clock.now + timedelta(hours=1)
    with pytest.raises(Later) as wait:
        live.exhausted(ODDS)
    assert wait.value.args == (
        again,
        "the_odds_api: the upstream still counts last month's credits, it seems: it resets them"
        " on the 1st, at an hour that is not documented; asked again at"
        f" {again:%Y-%m-%d %H:%M} UTC",
        Outcome.QUOTA_WAIT,
    )
    assert balance(db, ODDS, clock.now.date()) == Month(month=date(2026, 2, 1))
    spend(live, 500)


def test_from_the_second_on_a_refusal_is_this_months(meter: MakeMeter, clock: Clock) -> None:
    live = meter("live")
    clock.now = datetime(2026, 2, 2, tzinfo=UTC)
    live.exhausted(ODDS)
    assert refused(live, 1) == (datetime(2026, 3, 1, tzinfo=UTC), 0)


# The upstream is right.


def test_what_somebody_else_used_of_the_key_is_booked_and_counts(
    meter: MakeMeter, db: psycopg.Connection[Any]
) -> None:
    backfill = meter("backfill")
    spend(backfill, 10, used=310)
    assert balance(db, ODDS, date(2026, 1, 15)).billed == 310
    assert refused(backfill, 91) == (datetime(2026, 2, 1, tzinfo=UTC), 90)


def test_a_plan_that_was_raised_counts_at_once(meter: MakeMeter) -> None:
    spend(meter("live"), 500, used=500)
    refused(meter("live"), 10)
    meter("live", monthly=20_000).reserve(ODDS, 10).settle(cost=10, used=510, remaining=19_490)
    spend(meter("backfill", monthly=20_000), 19_000)


def test_a_month_that_the_upstream_calls_used_up_is_used_up_for_all(
    meter: MakeMeter, clock: Clock
) -> None:
    live, backfill = meter("live"), meter("backfill", spread=True)
    live.exhausted(ODDS)
    end = datetime(2026, 2, 1, tzinfo=UTC)
    assert [refused(live, 1), refused(backfill, 1)] == [(end, 0), (end, 0)]
    spend(meter("live", monthly=501), 1)
    clock.now = end
    spend(live, 500)
