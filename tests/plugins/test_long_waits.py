"""Dates that wait for days beside others, in the scheduler's own turns: none of them waits too."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import pytest

from tests.plugins.scheduling import Scheduler, backfill, bag_since, live_day, scheduler

SOURCE_DAGS = (
    "bdl_box_scores",
    "bigdataball_play_by_play",
    "nbacom_box_scores",
    "nbacom_schedule",
    "odds_api_props",
)
LATE = 16


@pytest.fixture
def waiting(books: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scheduler]:
    """Five DAGs catch up with 16 dates each, all of which wait; the live date is not due yet."""
    from airflow.models.dagrun import DagRun

    from include.settings import SETTINGS

    name = "AIRFLOW__SCHEDULER__MAX_DAGRUNS_PER_LOOP_TO_SCHEDULE"
    (setting,) = (s for s in SETTINGS if s.name == name)
    monkeypatch.setattr(DagRun, "DEFAULT_DAGRUNS_TO_EXAMINE", int(setting.value))
    with scheduler(bag_since(live_day(LATE + 1)), "backfill_summary") as found:
        found.turns(LATE)
        found.pause(*SOURCE_DAGS)
        found.defer_all()
        yield found


@pytest.mark.parametrize("dag_id", ["bdl_box_scores", "odds_api_props"])
def test_live_run_starts_beside_sixteen_dates_of_its_own_dag_that_wait(
    waiting: Scheduler, dag_id: str
) -> None:
    late = [str(live_day(n)) for n in range(LATE + 1, 1, -1)]
    assert waiting.runs(dag_id, "running") == late
    waiting.unpause(dag_id)
    waiting.turns(2)
    assert waiting.ready(dag_id) == {str(live_day())}


def test_a_backfill_starts_beside_five_dags_that_wait(waiting: Scheduler) -> None:
    backfill("nbacom_schedule", date(2025, 1, 1), date(2025, 1, 3))
    waiting.unpause(*SOURCE_DAGS)
    waiting.turns(2)
    wanted = {"2025-01-01", "2025-01-02", "2025-01-03", str(live_day())}
    assert waiting.ready("nbacom_schedule") == wanted
