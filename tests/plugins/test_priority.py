"""Who gets a free worker first, by Airflow's own query on its own tables."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from types import SimpleNamespace
from typing import Any

import pytest

from tests.plugins.scheduling import Scheduler, backfill, bag_since, live_day, scheduler

MAIL = "backfill_summary"
SOURCE_DAGS = (
    "bdl_box_scores",
    "bigdataball_play_by_play",
    "nbacom_box_scores",
    "nbacom_schedule",
    "odds_api_props",
)


@pytest.fixture(scope="module")
def due(books: str) -> Iterator[Scheduler]:
    """Two DAGs are backfilled; then a live run of each source and a mail are due."""
    with scheduler(bag_since(live_day()), *SOURCE_DAGS, MAIL) as found:
        for dag_id in ("bdl_box_scores", "nbacom_schedule"):
            backfill(dag_id, date(2025, 1, 1), date(2025, 1, 5))
        found.unpause("bdl_box_scores", "nbacom_schedule")
        found.turns(2)
        found.unpause(*SOURCE_DAGS)
        found.turns(2)
        found.unpause(MAIL)
        found.turns(2)
        yield found


def test_the_mail_goes_first_then_live_dates_and_backfills_last(due: Scheduler) -> None:
    tasks = due.next_tasks(workers=128)
    live = sorted({dag_id for dag_id, kind in tasks if (dag_id, kind) != (MAIL, "scheduled")})
    assert set(SOURCE_DAGS) <= set(live)
    order = [MAIL if dag_id == MAIL else kind for dag_id, kind in tasks]
    backfills = order.count("backfill")
    assert backfills >= 2
    assert order == [MAIL, *["scheduled"] * (len(order) - 1 - backfills), *["backfill"] * backfills]


def test_a_live_date_that_is_cleared_still_goes_before_a_backfill_that_is_cleared(
    due: Scheduler,
) -> None:
    due.clear("nbacom_schedule")
    assert due.weights("nbacom_schedule") == {"scheduled": {100}, "backfill": {1}}


@pytest.mark.parametrize("dag_run", [None, SimpleNamespace(run_type="manual")])
@pytest.mark.parametrize(
    ("run_id", "weight"),
    [("inputs__2025-01-15__ab", 1), ("backfill__2025-01-15", 1), ("manual__2025", 100)],
)
def test_what_follows_from_changed_inputs_waits_for_live_dates(
    airflow_environment: None, run_id: str, weight: int, dag_run: Any
) -> None:
    from nba_airflow.priority import LiveFirst

    made = SimpleNamespace(run_id=run_id, dag_run=dag_run)
    assert LiveFirst().get_weight(made) == weight
