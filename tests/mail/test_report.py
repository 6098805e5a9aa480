from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.errors import ErrorClass, Problem
from include.mail.report import (
    DateResult,
    Group,
    Report,
    groups,
    incomplete,
    totals,
)
from include.outcome import Outcome
from include.partition import days_between

MakeReport = Callable[..., Report]

RESULTS = st.lists(
    st.builds(
        DateResult,
        day=st.dates(date(2024, 10, 1), date(2024, 12, 31)),
        outcome=st.sampled_from(Outcome),
        endpoint=st.sampled_from(["box_scores", "play_by_play"]),
        error_class=st.sampled_from(["", "hang", "blocked"]),
        fingerprint=st.sampled_from(["", "aaa", "bbb"]),
        message=st.sampled_from(["", "status 500", "status 502", "other"]),
    ),
    max_size=60,
    unique_by=lambda result: (result.day, result.endpoint),
)


def days_of(group: Group) -> list[date]:
    return [day for first, last in group.ranges for day in days_between(first, last)]


@given(results=RESULTS)
def test_every_result_that_is_not_done_is_in_exactly_one_group(
    make_report: MakeReport, results: list[DateResult]
) -> None:
    report = make_report(results)
    grouped = groups(report)

    for result in results:
        homes = [g for g in grouped if g.outcome == result.outcome and result.day in days_of(g)]
        if result.outcome.done:
            assert homes == []
        elif result.outcome.wrong:
            homes = [
                g
                for g in homes
                if (g.error_class, g.endpoint) == (result.error_class, result.endpoint)
            ]
            assert result.group in [
                (g.outcome, g.error_class, g.endpoint, g.fingerprint) for g in homes
            ]
            assert len({g.fingerprint for g in homes}) == len(homes) == 1
        else:
            assert len(homes) == 1


@given(results=RESULTS)
def test_counts_add_up(make_report: MakeReport, results: list[DateResult]) -> None:
    report = make_report(results)
    grouped = groups(report)

    assert sum(totals(report).values()) == len({r.day for r in results})
    assert [g.count for g in grouped] == [len(days_of(g)) for g in grouped]
    failures = [r for r in results if r.outcome.wrong]
    assert sum(g.count for g in grouped if g.outcome.wrong) == len(failures)
    assert {day for g in grouped for day in days_of(g)} == {
        r.day for r in results if not r.outcome.done
    }


def test_groups_fold_dates_and_keep_first_and_last_time_and_the_earliest_sample(
    make_report: MakeReport,
) -> None:
    at = datetime(2026, 10, 1, 10, tzinfo=UTC)

    def failed(day: int, minutes: int) -> DateResult:
        return DateResult(
            day=date(2024, 11, day),
            outcome=Outcome.FAILED,
            endpoint="box_scores",
            error_class="hang",
            message=f"no answer for 2024-11-{day:02} in 30 s",
            log_url=f"https://airflow/{day}",
            first_at=at + timedelta(minutes=minutes),
            last_at=at + timedelta(minutes=minutes + 5),
        )

    cancelled = [DateResult(day=date(2024, 12, day), outcome=Outcome.CANCELLED) for day in (1, 2)]
    report = make_report([failed(4, 0), failed(3, 40), failed(9, 20), *cancelled])

    problem = Problem(
        error_class=ErrorClass.HANG,
        endpoint="box_scores",
        message="no answer for 2024-11-03 in 30 s",
    )
    assert groups(report) == [
        Group(
            outcome=Outcome.FAILED,
            error_class="hang",
            endpoint="box_scores",
            fingerprint=problem.fingerprint,
            count=3,
            ranges=((date(2024, 11, 3), date(2024, 11, 4)), (date(2024, 11, 9), date(2024, 11, 9))),
            first_at=at,
            last_at=at + timedelta(minutes=45),
            message="no answer for 2024-11-03 in 30 s",
            log_url="https://airflow/3",
        ),
        Group(
            outcome=Outcome.CANCELLED,
            error_class="",
            endpoint="",
            fingerprint="",
            count=2,
            ranges=((date(2024, 12, 1), date(2024, 12, 2)),),
            first_at=None,
            last_at=None,
            message="",
            log_url="",
        ),
    ]


def test_a_date_is_only_as_good_as_its_worst_endpoint(make_report: MakeReport) -> None:
    day = date(2024, 11, 3)
    report = make_report(
        [
            DateResult(day=day, outcome=Outcome.COMPLETE, endpoint="player_props"),
            DateResult(day=day, outcome=Outcome.PARTIAL, endpoint="game_lines"),
            DateResult(day=day + timedelta(1), outcome=Outcome.NO_GAMES, endpoint="player_props"),
            DateResult(day=day + timedelta(1), outcome=Outcome.COMPLETE, endpoint="game_lines"),
        ]
    )
    assert totals(report) == {"complete": 1, "partial": 1}


def test_incomplete_lists_partial_dates_that_know_their_games(make_report: MakeReport) -> None:
    known = DateResult(
        day=date(2024, 11, 3), outcome=Outcome.PARTIAL, games_found=3, games_expected=5
    )
    report = make_report(
        [
            DateResult(day=date(2024, 11, 5), outcome=Outcome.PARTIAL, games_found=3),
            known,
            DateResult(
                day=date(2024, 11, 4), outcome=Outcome.FAILED, games_found=0, games_expected=5
            ),
        ]
    )
    assert incomplete(report) == [known]


def test_two_results_of_one_date_and_endpoint_are_refused(make_report: MakeReport) -> None:
    twice = DateResult(day=date(2024, 11, 3), outcome=Outcome.COMPLETE, endpoint="box_scores")
    with pytest.raises(
        ValueError,
        match=r"^batch 42: box_scores 2024-11-03 is reported twice; give the last attempt$",
    ):
        make_report([twice, twice])


def test_times_without_zone_are_refused(make_report: MakeReport) -> None:
    naive = datetime(2026, 10, 1, 10)  # noqa: DTZ001
    with pytest.raises(
        ValueError, match=r"^box_scores 2024-11-03: 2026-10-01 10:00:00 has no time zone$"
    ):
        DateResult(
            day=date(2024, 11, 3), outcome=Outcome.FAILED, endpoint="box_scores", first_at=naive
        )
    with pytest.raises(ValueError, match=r"^batch 42: 2026-10-01 10:00:00 has no time zone$"):
        make_report([], ended_at=naive)
