"""A date that costs more than is allotted to one is refused before anything is bought."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from devstack.sandbox.server import running
from include.limits.allowance import LARGER_PLAN, Purpose
from include.sources.spec import Credits, Source
from include.steps.price import Allotment, Price, price_date
from tests.steps.chosen import DAY, GAMES, Chosen
from tests.steps.specs import specs_of_dags

MAIN = {"markets": "main"}
PROPS, LINES = 1 + 40 * GAMES, 31
SPREAD = Credits(monthly=500, live_reserve=100)
AT_ONCE = replace(SPREAD, spread=False)
FEWER = "ask for fewer markets or regions"


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Source]:
    with specs_of_dags(tmp_path_factory.mktemp("airflow")) as found:
        yield found["odds_api_props"]


@pytest.fixture
def props(source: Source, ops_db: str, tmp_path: Path) -> Iterator[Chosen]:
    settings = {"limits": {"the_odds_api": []}, "monthly_credits": 1_000_000}
    with running(tmp_path, now="2026-03-15T20:00:00Z", **settings) as sandbox:
        yield Chosen(source=source, sandbox=sandbox, ops_db=ops_db, folder=tmp_path)


def allotment(credits: Credits, purpose: Purpose = "backfill") -> Allotment:
    return Allotment(connection="the_odds_api", credits=credits, purpose=purpose)


def prices(credits: int) -> list[Price]:
    return [
        Price(endpoint="player_props", lists=1, items=(credits - 1) // 10, each=10),
        Price(endpoint="game_lines", lists=0, items=0, each=30),
    ]


def test_date_that_is_too_dear_is_refused_with_the_arithmetic_before_any_request(
    props: Chosen,
) -> None:
    props.schedule()
    row = props.run(MAIN, credits=SPREAD)
    assert (row.outcome, row.error_class, row.requests) == ("failed", "quota_exhausted", 0)
    assert row.message == (
        f"2025-01-15 can cost {PROPS + LINES} credits of the_odds_api with its {GAMES} games"
        f" (player_props 1 + {4 * GAMES} x 10, game_lines 1 + 1 x 30), and backfills get 13 a day"
        f' ((500 - 100) / 30): {FEWER}, or set "spread": false there to let backfills use the'
        f" month's 400 at once; or, {LARGER_PLAN}"
    )
    assert props.asked() == (Counter(), 0)


def test_date_whose_games_only_its_list_tells_is_refused_before_the_first_game_is_bought(
    props: Chosen,
) -> None:
    row = props.run(MAIN, credits=SPREAD)
    assert (row.outcome, row.credits) == ("failed", 1)
    assert f"with its {GAMES} games (player_props 0 + {4 * GAMES} x 10," in row.message
    assert props.asked() == (Counter(list=1), 1)


def test_date_that_just_fits_is_bought_and_the_next_market_alone_is_priced(props: Chosen) -> None:
    props.schedule()
    exact = Credits(monthly=PROPS + LINES, live_reserve=0, spread=False)
    short = replace(exact, monthly=exact.monthly - 1)
    assert props.run(MAIN, credits=short).error_class == "quota_exhausted"
    assert props.run(MAIN, credits=exact).outcome == "complete"
    found = price_date(
        props.wanted({"markets": ["main", "player_blocks"]}), DAY, GAMES, props.stores.raw
    )
    assert list(map(str, found)) == [f"player_props 0 + {GAMES} x 10", "game_lines 1 + 1 x 30"]
    again = price_date(props.wanted(MAIN), DAY, GAMES, props.stores.raw)
    assert [price.credits for price in again] == [0, 31]
    order = datetime(2026, 3, 16, tzinfo=UTC)
    fresh = price_date(props.wanted(MAIN), DAY, GAMES, props.stores.raw, ordered_at=order)
    assert [price.credits for price in fresh] == [PROPS, LINES]


def test_date_that_was_bought_in_part_costs_what_it_lacks(props: Chosen) -> None:
    props.schedule()
    order = {"kind": "missing_game", "endpoint": "event_odds", "after": 2, "times": 3}
    props.sandbox.faults([order])
    assert props.run(MAIN).outcome == "partial"
    found = price_date(props.wanted(MAIN), DAY, GAMES, props.stores.raw)
    assert str(found[0]) == "player_props 0 + 3 x 10"


@pytest.mark.parametrize(
    ("credits", "purpose", "most", "said"),
    [
        (SPREAD, "backfill", 13, "backfills get 13 a day ((500 - 100) / 30)"),
        (AT_ONCE, "backfill", 400, "backfills get 400 a month (500 - 100)"),
        (SPREAD, "live", 500, "live runs get 500 a month"),
        (Credits(monthly=20_000, live_reserve=500), "backfill", 650, "get 650 a day"),
    ],
)
def test_allotment_is_a_days_share_or_the_months(
    credits: Credits, purpose: Purpose, most: int, said: str
) -> None:
    found = allotment(credits, purpose)
    assert (found.most, said in found.word()) == (most, True)
    assert found.refuse(date(2025, 1, 15), 8, prices(most)) == ""


@pytest.mark.parametrize(
    ("credits", "purpose", "cost", "repair"),
    [
        (SPREAD, "backfill", 381, f'{FEWER}, or set "spread": false there to let backfills use'),
        (SPREAD, "backfill", 411, f"{FEWER}; or, after"),
        (AT_ONCE, "backfill", 411, f"{FEWER}; or, after"),
        (SPREAD, "live", 511, f"{FEWER}; or, after"),
    ],
)
def test_repair_is_one_that_helps(
    credits: Credits, purpose: Purpose, cost: int, repair: str
) -> None:
    assert repair in allotment(credits, purpose).refuse(date(2025, 1, 15), 8, prices(cost))
