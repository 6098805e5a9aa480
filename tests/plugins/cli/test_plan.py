"""The plan of a backfill: told before it starts and by a command of its own, and refused where it
cannot be afforded."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import date
from typing import Any

import pytest

from include.parsing.nbacom import SCHEDULE
from include.steps.job import Stores
from nba_airflow.cli.backfill import backfill
from nba_airflow.cli.gaps import gaps
from nba_airflow.cli.plan import plan
from tests.checks.told import scheduled
from tests.plugins.cli.asking import Call
from tests.plugins.cli.test_backfill import ARGUMENTS, read_books
from tests.plugins.scheduling import bag_since, live_day, scheduler

DAG = "odds_api_props"
FIRST, SECOND, THIRD = date(2025, 1, 15), date(2025, 1, 16), date(2025, 1, 17)
WINDOW = ARGUMENTS | {
    "dag_id": DAG,
    "start_date": str(FIRST),
    "end_date": str(THIRD),
    "unpause": True,
    "reason": "",
}
DRY = WINDOW | {"dry_run": True}
BOUGHT = {"monthly": 20_000, "live_reserve": 500, "spread": False}

Choose = Callable[..., None]


@pytest.fixture(autouse=True)
def paused_dag(books: str, stores: Stores) -> Iterator[None]:
    """Of the three dates the first has two games, the second none, and the third nobody knows."""
    games = [scheduled(FIRST, name, name) for name in ("BOS@NYK", "LAL@DEN")]
    stores.warehouse.replace(SCHEDULE, FIRST, games)
    stores.warehouse.replace(SCHEDULE, SECOND, [])
    with scheduler(bag_since(live_day(2)), DAG):
        yield


@pytest.fixture
def choose(monkeypatch: pytest.MonkeyPatch) -> Choose:
    def define(**extra: Any) -> None:
        fields = {"conn_type": "http", "password": "very-secret", "extra": extra}
        monkeypatch.setenv("AIRFLOW_CONN_THE_ODDS_API", json.dumps(fields))

    return define


@pytest.mark.parametrize(
    ("extra", "a_game", "a_date"),
    [
        ({}, 10, 32),
        ({"markets": "main"}, 40, 32),
        ({"markets": "main", "regions": ["us", "eu"]}, 80, 62),
        ({"markets": "main", "game_lines": "each_game"}, 70, 2),
    ],
)
def test_dry_run_tells_the_credits_of_the_markets_and_regions_that_are_wanted(
    call: Call, choose: Choose, extra: dict[str, Any], a_game: int, a_date: int
) -> None:
    choose(credits=BOUGHT, **extra)
    of_an_off_day = 2  # the lists
    credits = 2 * a_game + a_date + of_an_off_day + 7 * a_game + a_date
    said = call(backfill, **DRY)
    lines = said.out.splitlines()
    assert (said.code, lines[2:4]) == (
        0,
        [
            "  9 games on 2 dates; without games: 2025-01-16",
            (
                "  not in the schedule yet: 2025-01-17; their tasks get it first, with one request"
                " a season; 7 games each are assumed (backfill nbacom_schedule before, for their"
                " true number)"
            ),
        ],
    )
    assert lines[6] == "  requests that are free now: the_odds_api 30"
    assert lines[5] == (f"  up to {credits:,} credits of the_odds_api; 19,500 can be used now")
    window = {"dag_id": DAG, "start_date": str(FIRST), "end_date": str(THIRD), "spread": False}
    asked = call(plan, **window)
    assert (asked.code, asked.out.splitlines()[1:6]) == (0, lines[2:7])
    facts = json.loads(call(backfill, **DRY, output="json").out)["plan"]
    assert {name: facts[name] for name in ("credits", "games", "unknown", "too_dear")} == {
        "credits": credits,
        "games": 9,
        "unknown": [str(THIRD)],
        "too_dear": [],
    }
    assert call(plan, **window, output="json").facts["credits"] == credits


def test_no_games_are_planned_for_a_summer_that_the_schedule_does_not_have(
    call: Call, choose: Choose
) -> None:
    choose(credits=BOUGHT)
    summer = {"start_date": "2024-07-01", "end_date": "2024-07-03"}
    found = call(plan, dag_id=DAG, **summer, spread=True, json=True).facts
    assert (found["games"], len(found["unknown"])) == (0, 3)


def test_date_that_is_dearer_than_a_days_allotment_is_refused_and_nothing_is_started(
    call: Call, choose: Choose, books: str
) -> None:
    choose(credits={"monthly": 500, "live_reserve": 100}, markets="main")
    before = read_books(books)
    said = call(backfill, **WINDOW)
    told = (
        "2025-01-15 can cost 112 credits of the_odds_api with its 2 games (player_props 1 + 8 x 10,"
        " game_lines 1 + 1 x 30), and backfills get 13 a day ((500 - 100) / 30): ask for fewer"
        ' markets or regions, or set "spread": false there to let backfills use the month\'s 400 at'
        " once; or, after buying"
    )
    assert (said.code, said.out) == (2, "")
    assert said.err.splitlines()[-1].startswith(f"airflow dags backfill: {told}")
    assert read_books(books) == before
    dry = call(backfill, **DRY)
    assert (dry.code, dry.out.splitlines()[-1][: len(told) + 21]) == (
        2,
        f"It would be refused: {told}",
    )


def test_wrong_choice_is_one_line_of_the_command_before_anything_starts(
    call: Call, choose: Choose, books: str
) -> None:
    choose(regions="usa")
    before = read_books(books)
    said = call(backfill, **WINDOW)
    line = (
        "connection the_odds_api has regions in its extra that cannot be used ('usa' is not known"
    )
    assert (said.code, said.out) == (2, "")
    assert line in said.err.splitlines()[-1]
    assert read_books(books) == before
    window = {"dag_id": DAG, "start_date": str(FIRST), "end_date": str(SECOND)}
    assert (call(gaps, **window).code, line in call(gaps, **window).err) == (2, True)


def test_more_credits_than_there_are_now_are_refused_until_they_may_be_waited_for(
    call: Call, choose: Choose, books: str
) -> None:
    choose(credits={"monthly": 150, "live_reserve": 0, "spread": False})
    before = read_books(books)
    said = call(backfill, **WINDOW)
    told = (
        "156 credits of the_odds_api: 2 months at 150, one month of the 500 plan, and backfills can"
        " use 150 now: add --spread to wait for the others, over "
    )
    assert (said.code, said.out) == (2, "")
    assert said.err.splitlines()[-1].startswith(f"airflow dags backfill: {told}")
    assert read_books(books) == before
    window = {"dag_id": DAG, "start_date": str(FIRST), "end_date": str(THIRD)}
    refused = call(plan, **window, spread=False)
    assert (refused.code, told in refused.out.splitlines()[-1]) == (2, True)
    assert call(plan, **window, spread=True).code == 0
    assert call(backfill, **WINDOW | {"spread": True}).code == 0


def test_only_the_dag_of_a_source_has_a_plan(call: Call) -> None:
    window = {"start_date": str(FIRST), "end_date": str(THIRD), "spread": False}
    said = call(plan, dag_id="backfill_summary", **window)
    assert (said.code, "is not the DAG of a source" in said.err) == (2, True)
