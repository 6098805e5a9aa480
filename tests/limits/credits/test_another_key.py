"""A new key in the connection is another account: what the upstream said of the old one does not
outlive it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

from include.limits.credit_rows import balance
from include.limits.credits import Meter
from include.ops.session import Session
from include.sources.spec import Credits
from tests.limits.credits.ledger import ODDS, Clock, refused

With = Callable[[str], Meter]


@pytest.fixture
def with_key(ops_db: str, db: psycopg.Connection[Any], clock: Clock) -> Iterator[With]:
    """Another process's meter of 500 credits, with this key in the connection."""
    with Session(ops_db) as session:
        allowances = {ODDS: Credits(monthly=500, live_reserve=0)}
        yield lambda key: Meter(session, allowances, purpose="live", keys={ODDS: key}, now=clock)


def use_up(meter: Meter) -> None:
    meter.reserve(ODDS, 10).settle(cost=10, used=500, remaining=0)
    meter.exhausted(ODDS)
    assert refused(meter, 10)[1] == 0


def test_new_key_has_its_own_credits_and_the_old_one_has_none(
    with_key: With, db: psycopg.Connection[Any], clock: Clock
) -> None:
    use_up(with_key("old"))
    assert refused(with_key("old"), 10)[1] == 0

    with_key("new").reserve(ODDS, 10).settle(cost=10, used=10, remaining=490)

    month = balance(db, ODDS, clock.now.date())
    assert (month.billed, month.committed, month.exhausted_under) == (10, 10, 0)
    assert with_key("new").reserve(ODDS, 490).amount == 490


def test_what_comes_late_about_the_old_key_says_nothing_of_the_new_one(
    with_key: With, db: psycopg.Connection[Any], clock: Clock
) -> None:
    old = with_key("old")
    late = old.reserve(ODDS, 10)
    with_key("new").reserve(ODDS, 10).settle(cost=10, used=10, remaining=490)
    late.settle(cost=10, used=500, remaining=0)
    old.exhausted(ODDS)
    month = balance(db, ODDS, clock.now.date())
    assert (month.billed, month.upstream_total, month.exhausted_under) == (10, 500, 0)
    assert month.committed == 20


def test_without_a_key_nothing_is_told_apart(with_key: With) -> None:
    use_up(with_key(""))
    assert refused(with_key(""), 10)[1] == 0


def test_the_ledger_does_not_show_the_key(
    with_key: With, db: psycopg.Connection[Any], clock: Clock
) -> None:
    with_key("a-key-that-nobody-may-see").reserve(ODDS, 10)
    row = db.execute("SELECT m::text FROM ops.credit_months m").fetchone()
    assert row is not None
    assert "nobody" not in row[0]
    assert len(balance(db, ODDS, clock.now.date()).key_hash) == 8
