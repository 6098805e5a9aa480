"""What is to be looked at in a batch before its breaker opens: errors, pace, seconds by phase."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from include.guards.breaker import Window, find_warnings
from include.ops import backfills, breakers
from include.ops.batches import BatchRun, dag_of
from nba_airflow.guards import read_thresholds

if TYPE_CHECKING:
    import psycopg


def read_warnings(
    connection: psycopg.Connection[Any], batch_id: str, runs: Sequence[BatchRun]
) -> list[str]:
    """Of the batch's dates that have ended, the newest of them; one line each."""
    most = read_thresholds(dag_of(batch_id))
    ended = {run.run_id: run for run in runs if run.started_at and run.ended_at}
    by_end = sorted(ended.values(), key=lambda run: str(run.ended_at))
    states = {run.run_id: run.state for run in by_end[-most.window :]}
    plan = backfills.read_plans(connection, [batch_id]).get(batch_id, {})
    window = Window(
        dates=breakers.read_ended(connection, dag_of(batch_id), states),
        planned=breakers.planned_seconds(plan),
    )
    return find_warnings(window, most)
