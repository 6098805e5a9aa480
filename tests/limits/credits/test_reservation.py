"""A credit is reserved before a request and settled after it; what does not fit waits."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import psycopg
import pytest

from include.errors import ErrorClass, Problem
from include.limits.allowance import Month, Purpose
from include.limits.credit_rows import balance
from include.outcome import Later, Outcome
from tests.limits.credits.ledger import (
    NOON,
    ODDS,
    REQUEST_TIMEOUT,
    Clock,
    MakeMeter,
    open_reservations,
    refused,
    spend,
)

# One request after the other.


def test_a_request_is_reserved_at_its_most_and_settled_at_its_cost(
    meter: MakeMeter, db: psycopg.Connection[Any]
) -> None:
    backfill = meter("backfill")
    reservation = backfill.reserve(ODDS, 30)
    assert balance(db, ODDS, NOON.date()).open_backfill == 30
    reservation.settle(cost=20, used=20, remaining=480)
    found = balance(db, ODDS, NOON.date())
    assert found == Month(
        month=date(2026, 1, 1),
        billed=20,
        spent_backfill=20,
        backfill_since=date(2026, 1, 15),
        upstream_total=500,
        told_under=500,
        last_reservation=found.last_reservation,
        settled_through=found.last_reservation,
    )


def test_a_request_that_was_not_sent_costs_nothing(
    meter: MakeMeter, db: psycopg.Connection[Any]
) -> None:
    meter("live").reserve(ODDS, 30).refund()
    assert balance(db, ODDS, NOON.date()).committed == 0
    assert open_reservations(db) == 0


@pytest.mark.parametrize("used", [None, 20])
def test_closing_a_reservation_again_changes_nothing(
    meter: MakeMeter, db: psycopg.Connection[Any], used: int | None
) -> None:
    reservation = meter("live").reserve(ODDS, 30)
    reservation.settle(cost=20, used=used)
    before = balance(db, ODDS, NOON.date())
    reservation.settle(cost=20, used=used)
    reservation.refund()
    assert balance(db, ODDS, NOON.date()) == before


def test_an_account_without_credits_is_a_mistake_of_the_program(meter: MakeMeter) -> None:
    with pytest.raises(KeyError, match="no credits are declared for 'balldontlie': known are"):
        meter("live").reserve("balldontlie", 1)


def test_a_month_without_a_request_is_empty(db: psycopg.Connection[Any]) -> None:
    assert balance(db, ODDS, date(2026, 3, 9)) == Month(month=date(2026, 3, 1))


def test_a_lost_connection_is_replaced(meter: MakeMeter, db: psycopg.Connection[Any]) -> None:
    live = meter("live")
    reservation = live.reserve(ODDS, 10)
    db.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE pid <> pg_backend_pid() AND datname = current_database()"
    )
    reservation.settle(cost=10, used=10, remaining=490)
    assert balance(db, ODDS, NOON.date()).billed == 10


# What does not fit.


def test_backfills_stop_at_the_reserve_and_live_runs_at_the_allowance(meter: MakeMeter) -> None:
    backfill, live = meter("backfill"), meter("live")
    spend(backfill, 390, used=390)
    assert refused(backfill, 11) == (datetime(2026, 2, 1, tzinfo=UTC), 10)
    spend(backfill, 10, used=400)
    assert refused(backfill, 1) == (datetime(2026, 2, 1, tzinfo=UTC), 0)
    spend(live, 95, used=495)
    assert refused(live, 10) == (datetime(2026, 2, 1, tzinfo=UTC), 5)


def test_what_does_not_fit_today_waits_for_the_day_on_which_it_does(
    meter: MakeMeter, clock: Clock
) -> None:
    backfill = meter("backfill", spread=True)
    assert refused(backfill, 50) == (datetime(2026, 1, 17, tzinfo=UTC), 24)
    spend(backfill, 20, used=20)
    clock.now = datetime(2026, 1, 17, 0, 0, 1, tzinfo=UTC)
    spend(backfill, 50, used=70)
    assert refused(backfill, 10) == (datetime(2026, 1, 18, tzinfo=UTC), 1)


def test_live_runs_do_not_wait_for_the_days_share(meter: MakeMeter) -> None:
    spend(meter("live", spread=True), 500, used=500)


@pytest.mark.parametrize(("purpose", "cost", "most"), [("backfill", 401, 400), ("live", 501, 500)])
def test_a_request_that_fits_into_no_month_is_a_problem_that_says_so(
    meter: MakeMeter, db: psycopg.Connection[Any], purpose: Purpose, cost: int, most: int
) -> None:
    with pytest.raises(Problem) as failed:
        meter(purpose).reserve(ODDS, cost)
    assert failed.value == Problem(
        error_class=ErrorClass.QUOTA_EXHAUSTED,
        message=(
            f"one request can cost {cost} credits of the_odds_api, and {purpose} runs have {most}"
            " in a whole month: ask for fewer markets or regions at a time; or, after buying a"
            ' larger plan, raise {"credits": {"monthly": ..., "live_reserve": ...}} in the'
            " connection's extra"
        ),
        source=ODDS,
    )
    assert open_reservations(db) == 0


def test_who_just_misses_what_is_under_way_comes_back_in_a_minute(
    meter: MakeMeter, clock: Clock
) -> None:
    live = meter("live")
    under_way = live.reserve(ODDS, 495)
    assert refused(live, 10) == (NOON + timedelta(minutes=1), 5)
    clock.pass_(minutes=1)
    under_way.settle(cost=490, used=490, remaining=10)
    spend(live, 10, used=500)
    assert refused(live, 10) == (datetime(2026, 2, 1, tzinfo=UTC), 0)


def test_nobody_comes_back_soon_for_what_a_dead_process_reserved(
    meter: MakeMeter, clock: Clock
) -> None:
    live = meter("live")
    live.reserve(ODDS, 495)
    clock.now = NOON + REQUEST_TIMEOUT + timedelta(seconds=1)
    assert refused(live, 10) == (datetime(2026, 2, 1, tzinfo=UTC), 5)


def test_the_wait_says_what_is_left(meter: MakeMeter) -> None:
    spend(meter("live"), 493)
    with pytest.raises(Later) as wait:
        meter("live").reserve(ODDS, 30)
    assert wait.value.args == (
        datetime(2026, 2, 1, tzinfo=UTC),
        "the_odds_api: the request needs up to 30 credits and 7 may be used now;"
        " more can be free at 2026-02-01 00:00 UTC; after buying a larger plan, raise"
        ' {"credits": {"monthly": ..., "live_reserve": ...}} in the connection\'s extra,'
        " then run `airflow nba resume the_odds_api`",
        Outcome.QUOTA_WAIT,
    )
