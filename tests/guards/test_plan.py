"""Plans: which of limits, latency and tasks is the narrow one, what is waited for, and when it
ends."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from include.guards.needs import list_needs
from include.guards.pace import SLOT, START, TASK, UNMEASURED, Pace, find_minutes
from include.guards.plan import Known, make_plan
from include.guards.plan_words import refuse, word_plan
from include.guards.preflight import judge_scope
from include.guards.quiet_hours import QuietHours
from include.limits.allowance import Month
from include.limits.state import LimiterState, WindowUse
from include.sources.spec import Credits, Get, Host, Source, Window
from tests.guards.test_needs import FIRST, GAMES, MINUTE, source

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)  # four in the morning in California
PACE = Pace(seconds=(1.0, 2.0), rows_per_game=20, bytes_per_request=1000, dates=9)
ODDS = Get(path="/odds", cost=lambda params: 10)


def minutes(of: Source, tasks: int = 3, pace: Pace = PACE, slots: int = 1) -> tuple[float, float]:
    """Of requests a game."""
    needs = list_needs(of, GAMES)
    return find_minutes(of, needs, tasks, paces={"box_scores": pace}, slots={"up": slots})


def known(**more: Any) -> Known:
    facts = {"now": NOON, "games": GAMES, "scheduled": [*GAMES], "paces": {"box_scores": PACE}}
    return Known(**{**facts, **more})


def paid(credits: Credits) -> Source:
    return source(replace(MINUTE, credits=credits), request=ODDS, per_game=True)


@pytest.mark.parametrize(
    ("windows", "tasks", "slots", "low", "high"),
    [
        ([(60, 60), (18, 3600)], 3, 1, 3600, 3600),  # the limits
        ([(1000, 1)], 3, 1, 18 * 1 + 2 * SLOT[0], 18 * 2 + 2 * SLOT[1]),  # one slot
        ([(1000, 1)], 3, 4, (18 + 2 * SLOT[0]) / 4, (36 + 2 * SLOT[1]) / 4),
        ([(1000, 1)], 900, 4, 900 * TASK[0], 900 * TASK[1]),  # Airflow
    ],
)
def test_the_narrowest_of_limits_slots_and_tasks_gives_the_minutes(
    windows: list[tuple[int, float]], tasks: int, slots: int, low: float, high: float
) -> None:
    host = replace(MINUTE, windows=tuple(Window(limit=n, seconds=s) for n, s in windows))
    found = minutes(source(host, per_game=True), tasks, slots=slots)
    assert found == (pytest.approx((START[0] + low) / 60), pytest.approx((START[1] + high) / 60))


def test_no_more_dates_than_may_be_at_work_go_at_a_time() -> None:
    host = replace(MINUTE, windows=(Window(limit=1000, seconds=1),))
    of = source(host, per_game=True)
    free, two = (make_plan(of, known(slots={"up": 100}, runs=runs)) for runs in (0, 2))
    assert free.minutes_low < two.minutes_low
    work = (18 + 2 * SLOT[0]) / 2, (36 + 2 * SLOT[1]) / 2
    assert (two.minutes_low, two.minutes_high) == (
        pytest.approx((START[0] + work[0]) / 60),
        pytest.approx((START[1] + work[1]) / 60),
    )


def test_hosts_work_beside_each_other() -> None:
    slow = Host(connection="slow", base_url="", windows=(Window(limit=1, seconds=60),))
    of = source(MINUTE, slow, request=Get(path="/plays", connection="slow"))
    assert minutes(of)[0] == pytest.approx((START[0] + 3 * 60) / 60)
    assert minutes(source(MINUTE, slow))[0] < 1


def test_what_nobody_has_measured_is_planned_with_what_the_spec_declares_and_said() -> None:
    host = replace(MINUTE, windows=(Window(limit=1000, seconds=1),), seconds_per_request=0.8)
    of = source(host, per_game=True, rows_per_game=30, bytes_per_request=2000)
    found = make_plan(of, known(paces={}))
    assert (found.assumed, found.rows, found.bytes) == (["box_scores"], 18 * 30, 18 * 2000)
    low, high = 18 * 0.8 + 2 * SLOT[0], 18 * 0.8 * UNMEASURED + 2 * SLOT[1]
    assert (found.minutes_low, found.minutes_high) == (
        pytest.approx((START[0] + low) / 60),
        pytest.approx((START[1] + high) / 60),
    )
    said = "(box_scores: nothing measured yet, by what the spec declares)"
    assert said in "".join(word_plan(found))
    measured = make_plan(of, known())
    assert (measured.assumed, measured.rows, measured.bytes) == ([], 18 * 20, 18 * 1000)


def test_dates_that_are_complete_ask_for_nothing_and_run_only_if_they_run_again() -> None:
    missing = {("box_scores", day): (0, 0) for day in GAMES}
    whole = known(done=[*GAMES], missing=missing)
    left = make_plan(source(), whole)
    assert (left.complete, left.requests, left.games, left.minutes_high) == ([*GAMES], 0, 0, 0)
    assert list(word_plan(left)) == [
        "  complete already: 3 dates, nothing is asked for them",
        "  no request is needed",
    ]
    assert make_plan(source(), whole, reruns=True).minutes_high > 0
    # The ledger alone does not make a date complete whose bodies are gone.
    assert make_plan(source(), known(done=[*GAMES])).complete == []


def test_games_are_told_of_the_dates_that_are_worked_at_and_only_those_can_lack_the_schedule() -> (
    None
):
    first, second, third = sorted(GAMES)
    partly = known(
        done=[first, second], missing={("box_scores", d): (0, 0) for d in (first, second)}
    )
    plan = make_plan(source(), replace(partly, scheduled=[second]))
    assert list(word_plan(plan))[:3] == [
        "  complete already: 2 dates, nothing is asked for them",
        f"  {GAMES[third]} games on 1 date",
        f"  not in the schedule yet: {third}; their tasks get it first, with one request a season;"
        " 7 games each are assumed (backfill nbacom_schedule before, for their true number)",
    ]
    assert judge_scope(plan, "").what == f"1 date, {GAMES[third]} games, 1 request"


def test_no_games_are_assumed_of_a_summer_that_the_schedule_does_not_have() -> None:
    days = {date(2024, 6, 30): 7, date(2024, 7, 1): 0}
    plan = make_plan(source(), replace(known(), games=days, scheduled=[]))
    said = next(line for line in word_plan(plan) if "not in the schedule yet" in line)
    assert "; 7 games each are assumed, none from July to September (backfill" in said
    assert plan.games == 7


@pytest.mark.parametrize(
    ("credits", "left", "ends"),
    [
        (Credits(monthly=5400, live_reserve=0), 5400, "2026-03-02"),  # 180 a day, for 30 days
        (Credits(monthly=500, live_reserve=100), 500, "2026-03-15"),  # 400 over them: 14 for 180
        (Credits(monthly=500, live_reserve=100, spread=False), 500, "2026-03-02"),
        (Credits(monthly=200, live_reserve=100, spread=False), 200, "2026-04-01"),
        (Credits(monthly=200, live_reserve=150, spread=False), 200, "2026-06-01"),
    ],
)
def test_credits_that_are_not_there_now_are_waited_for(
    credits: Credits, left: int, ends: str
) -> None:
    found = make_plan(paid(credits), known())
    assert (found.credits, found.bought and found.bought.needed) == (180, 180)
    assert found.ends_at
    assert str(found.ends_at.date()) == ends
    waits = ends != "2026-03-02"
    assert (refuse(found, spread=False) != "", refuse(found, spread=True)) == (waits, "")


def test_it_ends_when_what_the_last_credits_buy_is_there() -> None:
    found = make_plan(paid(Credits(monthly=500, live_reserve=100)), known())
    assert "all over 14 days, until 2026-03-15 00:00 UTC" in "".join(word_plan(found))
    last_days = timedelta(minutes=found.minutes_high) * (13 / 180)
    assert found.ends_at == datetime(2026, 3, 15, tzinfo=UTC) + last_days


def test_what_was_used_of_the_month_is_not_there() -> None:
    credits = Credits(monthly=200, live_reserve=0, spread=False)
    month = Month(month=date(2026, 3, 1), billed=21)
    used = make_plan(paid(credits), known(months={"up": month}))
    assert used.bought
    assert (used.bought.now, used.bought.fits) == (179, False)
    assert str(used.ends_at)[:10] == "2026-04-01"
    assert refuse(used, spread=False).startswith(
        "180 credits of up: 1 month at 200, one month of the 500 plan, and backfills can use 179"
        " now: add --spread to wait for the others, over 2 months, until 2026-04-01 00:00 UTC; take"
        " fewer dates; or, after buying a larger plan"
    )


def test_season_is_told_in_months_of_this_plan_and_of_the_one_that_has_it_at_once() -> None:
    get = Get(path="/odds", cost=lambda params: 13_424)
    day = {FIRST: 1}
    credits = Credits(monthly=500, live_reserve=0)
    of = source(replace(MINUTE, credits=credits), request=get, per_game=True)
    found = make_plan(of, known(games=day))
    said = "13,424 credits of up: 27 months at 500, one month of the 20K plan"
    assert refuse(found, spread=False).startswith(said)
    kept = replace(MINUTE, credits=replace(credits, live_reserve=100))
    of = source(kept, request=get, per_game=True)
    told = "34 months at 400 (500 less 100 for live runs), one month of the 20K plan"
    assert told in refuse(make_plan(of, known(games=day)), spread=False)


def test_backfill_that_gets_no_credits_at_all_never_ends_and_is_refused_also_to_be_spread() -> None:
    found = make_plan(paid(Credits(monthly=100, live_reserve=100)), known())
    assert (found.ends_at, found.minutes) == (None, None)
    assert "so that it would never end" in refuse(found, spread=True)
    assert "it never ends" in "".join(word_plan(found))


def test_quiet_hours_put_the_end_off_and_the_start_that_meets_none_is_found() -> None:
    hour = replace(MINUTE, windows=(Window(limit=18, seconds=3600),))
    begin = datetime(2026, 3, 3, 1, 30, tzinfo=UTC)  # half an hour before them
    quiet = known(now=begin, rules=QuietHours(), has_games=lambda day: True)
    found = make_plan(source(hour, per_game=True), quiet)
    end = datetime(2026, 3, 3, 7, tzinfo=UTC)  # 23:00 in California
    assert found.ends_at == end + timedelta(minutes=30, seconds=START[1])
    assert found.next_start == end
    assert list(word_plan(found))[-2:] == [
        "  1 h of work by what was measured; it ends by 2026-03-03 07:30 UTC, credits and quiet"
        " hours counted in",
        "  medium, to be watched; quiet hours meet it now, none if it begins at 2026-03-03 07:00"
        " UTC",
    ]
    free = make_plan(source(hour, per_game=True), replace(quiet, has_games=lambda day: False))
    assert (free.next_start, free.ends_at) == (begin, begin + timedelta(hours=1, seconds=START[1]))


def test_work_of_more_than_a_day_meets_quiet_hours_whenever_it_begins() -> None:
    slow = replace(MINUTE, windows=(Window(limit=1, seconds=36_000),))
    quiet = known(rules=QuietHours(), has_games=lambda day: True)
    found = make_plan(source(slow), quiet)
    assert found.next_start is None
    said = "  long, for a night or a weekend; quiet hours interrupt it whenever it begins"
    assert list(word_plan(found))[-1] == said


def test_requests_that_are_free_now_are_told_and_until_when_others_wait() -> None:
    use = (WindowUse(limit=60, seconds=60, used=12), WindowUse(limit=50, seconds=9, used=1))
    free = LimiterState(name="up", windows=use)
    limits = [free, replace(free, name="up@proxy", cooldown_until=NOON)]
    found = make_plan(source(), known(limits=limits))
    assert "  requests that are free now: up 48, up@proxy 0 (waits until 2026-03-02 12:00 UTC)" in [
        *word_plan(found)
    ]
    assert found.facts()["requests_now"] == {"up": 48, "up@proxy": 0}


def test_cloud_costs_money_and_a_plan_of_credits_its_share() -> None:
    credits = Credits(monthly=20_000, live_reserve=0, spread=False)
    local = make_plan(paid(credits), known())
    assert local.money.once == pytest.approx(180 * 30 / 20_000)
    assert "18.0 kB, $0.27 by the prices of 2026-10" in "".join(word_plan(local))
    assert "which cost nothing" in "".join(word_plan(make_plan(source(), known())))
    cloud = make_plan(paid(credits), known(schemes=("gs", "bigquery")))
    writes, reads, queries = 18 + 3 * 2, 18 + 8 * 2, 3 * 3 * 10 * 2**20
    assert (cloud.operations, local.operations) == (writes + reads, 0)
    assert cloud.money.operations == pytest.approx((writes * 0.005 + reads * 0.0004) / 1000)
    assert cloud.money.queries == pytest.approx(queries / 2**40 * 6.25)


def test_facts_of_a_plan_are_json_with_the_slowest_pace_of_a_date() -> None:
    plan = make_plan(source(), known(scheduled=[FIRST]))
    facts = json.loads(json.dumps(plan.facts()))
    numbers = {name: facts.pop(name) for name in ("minutes_low", "minutes_high", "minutes")}
    assert numbers["minutes"] == pytest.approx(numbers["minutes_high"])
    assert facts.pop("seconds_per_date") == pytest.approx(numbers["minutes_high"] * 20)
    assert facts.pop("ends_at")[:10] == "2026-03-02"
    assert facts == {
        "dag_id": "bdl",
        "planned_at": "2026-03-02T12:00:00+00:00",
        "dates": 3,
        "without_games": ["2025-01-16"],
        "unknown": ["2025-01-16", "2025-01-17"],
        "complete": [],
        "assumed": [],
        "too_dear": [],
        "games": 18,
        "rows": 360,
        "requests": 3,
        "credits": 0,
        "bytes": 3000,
        "operations": 0,
        "dollars": 0,
        "dollars_a_month": 0,
        "credits_now": None,
        "requests_now": {},
        "next_start": "2026-03-02T12:00:00+00:00",
    }
