"""The plan of a backfill: each date of the window is new, runs again or is left alone."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from include.partition import DateRange
from nba_airflow.cli.selection import Selection
from nba_airflow.metadata.runs import Run

FIRST = date(2025, 1, 15)
AT = datetime(2026, 10, 1, 10, tzinfo=UTC)
WINDOW = DateRange(FIRST, FIRST + timedelta(days=3))
GREEN, RED, BUSY, NONE = WINDOW.days


def run(day: date, state: str) -> Run:
    return Run(day=day, run_id=f"backfill__{day}", state=state, backfill_id=1, queued_at=AT)


RUNS = {GREEN: run(GREEN, "success"), RED: run(RED, "failed"), BUSY: run(BUSY, "running")}


def plan(
    *,
    attach: bool = False,
    rerun_failed: bool = False,
    reset: bool = False,
    refetch: bool = False,
) -> Selection:
    return Selection.of(
        "bdl",
        WINDOW,
        RUNS,
        attach=attach,
        rerun_failed=rerun_failed,
        reset=reset,
        refetch=refetch,
    )


@pytest.mark.parametrize(
    ("asked", "new", "cleared", "left_failed"),
    [
        ({}, [NONE], [], [RED]),
        ({"rerun_failed": True}, [NONE], [RED], []),
        ({"reset": True}, [NONE], [GREEN, RED], []),
        ({"reset": True, "rerun_failed": True}, [NONE], [GREEN, RED], []),
        ({"attach": True}, [], [], []),
        ({"attach": True, "reset": True, "rerun_failed": True}, [], [], []),
    ],
)
def test_dates_are_started_cleared_or_left_as_it_was_asked(
    asked: dict[str, bool], new: list[date], cleared: list[date], left_failed: list[date]
) -> None:
    found = plan(**asked)
    assert (found.new, [each.day for each in found.cleared], found.left_failed) == (
        new,
        cleared,
        left_failed,
    )
    assert found.only_failed is not asked.get("reset", False)


def test_plan_is_read_a_fact_a_line() -> None:
    assert list(plan().lines()) == [
        "bdl: 2025-01-15..2025-01-18, 4 dates (US/Eastern, both ends included)",
        "  1 new, 0 to run again, 3 that have a run are left alone",
        "  of those, 1 failed (2025-01-16): --rerun-failed-tasks runs them again",
    ]
    assert list(plan(reset=True, refetch=True).lines())[1:] == [
        "  1 new, 2 to run again, 1 that have a run are left alone",
        "  refetch: the upstream is asked again for 3 dates",
    ]


def test_plan_has_a_row_per_date_and_its_facts() -> None:
    found = plan(rerun_failed=True)
    assert found.rows() == [
        {"date": GREEN, "plan": "left alone"},
        {"date": RED, "plan": "run again"},
        {"date": BUSY, "plan": "left alone"},
        {"date": NONE, "plan": "new"},
    ]
    assert found.facts() == {
        "dag_id": "bdl",
        "first": FIRST,
        "last": NONE,
        "dates": 4,
        "new": [NONE],
        "cleared": [RED],
        "refetch": False,
    }


def test_mail_is_to_come_while_a_date_runs_or_is_about_to() -> None:
    over = {GREEN: run(GREEN, "success")}
    only = DateRange(GREEN, GREEN)
    asked = {"attach": False, "rerun_failed": False, "refetch": False}
    assert plan(attach=True).under_way
    assert not Selection.of("bdl", only, over, reset=False, **asked).under_way
    assert Selection.of("bdl", only, over, reset=True, **asked).under_way
    assert Selection.of("bdl", only, {}, reset=False, **asked).under_way
