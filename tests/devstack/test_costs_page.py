"""docs/costs.md: its dollars are those of the price table, its credits those of docs/operate.md."""

from __future__ import annotations

import re
from math import ceil

from include.guards.prices import (
    BILLED,
    CREDIT_PLANS,
    GIB,
    MIN_BILLED,
    OBJECTS,
    READS,
    TABLES,
    TIB,
    WRITES,
    smallest_plan,
)
from include.limits.allowance import allotment
from include.sources.spec import Credits
from include.warehouse.bigquery.warehouse import MAX_GIB
from tests.devstack.test_readme import ROOT

OPERATE = (ROOT / "docs" / "operate.md").read_text()
PAGE = " ".join((ROOT / "docs" / "costs.md").read_text().split())
DATES, GAMES_PER_DATE = 165, 7
JOBS = 7
"""Of a date's first load (tests/steps/test_bigquery_line.py counts them)."""
FETCH = (5, 10)
"""Writes with listings, and reads, of a date of two bodies (tests/steps/test_in_bucket.py)."""


def test_plans_of_the_choices_are_the_smallest_that_have_the_credits() -> None:
    prices = dict(re.findall(r"^\| `(\{.*\})` \| ([\d,]+) \|$", OPERATE, re.MULTILINE))
    rows = re.findall(r"\| `(\{.*?\})` \| ([\d,]+) \| (\w+) \| (\d+) \|", PAGE)
    plans = {extra: smallest_plan(int(told.replace(",", ""))) for extra, told in prices.items()}
    assert {extra: tuple(rest) for extra, *rest in rows} == {
        extra: (told, plans[extra].name, f"{plans[extra].dollars:g}")
        for extra, told in prices.items()
    }
    dollars = [plan.dollars for plan in plans.values()]
    assert f"| The Odds API | {min(dollars):g} to {max(dollars):g}, below |" in PAGE
    assert f"({CREDIT_PLANS[0].credits} credits)" in PAGE


def test_days_of_a_spread_backfill_follow_from_its_share() -> None:
    plan = smallest_plan(54_480)
    share = allotment(Credits(monthly=plan.credits, live_reserve=5_000, spread=True), "backfill")
    assert f"that is {share:,} a day" in PAGE
    assert f"takes {ceil(54_480 / share)} days, or one" in PAGE
    assert f"two months of the {plan.name} plan: {2 * plan.dollars:g} dollars" in PAGE
    assert plan.credits < 108_630 <= 2 * plan.credits


def test_bigquery_costs_what_its_jobs_are_billed_at_least() -> None:
    billed = JOBS * MIN_BILLED
    assert f"is {JOBS} jobs: one load" in PAGE
    assert f"{billed // 2**20} MiB a date are an upper bound: {BILLED.pay(billed):.4f}" in PAGE
    assert f"| BigQuery, one table | {BILLED.pay(DATES * billed):.2f} for" in PAGE
    assert f"of a month is {TIB // billed:,} dates" in PAGE
    assert f"({MAX_GIB} GiB: {100 * BILLED.pay(MAX_GIB * GIB):.0f} cents)" in PAGE
    assert BILLED.free == TIB


def test_operations_and_storage_cost_what_the_table_says() -> None:
    writes, reads = FETCH
    once = WRITES.pay(writes) + READS.pay(reads)
    assert f"{writes} writes and listings (class A) and {reads} reads (class B)" in PAGE
    assert f": {once:.5f} dollars." in PAGE
    per_game = GAMES_PER_DATE + 3
    assert f"of {GAMES_PER_DATE} games is {per_game} writes and listings" in PAGE
    assert f"a season {WRITES.pay(DATES * per_game):.2f}." in PAGE
    assert f"a date | {DATES * once:.3f} for operations |" in PAGE
    assert f"| {OBJECTS.pay(1e9):.2f} a month for each GB" in PAGE
    assert f"| {TABLES.pay(GIB):.2f} a month for each GiB, half of it 90 days" in PAGE
