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
    monkeypatch.setattr(listener, "_prepare_for_tasks", lambda: None)
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


@pytest.mark.parametrize(
    ("workers", "commands"),
    [
        (
            12,
            "`airflow pools set balldontlie 2 'asks balldontlie'; airflow pools set bigdataball 2"
            " 'asks bigdataball'; airflow pools set nba_stats 3 'asks nba_stats'`, or ",
        ),
        (6, ""),  # one slot each are too many
    ],
)
def test_pools_that_were_made_for_more_workers_are_named_with_what_makes_them_fit(
    found: Scheduler,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    workers: int,
    commands: str,
) -> None:
    from airflow.models.pool import Pool
    from sqlalchemy import update

    from nba_airflow.specs import hosts

    # Those of the project as it is: beside a source that somebody generated each gets fewer.
    given = {"balldontlie": 3, "bigdataball": 4, "nba_cdn": 2, "nba_stats": 4, "the_odds_api": 1}
    found.session.execute(update(Pool).where(Pool.pool.in_(hosts())).values(slots=0))
    for name, slots in given.items():
        found.session.execute(update(Pool).where(Pool.pool == name).values(slots=slots))
    monkeypatch.setenv("AIRFLOW__CORE__PARALLELISM", str(workers))
    assert said_at_start(found, monkeypatch, caplog) == [
        f"the pools of the sources have 14 slots together and there are {workers} workers, of which"
        f" the mail needs two: {commands}set AIRFLOW__CORE__PARALLELISM to 16 (with Celery"
        " AIRFLOW__CELERY__WORKER_CONCURRENCY too)"
    ]


def test_paused_summary_is_named(
    found: Scheduler, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    found.pause(SUMMARY)
    try:
        assert said_at_start(found, monkeypatch, caplog) == [PAUSED]
    finally:
        found.unpause(SUMMARY)


def test_rules_that_count_for_no_dag_are_named(
    found: Scheduler, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("NBA_QUIET_HOURS", '{"bdl_box_score": null, "*": null}')
    monkeypatch.setenv("NBA_BREAKER", '{"*": {"max_error_rat": 0.3}}')
    misspelt, unread = said_at_start(found, monkeypatch, caplog)
    assert misspelt.startswith(
        "NBA_QUIET_HOURS has rules of 'bdl_box_score', which count for no DAG: known are *, bdl_box"
    )
    assert misspelt.endswith("(did you mean bdl_box_scores?)")
    assert unread.startswith("NBA_BREAKER cannot be read, its defaults count: {'max_error_rat': ")


def test_the_setting_is_larger_than_all_dags_together_may_have_under_way(found: Scheduler) -> None:
    from include.settings import MAX_ACTIVE_RUNS, MAX_RUNS_A_TURN

    ten_more = 10 * MAX_ACTIVE_RUNS
    assert sum(found.max_active_runs().values()) + ten_more < MAX_RUNS_A_TURN
