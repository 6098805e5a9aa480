"""Which dates run first, and what runs after each clean stage."""

from __future__ import annotations

from datetime import date, timedelta

from include.guards.canary import choose_canary, plan_stages
from include.ops.stages import Stage

D = [date(2024, 12, 20) + timedelta(days=n) for n in range(14)]


def test_canary_is_up_to_the_third_date_with_games() -> None:
    games = {D[2], D[3], D[5], D[6]}
    assert choose_canary(D, games.__contains__) == D[2:6]
    assert choose_canary(D[::-1], games.__contains__) == [D[6], D[5], D[4], D[3]]


def test_canary_of_a_window_with_few_games_has_what_there_are() -> None:
    assert choose_canary(D, {D[8]}.__contains__) == [D[8]]
    assert choose_canary(D, set().__contains__) == D[0:3]
    assert choose_canary(D[:2], set().__contains__) == D[0:2]


def test_canary_is_followed_by_all_else_with_what_runs_again() -> None:
    assert plan_stages(D, D[2:5], ramp=False, cleared=["run"]) == [
        Stage(stage="canary", days=D[2:5]),
        Stage(stage="whole", days=[*D[0:2], *D[5:]], cleared=["run"]),
    ]
    assert plan_stages(D[:3], D[:3], ramp=False, cleared=["run"]) == [
        Stage(stage="canary", days=D[:3], cleared=["run"])
    ]


def test_ramp_is_three_dates_a_week_and_the_rest() -> None:
    found = plan_stages(D, D[:3], ramp=True, cleared=["run"])
    assert [(each.stage, [*each.days], [*each.cleared]) for each in found] == [
        ("ramp", D[:3], []),
        ("ramp", D[3:10], []),
        ("ramp", D[10:], ["run"]),
    ]
    assert [[*each.days] for each in plan_stages(D[:8], D[:3], ramp=True)] == [D[:3], D[3:8]]
