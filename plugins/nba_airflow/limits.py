"""How the limits of a connection stand: its limiters, what holds its requests back, its credits."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from include.errors import Problem
from nba_airflow import connections

if TYPE_CHECKING:
    import psycopg

    from include.sources.spec import Host


def read_limits(ledger: psycopg.Connection[Any], host: Host) -> dict[str, Any]:
    """Its ``limiters``, ``pauses`` and ``credits`` (None where none are sold); or what is wrong
    with the connection, so that the others are shown all the same."""
    from include.limits.pauses import list_pauses
    from include.limits.state import limiter_states

    facts: dict[str, Any] = {
        "connection": host.connection,
        "problem": "",
        "limiters": [],
        "pauses": [],
        "credits": None,
    }
    try:
        host, _ = connections.reached(host)
    except Problem as problem:
        return {**facts, "problem": problem.message}
    states = limiter_states(ledger, host.connection, host.windows)
    facts["limiters"] = [*map(asdict, states)]
    facts["pauses"] = [*map(asdict, list_pauses(ledger, host.connection))]
    if host.credits:
        facts["credits"] = _read_credits(ledger, host, datetime.now(UTC))
    return facts


def _read_credits(ledger: psycopg.Connection[Any], host: Host, now: datetime) -> dict[str, Any]:
    """In credits of this UTC month: ``left`` is for live runs, of which no backfill gets
    ``kept_for_live``; ``left_for_backfills`` is what those may use now. At the month's pace
    ``projected`` will have been used at its end, and nothing is left at ``projected_end``."""
    from include.limits import allowance
    from include.limits.credit_rows import balance

    assert host.credits
    month = balance(ledger, host.connection, now.date())
    return {
        "month": month.month,
        "total": allowance.total(month, host.credits),
        "used": month.billed,
        "reserved": month.open_live + month.open_backfill,
        "left": allowance.room(month, host.credits, "live"),
        "left_for_backfills": allowance.room_now(month, host.credits, now.date()),
        "live_reserve": host.credits.live_reserve,
        "kept_for_live": allowance.reserve_left(month, host.credits),
        "projected": allowance.project_use(month, now),
        "projected_end": allowance.project_end(month, host.credits, now),
    }
