"""An empty ledger, and the meters of any number of processes on it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from include.limits.allowance import Purpose
from include.limits.credits import Meter
from include.ops.db import connect
from include.ops.session import Session
from include.sources.spec import Credits
from tests.limits.credits.ledger import ODDS, Clock, MakeMeter, empty


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def db(ops_db: str) -> Iterator[psycopg.Connection[Any]]:
    with connect(ops_db) as connection:
        connection.autocommit = True
        empty(connection)
        yield connection


@pytest.fixture
def meter(ops_db: str, db: psycopg.Connection[Any], clock: Clock) -> Iterator[MakeMeter]:
    """``meter("backfill", spread=..., monthly=...)``: another process's meter of 500 credits, 100
    of them for live."""
    made: list[Session] = []

    def make(purpose: Purpose, *, spread: bool = False, monthly: int = 500) -> Meter:
        credits = Credits(monthly=monthly, live_reserve=100)
        made.append(Session(ops_db))
        return Meter(made[-1], {ODDS: credits}, purpose=purpose, spread=spread, now=clock)

    yield make
    for one in made:
        one.close()
