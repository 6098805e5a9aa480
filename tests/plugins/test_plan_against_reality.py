"""Plan against reality: each source's dates are planned, then made, and what the sandbox has
counted and billed is what was planned, to the request and the credit."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from devstack.sandbox.server import Sandbox, running
from include.errors import Problem
from include.guards.needs import GAMES_PER_DATE
from include.guards.pace import START
from include.guards.plan import Plan
from include.ops.outcomes import record
from include.ops.session import Session
from include.partition import Partition, days_between
from include.sources.spec import Source
from include.steps.attempt import attempt
from include.steps.entry import Entry
from include.steps.job import Job
from nba_airflow import connections
from nba_airflow.planning import read_plan
from nba_airflow.wire import reach
from tests.steps.credentials import KEYS
from tests.steps.credentials import connections as sound_connections

DAYS = days_between(date(2024, 12, 23), date(2024, 12, 26))  # the second has no games
NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
PLENTY = {"monthly": 1_000_000, "live_reserve": 0, "spread": False}


@pytest.fixture
def sandbox(
    books: str, ops_db: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Sandbox]:
    """All upstreams, and Airflow's connections to them, with limits that nothing waits for."""
    unlimited: dict[str, Any] = {name: [] for name in (*KEYS, "nba_stats", "nba_cdn")}
    with running(tmp_path, keys=KEYS, limits=unlimited, monthly_credits=1_000_000) as server:
        found = sound_connections(server, ops_db)
        for name in unlimited:
            found[name]["extra"] = {**found[name].get("extra", {}), "windows": [[1000, 1]]}
            found[name]["extra"].pop("proxies", None)
        found["the_odds_api"]["extra"] |= {"credits": PLENTY}
        for name, url in (("raw_store", "file"), ("warehouse", "duckdb")):
            extra = {"url": f"{url}://{tmp_path}/{name}"}
            found[name] = {"conn_type": "generic", "extra": extra}
        for name, connection in found.items():
            monkeypatch.setenv(f"AIRFLOW_CONN_{name.upper()}", json.dumps(connection))
        with Session(ops_db) as session:
            session.run(lambda db: db.execute("TRUNCATE ops.outcomes, ops.limiters CASCADE"))
        yield server


def plan(dag_id: str, **more: Any) -> Plan:
    found = read_plan(dag_id, DAYS, now=NOW, **more)
    assert found
    return found


def make(source: Source, ops_db: str, *, refetch: datetime | None = None) -> None:
    """Every endpoint's date, one try each, as their tasks make them."""
    bought = connections.as_bought(source)
    for day in DAYS:
        for endpoint in bought.endpoints:
            at = Partition(dag_id=source.dag_id, endpoint=endpoint.name, day=day)
            with Session(ops_db) as session:
                entry = Entry(
                    at,
                    lambda row, session=session: record(session, row),
                    run_id=f"backfill__{day}_{refetch}",
                )
                job = Job(
                    source=bought,
                    endpoint=endpoint,
                    partition=at,
                    stores=connections.stores(),
                    reach=lambda s=session, e=endpoint, p=at: reach(s, bought, e, p, backfill=True),
                    refetch=refetch,
                )
                with entry.recorded():
                    attempt(job, entry)


def spent(sandbox: Sandbox, source: Source, since: int = 0) -> tuple[int, int]:
    """Requests and billed credits of the source's hosts, after so many entries of the log."""
    hosts = {host.connection for host in source.hosts}
    entries = [
        each
        for each in sandbox.log()[since:]
        if each["source"] in hosts and not each["path"].endswith("/token")  # a sign-in
    ]
    return len(entries), sum(each["billed"] for each in entries)


