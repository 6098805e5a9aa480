"""A person lifts what holds a connection's requests back: pauses, closed proxies, used-up
credits."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest

from include.http.addresses import MAX_FAILURES
from include.limits.allowance import month_of, next_month
from include.limits.health import SharedHealth
from include.limits.limiter import Limiter
from include.limits.pauses import Pause, lift_pauses, list_pauses
from include.ops.db import connect
from include.ops.session import Session
from include.outcome import Later
from include.sources.spec import Window

NAMES = ("odds", "odds@0123abcd", "odds_other")
WINDOWS = (Window(limit=1000, seconds=1.0),)


@pytest.fixture
def db(ops_db: str) -> Iterator[psycopg.Connection[Any]]:
    with connect(ops_db) as connection:
        connection.execute(
            "TRUNCATE ops.limiters, ops.limiter_windows, ops.limiter_requests, ops.address_health,"
            " ops.credit_months"
        )
        connection.commit()
        yield connection


@pytest.fixture
def session(ops_db: str) -> Iterator[Session]:
    with Session(ops_db) as session:
        yield session


@pytest.fixture
def limiter(session: Session) -> Limiter:
    return Limiter(session, dict.fromkeys(NAMES, WINDOWS), sleep=lambda seconds: None)


def close_proxy(session: Session, name: str) -> datetime:
    """Lets the address fail until it is in cooldown; returns when it may be probed."""
    health = SharedHealth(session)
    for _ in range(MAX_FAILURES):
        health.failed(name)
    until = health.cooldown_until(name)
    assert until
    return until


def use_up_credits(db: psycopg.Connection[Any], account: str) -> datetime:
    """As the upstream's refusal leaves the month; returns when the next one begins."""
    today = datetime.now(UTC).date()
    db.execute(
        "INSERT INTO ops.credit_months (account, month, exhausted_under) VALUES (%s, %s, 500)",
        (account, month_of(today)),
    )
    db.commit()
    return datetime.combine(next_month(today), datetime.min.time(), UTC)


def test_all_that_holds_a_connection_back_is_listed_and_lifted(
    db: psycopg.Connection[Any], session: Session, limiter: Limiter, ops_db: str
) -> None:
    paused = [limiter.slow_down(name, 3000.0) for name in NAMES]
    cooled = [close_proxy(session, name) for name in ("odds@0123abcd", "odds_other@0123abcd")]
    reset = [use_up_credits(db, name) for name in ("odds", "odds_other")]
    found = [
        Pause(name="odds@0123abcd", kind="cooldown", until=cooled[0]),
        Pause(name="odds", kind="credits", until=reset[0]),
        Pause(name="odds", kind="pause", until=paused[0]),
        Pause(name="odds@0123abcd", kind="pause", until=paused[1]),
    ]
    others = [
        Pause(name="odds_other@0123abcd", kind="cooldown", until=cooled[1]),
        Pause(name="odds_other", kind="credits", until=reset[1]),
        Pause(name="odds_other", kind="pause", until=paused[2]),
    ]
    assert list_pauses(db, "odds") == found

    assert lift_pauses(db, "odds") == found

    with connect(ops_db) as another:
        assert (list_pauses(another, "odds"), list_pauses(another, "odds_other")) == ([], others)
        assert lift_pauses(another, "odds") == []


def test_requests_go_on_at_once_and_earlier_refusals_are_forgotten(
    db: psycopg.Connection[Any], limiter: Limiter
) -> None:
    for _ in range(3):
        limiter.slow_down("odds", 3000.0)
        with pytest.raises(Later):
            limiter.admit("odds", max_wait=5.0)
        lift_pauses(db, "odds")
        refusals = db.execute("SELECT refusals FROM ops.limiters WHERE name = 'odds'").fetchone()
        assert refusals == (0,)
        db.commit()
        limiter.admit("odds", max_wait=0.0).release()


def test_proxy_is_used_again_at_once(db: psycopg.Connection[Any], session: Session) -> None:
    close_proxy(session, "odds@0123abcd")
    health = SharedHealth(session)
    assert not health.claim("odds@0123abcd")
    lift_pauses(db, "odds")
    assert [health.claim("odds@0123abcd") for _ in range(2)] == [True, True]
