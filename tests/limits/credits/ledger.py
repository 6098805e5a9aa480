"""The accounts and times of these tests, and what they ask the ledger."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from include.limits.credits import Meter
from include.outcome import Later

ODDS = "the_odds_api"
NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)
REQUEST_TIMEOUT = timedelta(minutes=5)


@dataclass
class Clock:
    """The time of the meters and of the upstream."""

    now: datetime = NOON

    def __call__(self) -> datetime:
        return self.now

    def pass_(self, **by: float) -> None:
        self.now += timedelta(**by)


MakeMeter = Callable[..., Meter]


def empty(db: psycopg.Connection[Any]) -> None:
    db.execute("TRUNCATE ops.credit_months, ops.credit_reservations")


def refused(meter: Meter, cost: int) -> tuple[datetime, int]:
    """(until, left) of a reservation that must wait."""
    with pytest.raises(Later) as wait:
        meter.reserve(ODDS, cost)
    left = re.match(
        rf"{ODDS}: the request needs up to {cost} credits and (\d+) may be used now;",
        wait.value.reason,
    )
    assert left
    return wait.value.until, int(left[1])


def spend(meter: Meter, cost: int, *, used: int | None = None) -> None:
    reservation = meter.reserve(ODDS, cost)
    reservation.settle(cost=cost, used=used, remaining=None if used is None else 500 - used)


def open_reservations(db: psycopg.Connection[Any]) -> int:
    row = db.execute("SELECT count(*) FROM ops.credit_reservations").fetchone()
    assert row is not None
    return row[0]