def test_requests_and_credits_of_each_source_are_those_of_its_plan(
    sandbox: Sandbox, documented: Mapping[str, Source], ops_db: str
) -> None:
    names = ["nbacom_schedule", *(name for name in documented if name != "nbacom_schedule")]
    for name in names:
        planned, before = plan(name), len(sandbox.log())
        make(documented[name], ops_db)
        assert spent(sandbox, documented[name], before) == (planned.requests, planned.credits), name
        # Done, it asks for nothing, and is measured by now.
        after = plan(name)
        assert (after.requests, list(after.complete), after.assumed) == (0, DAYS, []), name


@pytest.mark.parametrize("name", ["bdl_box_scores", "odds_api_props"])
def test_fresh_bodies_take_what_their_plan_says_and_are_planned_as_the_first_ones(
    sandbox: Sandbox, documented: Mapping[str, Source], ops_db: str, name: str
) -> None:
    make(documented["nbacom_schedule"], ops_db)
    first = plan(name)
    make(documented[name], ops_db)
    order, before = datetime.now(UTC), len(sandbox.log())
    planned = plan(name, refetched=order, reruns=True)
    assert (planned.requests, planned.credits) == (first.requests, first.credits)
    make(documented[name], ops_db, refetch=order)
    assert spent(sandbox, documented[name], before) == (planned.requests, planned.credits)


def test_of_dates_that_are_there_in_part_only_the_rest_is_planned_and_bought(
    sandbox: Sandbox, documented: Mapping[str, Source], ops_db: str
) -> None:
    source = documented["odds_api_props"]
    make(documented["nbacom_schedule"], ops_db)
    sandbox.faults([{"kind": "missing_game", "endpoint": "event_odds", "after": 2, "times": 3}])
    with pytest.raises(Problem, match="4 of 7 games"):
        make(source, ops_db)
    planned, before = plan(source.dag_id), len(sandbox.log())
    assert planned.complete == []
    make(source, ops_db)
    assert spent(sandbox, source, before) == (planned.requests, planned.credits)
    assert plan(source.dag_id).requests == 0


def test_date_whose_season_another_one_has_fetched_asks_for_nothing(
    sandbox: Sandbox, documented: Mapping[str, Source], ops_db: str
) -> None:
    make(documented["nbacom_schedule"], ops_db)
    later = read_plan("nbacom_schedule", [date(2025, 1, 15)], now=NOW)
    assert later
    assert (later.requests, later.complete) == (0, [])


@pytest.mark.parametrize(
    ("proxies", "seconds"), [([], 60), (["http://one:80", "http://two:80"], 30)]
)
def test_each_address_of_a_host_without_a_key_has_its_own_limit(
    sandbox: Sandbox,
    ops_db: str,
    monkeypatch: pytest.MonkeyPatch,
    proxies: list[str],
    seconds: float,
) -> None:
    extra = {"windows": [[GAMES_PER_DATE, 60]], "proxies": proxies}
    cdn = {"conn_type": "http", "host": sandbox.base("nba_cdn"), "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_NBA_CDN", json.dumps(cdn))
    found = read_plan("nbacom_box_scores", DAYS[:1], now=NOW)
    assert found
    assert found.minutes_low == pytest.approx((START[0] + seconds) / 60)


def test_quiet_hours_are_those_of_the_dates_to_come_that_the_season_has_games_on(
    sandbox: Sandbox, documented: Mapping[str, Source], ops_db: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NBA_QUIET_HOURS")
    make(documented["nbacom_schedule"], ops_db)
    starts = {}
    for day in (24, 25):  # the first has no games
        now = datetime(2024, 12, day + 1, 1, 59, 59, tzinfo=UTC)  # they begin in a second
        found = read_plan("bdl_box_scores", DAYS, now=now)
        ignored = read_plan("bdl_box_scores", DAYS, now=now, quiet=False)
        assert found
        assert ignored
        starts[day] = (found.next_start, ignored.next_start == now)
    assert starts == {
        24: (datetime(2024, 12, 25, 1, 59, 59, tzinfo=UTC), True),
        25: (datetime(2024, 12, 26, 7, tzinfo=UTC), True),
    }
