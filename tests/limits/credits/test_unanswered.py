"""Requests whose process died, or whose answer brought no total, stay counted until a later answer
brings the bill."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import psycopg
import pytest

from include.limits.credit_rows import balance
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


@pytest.mark.parametrize("billed", [0, 10])
def test_a_dead_processs_reservation_counts_until_a_later_answer_brings_the_bill(
    meter: MakeMeter, db: psycopg.Connection[Any], clock: Clock, billed: int
) -> None:
    meter("backfill").reserve(ODDS, 10)  # and never more of it
    live = meter("live")
    clock.now = NOON + REQUEST_TIMEOUT
    spend(live, 5, used=billed + 5)
    assert balance(db, ODDS, NOON.date()).committed == billed + 15  # it could still be on its way
    clock.now = NOON + REQUEST_TIMEOUT + timedelta(seconds=1)
    spend(live, 5, used=billed + 10)
    assert balance(db, ODDS, NOON.date()).committed == billed + 10
    assert open_reservations(db) == 0


def test_an_answer_that_began_before_a_process_can_be_called_dead_does_not_close_its_reservation(
    meter: MakeMeter, db: psycopg.Connection[Any], clock: Clock
) -> None:
    live = meter("live")
    live.reserve(ODDS, 10)
    slow = live.reserve(ODDS, 5)
    clock.now = NOON + REQUEST_TIMEOUT + timedelta(seconds=1)
    slow.settle(cost=5, used=5, remaining=495)
    assert balance(db, ODDS, NOON.date()).committed == 15


def test_an_answer_without_totals_counts_as_told_until_totals_come(
    meter: MakeMeter, db: psycopg.Connection[Any], clock: Clock
) -> None:
    live = meter("live")
    live.reserve(ODDS, 10).settle(cost=10, used=None)
    spend(live, 5, used=5)
    assert balance(db, ODDS, NOON.date()).committed == 15
    clock.now = NOON + REQUEST_TIMEOUT + timedelta(seconds=1)
    spend(live, 5, used=10)
    assert balance(db, ODDS, NOON.date()).committed == 10


def test_an_unanswered_live_request_that_was_not_billed_leaves_the_reserve_as_it_was(
    meter: MakeMeter, clock: Clock
) -> None:
    backfill = meter("backfill")
    meter("live").reserve(ODDS, 60).settle(cost=60, used=None)
    clock.now = NOON + REQUEST_TIMEOUT + timedelta(seconds=1)
    spend(backfill, 1, used=1)
    assert refused(backfill, 400)[1] == 399


def test_an_unanswered_request_of_a_backfill_counts_for_its_days_share(
    meter: MakeMeter, clock: Clock
) -> None:
    backfill = meter("backfill", spread=True)
    backfill.reserve(ODDS, 10).settle(cost=10, used=None)
    clock.now = NOON + REQUEST_TIMEOUT + timedelta(seconds=1)
    spend(backfill, 1, used=1)
    assert refused(backfill, 20)[1] == 14


def test_a_process_that_wakes_up_after_it_was_called_dead_is_billed_by_its_answer(
    meter: MakeMeter, db: psycopg.Connection[Any], clock: Clock
) -> None:
    live = meter("live")
    stopped = live.reserve(ODDS, 10)
    clock.now = NOON + REQUEST_TIMEOUT + timedelta(seconds=1)
    spend(live, 5, used=5)
    stopped.settle(cost=10, used=15, remaining=485)
    assert balance(db, ODDS, NOON.date()).committed == 15


def test_answers_that_overtake_each_other_leave_the_later_bill(
    meter: MakeMeter, db: psycopg.Connection[Any]
) -> None:
    live = meter("live")
    first, second, third = (live.reserve(ODDS, 10) for _ in range(3))
    second.settle(cost=10, used=30, remaining=470)  # the upstream had billed all three by then
    assert balance(db, ODDS, NOON.date()).committed == 50
    third.settle(cost=10, used=20, remaining=480)
    first.settle(cost=10, used=10, remaining=490)
    assert balance(db, ODDS, NOON.date()).committed == 30
