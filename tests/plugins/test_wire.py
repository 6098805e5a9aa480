"""The wire of a task: what it opens in the operations database, and that it is all closed at the
end."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from devstack.sandbox.server import Sandbox, running
from include.http.addresses import addresses
from include.limits.health import SharedHealth
from include.ops import db
from nba_airflow.wire import wire
from tests.steps.credentials import ONE, PASSWORDS, TWO, proxy

if TYPE_CHECKING:
    from include.sources.spec import Source

DAG = "nbacom_schedule"


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with running(
        tmp_path_factory.mktemp("sandbox"), limits={"nba_stats": []}, proxies=PASSWORDS
    ) as server:
        yield server


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[psycopg.Connection[Any]]:
    """The connections to the operations database that are opened from now on."""
    found: list[psycopg.Connection[Any]] = []
    connect = db.connect

    def remembered(url: str) -> psycopg.Connection[Any]:
        found.append(connect(url))
        return found[-1]

    monkeypatch.setattr(db, "connect", remembered)
    return found


def asked_twice(
    monkeypatch: pytest.MonkeyPatch,
    sources: dict[str, Source],
    sandbox: Sandbox,
    ops_db: str,
    proxies: list[str],
) -> list[str]:
    """The addresses that two requests of one task came from, with these proxies in the
    connection."""
    extra = {"proxies": proxies, "windows": [[1000, 1]]}
    connection = {"conn_type": "http", "host": sandbox.base("nba_stats"), "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_NBA_STATS", json.dumps(connection))
    monkeypatch.setenv(
        "AIRFLOW_CONN_OPS_DB", json.dumps({"conn_type": "generic", "extra": {"url": ops_db}})
    )
    before = len(sandbox.log())
    get = sources[DAG].endpoint("schedule").request
    with wire(sources[DAG], "backfill") as lines:
        for _ in range(2):
            lines.client.get(lines.upstreams["nba_stats"], get, {"season": "2024-25"})
    return [entry["address"] for entry in sandbox.log()[before:]]


def test_a_proxy_that_others_have_rested_is_left_alone(
    monkeypatch: pytest.MonkeyPatch,
    sources: dict[str, Source],
    sandbox: Sandbox,
    ops_db: str,
    opened: list[psycopg.Connection[Any]],
) -> None:
    proxies = [proxy(sandbox, user) for user in (ONE, TWO)]
    blocked, _ = addresses("nba_stats", tuple(proxies))
    other = SharedHealth(lambda: psycopg.connect(ops_db))
    for _ in range(3):
        other.failed(blocked.name)
    other.close()
    assert asked_twice(monkeypatch, sources, sandbox, ops_db, proxies) == [TWO, TWO]
    assert [connection.closed for connection in opened] == [
        True,
        True,
    ]  # the health's and the limiter's


def test_without_proxies_nobody_asks_how_they_are(
    monkeypatch: pytest.MonkeyPatch,
    sources: dict[str, Source],
    sandbox: Sandbox,
    ops_db: str,
    opened: list[psycopg.Connection[Any]],
) -> None:
    assert asked_twice(monkeypatch, sources, sandbox, ops_db, []) == ["127.0.0.1"] * 2
    assert [connection.closed for connection in opened] == [True]
