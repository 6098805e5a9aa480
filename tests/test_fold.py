"""The one fold of failures: every date in one group, and no date's words shown as every date's."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from include.errors import ErrorClass, Problem
from include.fold import Group, fold
from include.outcome import Outcome
from include.results import DateResult

AT = datetime(2026, 10, 1, 10, tzinfo=UTC)
FIRST = date(2024, 11, 1)
RESULTS = st.lists(
    st.builds(
        DateResult,
        day=st.dates(date(2024, 10, 1), date(2024, 12, 31)),
        outcome=st.sampled_from(Outcome),
        dag_id=st.sampled_from(["bdl", "nbacom"]),
        endpoint=st.sampled_from(["box_scores", "play_by_play"]),
        error_class=st.sampled_from(["", "hang", "blocked"]),
        fingerprint=st.sampled_from(["", "aaa", "bbb"]),
        message=st.sampled_from(["", "status 500", "status 502", "other"]),
    ),
    max_size=60,
)


def after(days: int) -> date:
    return FIRST + timedelta(days=days)


def result(days: int, message: str = "", **fields: object) -> DateResult:
    known = {"outcome": Outcome.FAILED, "endpoint": "box_scores", "message": message}
    return DateResult(day=after(days), **(known | fields))  # type: ignore[arg-type]  # a dict of fields


@given(results=RESULTS)
def test_every_result_that_is_not_done_is_in_exactly_one_group(results: list[DateResult]) -> None:
    groups = fold(results)
    bad = [each for each in results if not each.outcome.done]
    causes = [(g.dag_id, g.endpoint, g.outcome, g.error_class, g.fingerprint) for g in groups]
    assert len(set(causes)) == len(causes)
    assert sum(group.tries for group in groups) == len(bad)
    for each in bad:
        (home,) = fold([each])
        cause = (home.dag_id, home.endpoint, home.outcome, home.error_class, home.fingerprint)
        assert each.day in groups[causes.index(cause)].days


@given(results=RESULTS)
def test_what_is_wrong_comes_first_and_the_largest_of_it(results: list[DateResult]) -> None:
    ranks = [(not group.outcome.wrong, -group.tries) for group in fold(results)]
    assert ranks == sorted(ranks)


@given(results=RESULTS)
def test_days_of_a_group_are_sorted_and_named_once(results: list[DateResult]) -> None:
    for group in fold(results):
        assert list(group.days) == sorted(set(group.days))


def test_group_has_first_and_last_time_and_the_earliest_dates_newest_word() -> None:
    def failed(days: int, minutes: int, log: str) -> DateResult:
        began = AT + timedelta(minutes=minutes)
        return result(
            days,
            f"no answer for {after(days)} in 30 s",
            dag_id="bdl",
            error_class="hang",
            log_url=log,
            first_at=began,
            last_at=began + timedelta(minutes=5),
        )

    problem = Problem(
        error_class=ErrorClass.HANG,
        endpoint="box_scores",
        message="no answer for 2024-11-03 in 30 s",
    )
    tries = [failed(3, 0, "/4"), failed(2, 20, "/3/1"), failed(2, 40, "/3/2"), failed(8, 30, "/9")]
    assert fold(tries) == [
        Group(
            dag_id="bdl",
            endpoint="box_scores",
            outcome=Outcome.FAILED,
            error_class="hang",
            fingerprint=problem.fingerprint,
            tries=4,
            days=(after(2), after(3), after(8)),
            first_at=AT,
            last_at=AT + timedelta(minutes=45),
            message="e.g. 2024-11-03: no answer for 2024-11-03 in 30 s",
            log_url="/3/2",
            by_day=(
                (after(2), "no answer for 2024-11-03 in 30 s"),
                (after(3), "no answer for 2024-11-04 in 30 s"),
                (after(8), "no answer for 2024-11-09 in 30 s"),
            ),
        )
    ]


def test_message_that_is_every_dates_stands_alone() -> None:
    silent = result(0, fingerprint="aaa")
    spoken = [result(n, "bad key", fingerprint="aaa", log_url=f"/{n}") for n in (1, 2)]
    (group,) = fold([silent, *spoken])
    assert (group.message, group.by_day, group.log_url) == ("bad key", (), "/1")


def test_numbers_of_one_date_are_not_shown_as_every_dates() -> None:
    partial = [
        result(0, "9 of 11 games: missing GSW@UTA", outcome=Outcome.PARTIAL),
        result(1, "1 of 2 games: missing MIA@BOS", outcome=Outcome.PARTIAL),
    ]
    (group,) = fold(partial)
    assert group.message == "e.g. 2024-11-01: 9 of 11 games: missing GSW@UTA"
    assert group.by_day == tuple((each.day, each.message) for each in partial)


def test_endpoints_and_dags_are_told_apart() -> None:
    one = result(0, "blocked", dag_id="a")
    groups = fold([one, replace(one, endpoint="plays"), replace(one, dag_id="b")])
    assert [(g.dag_id, g.endpoint) for g in groups] == [
        ("a", "box_scores"),
        ("a", "plays"),
        ("b", "box_scores"),
    ]


def test_dates_that_nobody_has_tried_are_alike_whatever_they_say() -> None:
    waiting = [
        result(n, said, outcome=Outcome.QUOTA_WAIT, fingerprint=said)
        for n, said in enumerate(("the limit is reached", "no credits are left"))
    ]
    (group,) = fold(waiting)
    assert (group.title, group.fingerprint, group.days) == ("quota_wait", "", (after(0), after(1)))
    assert group.message == "e.g. 2024-11-01: the limit is reached"


def test_group_is_titled_by_its_class_or_else_its_outcome() -> None:
    groups = fold([result(0, error_class="hang"), result(1, outcome=Outcome.UNVERIFIED)])
    assert [group.title for group in groups] == ["hang", "unverified"]
