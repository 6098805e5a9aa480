"""After a cancel, every way of running its dates again starts them: Airflow 3.3.2 leaves the
cancelled backfill paused (apache/airflow#72337)."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from include.partition import DateRange
from tests.plugins.running import DAG, Airflow, backfill_command

FIRST = date(2024, 12, 20)
DATES = DateRange(FIRST, FIRST + timedelta(days=3))
KEYS = {str(day) for day in DATES.days}


def cancelled(airflow: Airflow) -> None:
    """A backfill one date at a time, cancelled while its first runs, which ends well then."""
    backfill = airflow.backfill(DATES, at_once=1)
    airflow.start(DATES.first)
    airflow.cancel(backfill)
    airflow.end(DATES.first, "complete")
    airflow.summarise()


@pytest.mark.parametrize("flag", ["rerun_failed_tasks", "reset_dagruns", "refetch"])
def test_our_command_starts_them(
    airflow: Airflow, flag: str, capsys: pytest.CaptureFixture[str]
) -> None:
    cancelled(airflow)
    assert backfill_command(DATES, **{flag: True}) == 0, capsys.readouterr().err
    again = KEYS - {str(DATES.first)} if flag == "rerun_failed_tasks" else KEYS
    assert airflow.startable() == again


def test_clear_of_the_ui_starts_them(airflow: Airflow) -> None:
    cancelled(airflow)
    airflow.clear(*DATES.days)
    assert airflow.startable() == KEYS


def test_what_was_cleared_at_once_is_started_by_the_sweep(airflow: Airflow) -> None:
    airflow.cancel(airflow.backfill(DATES))
    airflow.clear(*DATES.days)
    assert airflow.startable() == set()
    airflow.sweep()
    assert airflow.startable() == KEYS


def test_backfill_that_somebody_paused_stays_paused(airflow: Airflow) -> None:
    airflow.pause(airflow.backfill(DATES))
    airflow.sweep()
    assert airflow.startable() == set()
    assert airflow.subjects() == []


def test_rerun_after_a_cancel_is_mailed_with_all_its_dates(airflow: Airflow) -> None:
    cancelled(airflow)
    backfill_command(DATES, rerun_failed_tasks=True)
    airflow.run("complete", *DATES.days[1:])
    airflow.summarise()
    rest = DateRange(DATES.days[1], DATES.last)
    assert airflow.subjects() == [
        f"[Cancelled] {DAG} {DATES}: 1 of 4 dates complete, 3 cancelled",
        f"[OK] {DAG} {rest}: 3 dates complete",
    ]
