"""Hands our totals to Airflow's own metrics (statsd or OpenTelemetry, whichever it is told to use).

The scheduler does it, whenever a summary starts: at the end of each batch and every five minutes.
It lives on, so that one process has all of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import psycopg


def emit_totals(connection: psycopg.Connection[Any]) -> int:
    """Emits every gauge; how many there were. Without metrics in Airflow's settings it costs the
    queries only."""
    # Not airflow.observability: only the task SDK's emitter is set up in every process (3.3.2).
    from airflow.sdk.observability import stats

    from include.ops.metrics import read_gauges

    gauges = read_gauges(connection)
    for gauge in gauges:
        stats.gauge(gauge.name, gauge.value, tags=dict(gauge.tags))
    return len(gauges)
