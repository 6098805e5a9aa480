"""The wire of a task: all of it shares the one connection of the task's session."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from devstack.sandbox.server import Sandbox, running
from include.errors import Problem
from include.http.addresses import addresses
from include.limits.health import SharedHealth
from include.ops.db import connect
from include.ops.session import Session
from include.outcome import Later
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


def the_task(ops_db: str, opened: list[psycopg.Connection[Any]]) -> Session:
    """A task's session, whose connections are remembered in ``opened``."""

    def remembered(url: str, application_name: str) -> psycopg.Connection[Any]:
        opened.append(connect(url, application_name=application_name))
        return opened[-1]

    return Session(ops_db, connect=remembered)


def asked_twice(
    monkeypatch: pytest.MonkeyPatch,
    sources: dict[str, Source],
    sandbox: Sandbox,
    session: Session,
    proxies: list[str],
) -> list[str]:
    """The addresses that two requests of one task came from, with these proxies in the
    connection."""
    extra = {"proxies": proxies, "windows": [[1000, 1]]}
    connection = {"conn_type": "http", "host": sandbox.base("nba_stats"), "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_NBA_STATS", json.dumps(connection))
    before = len(sandbox.log())
    get = sources[DAG].endpoint("schedule").request
    with wire(session, sources[DAG], "backfill") as lines:
        for _ in range(2):
            lines.client.get(lines.upstreams["nba_stats"], get, {"season": "2024-25"})
    return [entry["address"] for entry in sandbox.log()[before:]]


def test_a_proxy_in_cooldown_is_left_alone(
    monkeypatch: pytest.MonkeyPatch,
    sources: dict[str, Source],
    sandbox: Sandbox,
    ops_db: str,
) -> None:
    opened: list[psycopg.Connection[Any]] = []
    proxies = [proxy(sandbox, user) for user in (ONE, TWO)]
    blocked, _ = addresses("nba_stats", tuple(proxies))
    with Session(ops_db) as other:
        for _ in range(3):
            SharedHealth(other).failed(blocked.name)
    with the_task(ops_db, opened) as session:
        assert asked_twice(monkeypatch, sources, sandbox, session, proxies) == [TWO, TWO]
    assert [connection.closed for connection in opened] == [True]


def test_without_proxies_nobody_asks_how_they_are(
    monkeypatch: pytest.MonkeyPatch,
    sources: dict[str, Source],
    sandbox: Sandbox,
    ops_db: str,
) -> None:
    opened: list[psycopg.Connection[Any]] = []
    with the_task(ops_db, opened) as session:
        assert asked_twice(monkeypatch, sources, sandbox, session, []) == ["127.0.0.1"] * 2
    assert [connection.closed for connection in opened] == [True]


def test_two_proxies_do_not_make_two_limits_of_one_key(
    monkeypatch: pytest.MonkeyPatch, sources: dict[str, Source], sandbox: Sandbox, ops_db: str
) -> None:
    proxies = [proxy(sandbox, user) for user in (ONE, TWO)]
    extra = {"proxies": proxies, "windows": [[1, 3600]]}
    connection = {
        "conn_type": "http",
        "host": sandbox.base("balldontlie"),
        "password": "wrong-key",
        "extra": extra,
    }
    monkeypatch.setenv("AIRFLOW_CONN_BALLDONTLIE", json.dumps(connection))
    source = sources["bdl_box_scores"]
    get = source.endpoint("box_scores").request
    before = len(sandbox.log())
    with Session(ops_db) as session, wire(session, source, "backfill") as lines:
        for ending in (Problem, Later, Later):  # the key is wrong; then its limit is reached
            with pytest.raises(ending):
                lines.client.get(lines.upstreams["balldontlie"], get, {"day": "2025-01-15"})
    assert len(sandbox.log()) == before + 1


def test_used_up_credits_of_one_key_do_not_hold_back_another(
    monkeypatch: pytest.MonkeyPatch, sources: dict[str, Source], sandbox: Sandbox, ops_db: str
) -> None:
    monkeypatch.setattr("include.limits.credits._is_this_months", lambda now: True)
    sandbox.faults([{"source": "the_odds_api", "kind": "out_of_credits", "times": 1}])
    source, asked = sources["odds_api_props"], []
    get = source.endpoint("player_props").listing
    assert get
    for key in ("first-key", "first-key", "second-key"):
        connection = {"conn_type": "http", "host": sandbox.base("the_odds_api"), "password": key}
        monkeypatch.setenv("AIRFLOW_CONN_THE_ODDS_API", json.dumps(connection))
        before = len(sandbox.log())
        with (
            Session(ops_db) as session,
            wire(session, source, "live") as lines,
            suppress(Problem, Later),
        ):
            lines.client.get(lines.upstreams["the_odds_api"], get, {"day": "2025-01-15"})
        asked.append(len(sandbox.log()) - before)
    assert asked == [1, 0, 1]
