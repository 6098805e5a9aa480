"""Plans: what is counted per game, per date and once; and which of the limits is the narrow one."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from include.guards.plan import SECONDS_PER_TASK, Needs, Plan, make_plan
from include.parsing import balldontlie
from include.sources.spec import Credits, Endpoint, Get, Host, Source, Truth, Window

FIRST = date(2025, 1, 15)
GAMES = {FIRST + timedelta(days=n): games for n, games in enumerate((11, 0, 7))}
MINUTE = Host(connection="up", base_url="", windows=(Window(limit=60, seconds=60),))
ENDPOINT = Endpoint(
    name="box_scores",
    table=balldontlie.BOX_SCORES,
    request=Get(path="/scores"),
    rows=balldontlie.rows,
    games=balldontlie.games,
)
TASKS = 3 * SECONDS_PER_TASK


def source(*hosts: Host, **endpoint: object) -> Source:
    return Source(
        dag_id="bdl", hosts=hosts or (MINUTE,), endpoints=(replace(ENDPOINT, **endpoint),)
    )


def asked(scheduled: tuple[date, ...] = (), **endpoint: object) -> int:
    return make_plan(source(**endpoint), GAMES, scheduled=scheduled).requests


def test_one_request_a_date_also_where_there_are_no_games() -> None:
    assert make_plan(source(), GAMES, scheduled=()) == Needs(
        requests=3, credits=0, minutes=max(3.0, TASKS) / 60
    )


def test_requests_per_game_are_as_many_as_the_games() -> None:
    assert asked(per_game=True) == 11 + 7


def test_listing_is_asked_for_every_date_and_its_data_only_where_there_are_games() -> None:
    assert asked(listing=Get(path="/list")) == 3 + 2
    assert asked(listing=Get(path="/list"), per_game=True) == 3 + 11 + 7


def test_truth_is_asked_for_dates_that_the_schedule_does_not_have() -> None:
    truth = Truth(games=balldontlie.listed_games, request=Get(path="/games"))
    assert [asked(tuple(GAMES)[:known], truth=truth) for known in range(4)] == [6, 5, 4, 3]
    assert asked(truth=replace(truth, request=None)) == 3


def test_body_that_serves_a_season_is_asked_for_once_a_season() -> None:
    assert asked(shared=lambda day: "2024-25") == 1
    assert asked(shared=str) == 3


def test_requests_are_counted_at_the_host_that_they_go_to() -> None:
    slow = replace(MINUTE, connection="slow", windows=(Window(limit=1, seconds=60),))
    get = Get(path="/plays", connection="slow")
    assert make_plan(source(MINUTE, slow, request=get), GAMES, scheduled=()).minutes == 3.0
    assert make_plan(source(MINUTE, slow), GAMES, scheduled=()).minutes < 1


@pytest.mark.parametrize(
    ("changes", "seconds"),
    [
        ({"windows": (Window(limit=60, seconds=60), Window(limit=18, seconds=360))}, 360),
        ({"windows": (Window(limit=1000, seconds=1),)}, TASKS),
    ],
)
def test_the_narrowest_of_windows_and_tasks_gives_the_minutes(
    changes: dict[str, object], seconds: float
) -> None:
    found = make_plan(source(replace(MINUTE, **changes), per_game=True), GAMES, scheduled=())
    assert found.minutes == pytest.approx(seconds / 60)


@pytest.mark.parametrize(
    ("credits", "days"),
    [
        (
            Credits(monthly=500, live_reserve=100),
            13,
        ),  # 180 at 400 / 30 a day are used up on the 14th
        (Credits(monthly=500, live_reserve=100, spread=False), 0),
        (Credits(monthly=200, live_reserve=100, spread=False), 30),
    ],
)
def test_credits_that_are_not_there_today_are_waited_for(credits: Credits, days: int) -> None:
    get = Get(path="/odds", cost=lambda params: 10)
    found = make_plan(
        source(replace(MINUTE, credits=credits), request=get, per_game=True), GAMES, scheduled=()
    )
    assert found.credits == 180
    assert found.minutes == pytest.approx(days * 24 * 60 + 18 / 60)


def test_backfill_that_gets_no_credits_at_all_never_ends() -> None:
    get = Get(path="/odds", cost=lambda params: 10)
    host = replace(MINUTE, credits=Credits(monthly=100, live_reserve=100))
    assert make_plan(source(host, request=get), GAMES, scheduled=()) == Needs(
        requests=3, credits=30, minutes=None
    )


def test_facts_of_a_plan_are_json_with_the_slowest_pace_of_a_date() -> None:
    at = datetime(2026, 3, 2, 12, tzinfo=UTC)
    plan = Plan(
        dag_id="bdl",
        planned_at=at,
        days=[*GAMES],
        without_games=[FIRST],
        games=18,
        requests=3,
        minutes_low=1,
        minutes_high=2,
        ends_at=at + timedelta(minutes=2),
        assumed=["box_scores"],
    )
    assert json.loads(json.dumps(plan.facts())) == {
        "dag_id": "bdl",
        "planned_at": "2026-03-02T12:00:00+00:00",
        "dates": 3,
        "without_games": ["2025-01-15"],
        "unknown": [],
        "complete": [],
        "games": 18,
        "rows": 0,
        "requests": 3,
        "credits": 0,
        "bytes": 0,
        "dollars": 0,
        "dollars_a_month": 0,
        "minutes_low": 1,
        "minutes_high": 2,
        "seconds_per_date": 40.0,
        "ends_at": "2026-03-02T12:02:00+00:00",
        "assumed": ["box_scores"],
    }
