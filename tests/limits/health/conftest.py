"""Addresses that are all well, and the health of any number of processes on them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from include.limits.health import SharedHealth
from include.ops.db import connect
from include.ops.session import Session
from tests.limits.health.address import Db, Make


@pytest.fixture
def db(ops_db: str) -> Iterator[Db]:
    """All addresses are well; the connection sees and moves what is known of them."""
    with connect(ops_db) as connection:
        connection.autocommit = True
        connection.execute("TRUNCATE ops.address_health")
        yield connection


@pytest.fixture
def make(ops_db: str, db: Db) -> Iterator[Make]:
    """``make(now=...)``: another process's health."""
    made: list[Session] = []

    def health(**settings: Any) -> SharedHealth:
        made.append(Session(ops_db))
        return SharedHealth(made[-1], **settings)

    yield health
    for one in made:
        one.close()
