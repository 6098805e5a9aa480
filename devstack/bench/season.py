"""``season_at_limit``: how much of an upstream's limit a backfill uses, judged by the sandbox's
clock."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date

from devstack.bench.installation import installed
from devstack.bench.lines import Line
from devstack.sandbox.judge import judged

SOURCE = "balldontlie"
LIMIT, WINDOW = 60, 60.0
SEASON = (date(2024, 10, 22), date(2025, 4, 13))
"""174 dates of a request each: the box scores; the schedule comes first, of one for the season."""


def bench() -> Iterator[Line]:
    """The share of the limit, and how often it was exceeded."""
    with installed() as system:
        system.backfill("bdl_box_scores", *SEASON)
        requests = [entry for entry in system.requests() if entry["source"] == SOURCE]
    verdict = judged(requests, windows=[WINDOW])[SOURCE]
    moments = [entry["mono"] for entry in requests]
    used = share_of_limit(moments, LIMIT, WINDOW)
    yield Line(
        name="season_at_limit",
        value=used * LIMIT,
        unit="requests/min",
        against=f"the limit: {LIMIT} requests/min, {len(requests)} requests",
        ratio=used,
    )
    fullest = max(worst[f"{WINDOW:g}s"] for worst in verdict.worst.values())
    yield Line(
        name="season_fullest_minute",
        value=fullest,
        unit="requests",
        against=f"the limit: {LIMIT} requests",
        ratio=fullest / LIMIT,
    )
    yield Line(name="season_violations", value=verdict.limited, unit="requests refused")


def share_of_limit(moments: Sequence[float], limit: int, window: float) -> float:
    """The requests after the first window, divided by what the limit allows from its end to the
    last request: the first window is free to be filled at once and proves nothing."""
    ordered = sorted(moments)
    begin = ordered[0] + window
    later = [moment for moment in ordered if moment >= begin]
    if not later or later[-1] <= begin:
        raise ValueError("all requests were sent within the first window")
    return len(later) / (limit * (later[-1] - begin) / window)
