"""Prices: what amounts cost, and that every price says whose it is and of when."""

from __future__ import annotations

import re
from dataclasses import astuple

import pytest

from include.guards.prices import (
    CREDIT_PLANS,
    GB,
    GIB,
    MIN_BILLED,
    PRICES,
    TIB,
    Amounts,
    Money,
    money,
    months,
    smallest_plan,
)


def test_each_amount_has_its_own_price() -> None:
    found = money(
        Amounts(
            credits=10_000,
            billed=2 * TIB,
            writes=2000,
            reads=10_000,
            raw_bytes=50 * GB,
            table_bytes=100 * GIB,
        ),
        monthly_credits=20_000,
    )
    assert astuple(found) == pytest.approx((15.0, 12.5, 0.014, 3.0))
    assert found.once == pytest.approx(15.0 + 12.5 + 0.014)


def test_nothing_costs_nothing() -> None:
    assert money(Amounts()) == Money(credits=0, queries=0, operations=0, monthly=0)


def test_swap_of_a_date_and_the_writes_of_a_season_cost_what_was_worked_out_by_hand() -> None:
    assert money(Amounts(billed=2 * MIN_BILLED)).queries == pytest.approx(0.00012, rel=0.01)
    assert money(Amounts(writes=24_600)).operations == pytest.approx(0.123)


@pytest.mark.parametrize(
    ("monthly", "dollars"),
    [(0, 0), (500, 0), (20_000, 15), (15_000, 15), (100_000, 5.9), (99_000_000, 0.166)],
)
def test_credit_costs_its_share_of_the_plan_that_was_bought(monthly: int, dollars: float) -> None:
    assert money(Amounts(credits=10_000), monthly_credits=monthly).credits == pytest.approx(dollars)


def test_smallest_plan_for_a_season_of_one_market_is_named() -> None:
    plan = smallest_plan(13_424)
    assert (plan.name, plan.dollars) == ("20K", 30)
    assert [plan.name for plan in CREDIT_PLANS] == ["500", "20K", "100K", "5M", "15M"]
    assert (months(13_424, 500), months(13_424, 20_000), months(1, 0)) == (27, 1, None)


def test_every_price_has_its_source_and_its_month() -> None:
    for price in (*PRICES, *CREDIT_PLANS):
        assert re.fullmatch(r"20\d\d-\d\d|undated", price.of), price
        assert re.match(r"[a-z.-]+\.com\b", price.source), price
    assert len({price.what for price in PRICES}) == len(PRICES)
