"""A scheduler's ledger as after its start, on a clock of the test."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest
from psycopg.conninfo import conninfo_to_dict


class Clock:
    """Seconds that pass when a test says so."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The scheduler's ledger as after its start, on this clock."""
    clock = Clock()
    with suppress(ImportError):  # so that this can be held against code that has no ledger
        from nba_airflow.metadata.ledger import LEDGER

        monkeypatch.setattr(LEDGER, "_monotonic", clock)
        monkeypatch.setattr(LEDGER, "_again_at", 0.0)
    return clock


def ops_db_is(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    """The connection `ops_db` as an operator has corrected it."""
    parts = conninfo_to_dict(address)
    fields = {"host": parts["host"], "login": parts["user"], "schema": parts["dbname"]}
    if "port" in parts:
        fields["port"] = parts["port"]
    value = {"conn_type": "postgres", **fields}
    monkeypatch.setenv("AIRFLOW_CONN_OPS_DB", json.dumps(value))
