"""What a scheduler says when it starts, and commands when they are asked: each thing that keeps
mails or backfills from starting, with what mends it."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from tests.plugins.scheduling import Scheduler, bag_since, live_day, scheduler

SUMMARY = "backfill_summary"
PAUSED = (
    "backfill_summary is paused, so that no mail is sent: airflow dags unpause backfill_summary"
)


@pytest.fixture(scope="module")
def found(books: str) -> Iterator[Scheduler]:
    with scheduler(bag_since(live_day())) as found:
        yield found


@pytest.fixture(autouse=True)
def _well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__SCHEDULER__MAX_DAGRUNS_PER_LOOP_TO_SCHEDULE", "1000")
    monkeypatch.setenv("AIRFLOW__CORE__PARALLELISM", "32")


def said_at_start(
    found: Scheduler, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> list[str]:
    """The warnings of a scheduler's start."""
    from airflow.jobs.job import Job

    from nba_airflow import listener

    found.session.commit()
    monkeypatch.setattr(sys, "argv", ["airflow", "scheduler"])
    monkeypatch.setattr(listener, "_preload", lambda: None)
    Job()  # the one that a scheduler makes
    mine = [r for r in caplog.records if r.name == listener.__name__]
    return [record.getMessage() for record in mine if record.levelname == "WARNING"]


def test_nothing_is_said_where_all_is_well(
    found: Scheduler, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    assert said_at_start(found, monkeypatch, caplog) == []


def test_with_airflows_default_the_setting_that_backfills_need_is_named(
    found: Scheduler, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv("AIRFLOW__SCHEDULER__MAX_DAGRUNS_PER_LOOP_TO_SCHEDULE")
    assert said_at_start(found, monkeypatch, caplog) == [
        "the scheduler looks at 20 runs a turn, and at no backfill's while so many others wait"
        " (apache/airflow#58554): set AIRFLOW__SCHEDULER__MAX_DAGRUNS_PER_LOOP_TO_SCHEDULE to 1000"
    ]


def test_pools_that_were_made_for_more_workers_are_named(
    found: Scheduler, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from airflow.models.pool import Pool

    monkeypatch.setenv("AIRFLOW__CORE__PARALLELISM", "12")
    others = {Pool.DEFAULT_POOL_NAME, "mail", "warehouse"}
    slots = sum(p.slots for p in Pool.get_pools(session=found.session) if p.pool not in others)
    assert said_at_start(found, monkeypatch, caplog) == [
        f"the pools of the sources have {slots} slots together and there are 12 workers: leave two"
        " of them to the mail (`airflow pools set NAME SLOTS DESCRIPTION`)"
    ]


def test_paused_summary_is_named(
    found: Scheduler, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    found.pause(SUMMARY)
    try:
        assert said_at_start(found, monkeypatch, caplog) == [PAUSED]
    finally:
        found.unpause(SUMMARY)


def test_the_setting_is_larger_than_all_dags_together_may_have_under_way(found: Scheduler) -> None:
    from include.settings import MAX_ACTIVE_RUNS, MAX_RUNS_A_TURN

    ten_more = 10 * MAX_ACTIVE_RUNS
    assert sum(found.max_active_runs().values()) + ten_more < MAX_RUNS_A_TURN
