"""``plan``: what `airflow nba plan` says of three backfills, beside what they take."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date

from devstack.bench.installation import Installation, installed
from devstack.bench.lines import Line, compared

SEASON = (date(2024, 11, 1), date(2025, 1, 5))
CANARY = (date(2024, 11, 4), date(2024, 11, 6))
"""What is measured before: without it the plan goes by what the spec declares."""
WINDOWS = {
    "bdl_box_scores": (date(2024, 11, 7), date(2025, 1, 5)),
    "nbacom_box_scores": (date(2024, 12, 1), date(2024, 12, 14)),
    "odds_api_props": (date(2024, 12, 1), date(2024, 12, 20)),
}
SOURCES = {
    "bdl_box_scores": {"balldontlie"},
    "nbacom_box_scores": {"nba_stats", "nba_cdn"},
    "odds_api_props": {"the_odds_api"},
}


def bench() -> Iterator[Line]:
    """The minutes of each to the nearer end of its plan's range, its requests and credits to the
    plan's."""
    with installed() as system:
        system.backfill("nbacom_schedule", *SEASON)
        for dag_id, window in WINDOWS.items():
            system.backfill(dag_id, *CANARY)
            yield from _compared(system, dag_id, *window)


def _compared(system: Installation, dag_id: str, first: date, last: date) -> Iterator[Line]:
    """Planned, then made; what the preflight asks before the order is not in a plan."""
    words = f"nba plan {dag_id} -s {first} -e {last} -o json"
    plan = json.loads(system.command(words).stdout)
    system.backfill(dag_id, first, last)
    window = (dag_id, str(first), str(last))
    ((ordered, ended),) = system.metadata(_FROM_ORDER_TO_END, *window)
    took = (ended - ordered) / 60
    low, high = plan["minutes_low"], plan["minutes_high"]
    yield Line(
        name=f"plan_minutes_{dag_id}",
        value=took,
        unit="min",
        against=f"the plan: {low:.2g} to {high:.2g} min",
        ratio=took / min(max(took, low), high),
    )
    asked = [
        entry
        for entry in system.requests()
        if entry["source"] in SOURCES[dag_id] and ordered <= entry["t"] <= ended
    ]
    requests, spent = float(len(asked)), float(sum(entry["billed"] for entry in asked))
    yield compared(f"plan_requests_{dag_id}", requests, "requests", "the plan", plan["requests"])
    if plan["credits"]:
        yield compared(f"plan_credits_{dag_id}", spent, "credits", "the plan", plan["credits"])


_FROM_ORDER_TO_END = """
    SELECT extract(epoch FROM min(queued_at))::float, extract(epoch FROM max(end_date))::float
    FROM dag_run
    WHERE dag_id = %s AND partition_key BETWEEN %s AND %s AND run_type = 'backfill'
"""
"""Of the first run and the last; the command's own start is not in a plan."""
