"""Hands our totals to Airflow's own metrics (statsd or OpenTelemetry, whichever it is told to use).

The scheduler does it, whenever a summary starts: at the end of each batch and every five minutes.
It lives on, so that one process has all of them.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import psycopg


def emit_totals(connection: psycopg.Connection[Any], open_runs: Collection[str]) -> None:
    """Emits every gauge. ``open_runs``: the ids of the runs that are queued or running. Without
    metrics in Airflow's settings it costs the queries only."""
    # Not airflow.observability: only the task SDK's emitter is set up in every process (3.3.2).
    from airflow.sdk.observability import stats

    from include.ops.metrics import read_gauges

    for gauge in read_gauges(connection, open_runs):
        stats.gauge(gauge.name, gauge.value, tags=dict(gauge.tags))
