"""What an operator is told of a limiter is what the limiter itself goes by."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from include.http.addresses import MAX_FAILURES
from include.limits.health import SharedHealth
from include.limits.limiter import Limiter
from include.limits.state import LimiterState, WindowUse, limiter_states
from include.ops.db import connect
from include.ops.session import Session
from include.sources.spec import Window

WINDOWS = (Window(limit=60, seconds=60.0), Window(limit=1000, seconds=3600.0))
NAMES = ("up", "up@0123abcd", "upper")


@pytest.fixture
def db(ops_db: str) -> Iterator[psycopg.Connection[Any]]:
    with connect(ops_db) as connection:
        connection.autocommit = True
        connection.execute(
            "TRUNCATE ops.limiters, ops.limiter_windows, ops.limiter_requests, ops.address_health"
        )
        yield connection


@pytest.fixture
def limiter(ops_db: str) -> Iterator[Limiter]:
    with Session(ops_db) as session:
        yield Limiter(
            session, dict.fromkeys(NAMES, WINDOWS), request_timeout=45.0, sleep=lambda seconds: None
        )


def uses(minute: int, hour: int) -> tuple[WindowUse, ...]:
    return (
        WindowUse(limit=60, seconds=60.0, used=minute),
        WindowUse(limit=1000, seconds=3600.0, used=hour),
    )


def come(db: psycopg.Connection[Any]) -> None:
    """The moment of all that is booked is now."""
    db.execute("UPDATE ops.limiter_requests SET admitted_at = least(admitted_at, now())")


def test_limiter_that_was_never_asked_is_empty(db: psycopg.Connection[Any]) -> None:
    assert limiter_states(db, "up", WINDOWS) == [LimiterState(name="up", windows=uses(0, 0))]


def test_requests_count_in_every_window_that_they_are_young_enough_for(
    db: psycopg.Connection[Any], limiter: Limiter
) -> None:
    limiter.admit("up", max_wait=5.0).release()
    db.execute("UPDATE ops.limiter_requests SET done_at = done_at - %s", (timedelta(minutes=2),))
    limiter.admit("up", max_wait=5.0)
    come(db)
    assert limiter_states(db, "up", WINDOWS) == [LimiterState(name="up", windows=uses(1, 2))]


def test_request_that_is_booked_ahead_counts_from_its_moment_on(
    db: psycopg.Connection[Any], limiter: Limiter
) -> None:
    limiter.admit("up", max_wait=5.0).release()
    come(db)
    limiter.admit("up", max_wait=5.0)
    db.execute(
        "UPDATE ops.limiter_requests SET admitted_at = clock_timestamp() + interval '1 hour'"
        " WHERE NOT released"
    )
    assert limiter_states(db, "up", WINDOWS) == [LimiterState(name="up", windows=uses(1, 1))]
    come(db)
    assert limiter_states(db, "up", WINDOWS) == [LimiterState(name="up", windows=uses(2, 2))]


def test_each_proxy_has_its_own_line_and_other_hosts_have_none(
    db: psycopg.Connection[Any], limiter: Limiter
) -> None:
    for name in NAMES:
        limiter.admit(name, max_wait=5.0).release()
    assert limiter_states(db, "up", WINDOWS) == [
        LimiterState(name="up", windows=uses(1, 1)),
        LimiterState(name="up@0123abcd", windows=uses(1, 1)),
    ]


def test_pause_is_told_until_it_is_over_and_refusals_until_they_are_made_up_for(
    db: psycopg.Connection[Any], limiter: Limiter
) -> None:
    until = limiter.slow_down("up", 30.0)
    assert limiter_states(db, "up", WINDOWS) == [
        LimiterState(name="up", windows=uses(0, 0), paused_until=until, refusals=1)
    ]
    db.execute("UPDATE ops.limiters SET paused_until = clock_timestamp()")
    assert limiter_states(db, "up", WINDOWS) == [
        LimiterState(name="up", windows=uses(0, 0), refusals=1)
    ]


def test_proxy_of_a_key_is_told_of_only_in_its_cooldown(
    db: psycopg.Connection[Any], limiter: Limiter, ops_db: str
) -> None:
    limiter.admit("up", max_wait=5.0).release()
    with Session(ops_db) as session:
        health = SharedHealth(session)
        health.failed("up@well")
        for _ in range(MAX_FAILURES):
            health.failed("up@ill")
        until = health.cooldown_until("up@ill")
    assert limiter_states(db, "up", WINDOWS) == [
        LimiterState(name="up", windows=uses(1, 1)),
        LimiterState(name="up@ill", windows=(), cooldown_until=until),
    ]
