"""How the limiters stand, read from their tables: what is used of each window, and which are paused
or in cooldown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg

from include.sources.spec import Window


@dataclass(frozen=True, kw_only=True)
class WindowUse:
    """``used`` of ``limit`` places of the last ``seconds`` are taken."""

    limit: int
    seconds: float
    used: int


@dataclass(frozen=True, kw_only=True)
class LimiterState:
    """One address and its limiter. ``paused_until`` is aware, None while it goes on; ``refusals``
    is how many in a row are to be made up for. ``windows`` is empty for a proxy without a limiter
    of its own, whose requests count for the connection's key.

    ``cooldown_until``, aware too, is when a proxy that failed too often may be probed; None while
    it may be used.
    """

    name: str
    windows: tuple[WindowUse, ...]
    paused_until: datetime | None = None
    refusals: int = 0
    cooldown_until: datetime | None = None


def limiter_states(
    connection: psycopg.Connection[Any], host: str, windows: Sequence[Window]
) -> list[LimiterState]:
    """The limiters of a host (its connection id) by name, one per proxy where there is no key; one
    that was never used where none was. And its proxies in their cooldown."""
    known = connection.execute(
        "SELECT name, CASE WHEN paused_until > clock_timestamp() THEN paused_until END,"
        " coalesce(refusals, 0),"
        " CASE WHEN cooldown_until > clock_timestamp() THEN cooldown_until END,"
        " refusals IS NOT NULL FROM ops.limiters FULL JOIN ops.address_health USING (name)"
        " WHERE split_part(name, '@', 1) = %s"
        " AND (refusals IS NOT NULL OR cooldown_until > clock_timestamp()) ORDER BY name",
        (host,),
    ).fetchall()
    return [
        LimiterState(
            name=name,
            windows=tuple(_use(connection, name, window) for window in windows if limits),
            paused_until=paused_until,
            refusals=refusals,
            cooldown_until=cooldown_until,
        )
        for name, paused_until, refusals, cooldown_until, limits in (
            known or [(host, None, 0, None, True)]
        )
    ]


def _use(connection: psycopg.Connection[Any], name: str, window: Window) -> WindowUse:
    # A request that is booked ahead takes the place of one that will have left the window by then.
    row = connection.execute(
        "SELECT count(*) FROM ops.limiter_requests WHERE name = %s"
        " AND admitted_at <= clock_timestamp()"
        " AND done_at > clock_timestamp() - make_interval(secs => %s)",
        (name, window.seconds),
    ).fetchone()
    assert row is not None
    return WindowUse(limit=window.limit, seconds=window.seconds, used=row[0])
