"""A paid backfill that needs many days' credits: every day gets on with it, and no list is paid for
twice."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from devstack.sandbox.league import League
from devstack.sandbox.server import Sandbox, running
from include.guards.plan import Known, make_plan
from include.http.client import Client
from include.http.upstream import Upstream
from include.limits.credits import Meter
from include.ops.session import Session
from include.outcome import Later
from include.parsing.nbacom import SCHEDULE
from include.partition import Partition, days_between
from include.sources.spec import Credits, Source
from include.steps.job import Wire
from include.steps.raw_date import RawDate
from include.steps.scrape import scrape
from tests.steps.credentials import KEYS
from tests.steps.one_date import OpenGate, stores_in
from tests.steps.specs import specs_of_dags

LEAGUE = League(seed=1)
DAYS = days_between(date(2025, 1, 14), date(2025, 1, 17))
BEGIN = datetime(2026, 3, 2, 0, 1, tzinfo=UTC)
PLAN = Credits(monthly=1000, live_reserve=100)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Source]:
    with specs_of_dags(tmp_path_factory.mktemp("airflow")) as found:
        yield found["odds_api_props"]


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Sandbox]:
    with running(
        tmp_path, limits={"the_odds_api": []}, now=BEGIN, keys=KEYS, monthly_credits=PLAN.monthly
    ) as server:
        yield server


def billed(sandbox: Sandbox) -> Mapping[str, int]:
    """Credits by the last word of the path."""
    found: dict[str, int] = {}
    for entry in sandbox.log():
        word = entry["path"].rpartition("/")[2]
        found[word] = found.get(word, 0) + entry["billed"]
    return found


def test_backfill_of_many_allotments_buys_each_list_once_and_ends_as_planned(
    sandbox: Sandbox, source: Source, ops_db: str, tmp_path: Path
) -> None:
    stores = stores_in(tmp_path)
    facts = {
        "season_type": "Regular Season",
        "counts": True,
        "postponed": False,
        "source_file": "x",
    }
    games = {day: LEAGUE.games_on(day) for day in DAYS}
    for day, of_day in games.items():
        rows = [
            {
                **facts,
                "game_date": day,
                "game_id": g.nba_id,
                "away_tricode": g.away.tricode,
                "home_tricode": g.home.tricode,
            }
            for g in of_day
        ]
        stores.warehouse.replace(SCHEDULE, day, rows)
    host = replace(source.hosts[0], credits=PLAN)
    known = Known(
        now=BEGIN, games={day: len(of_day) for day, of_day in games.items()}, scheduled=DAYS
    )
    planned = make_plan(replace(source, hosts=(host,)), known)
    assert planned.credits < PLAN.monthly - PLAN.live_reserve
    upstream = Upstream(
        name=host.connection,
        base_url=sandbox.base(host.connection),
        auth=host.auth,
        key=KEYS[host.connection],
    )
    now = BEGIN

    def attempt(key: tuple[str, date]) -> datetime | None:
        """When the date goes on; None when it is whole."""
        account: Any = {host.connection: PLAN}
        session = Session(ops_db)
        meter = Meter(session, account, purpose="backfill", spread=True, now=lambda: now)
        at = Partition(dag_id=source.dag_id, endpoint=key[0], day=key[1])
        with session, Client(OpenGate(), meter=meter) as client:
            wire = Wire(client=client, upstreams={host.connection: upstream})
            try:
                found = RawDate(source.endpoint(key[0]), at, stores.raw)
                assert scrape(source, found, stores.warehouse, wire).manifest.done
            except Later as wait:
                return wait.until
        return None

    waiting = {(endpoint.name, day): BEGIN for day in DAYS for endpoint in source.endpoints}
    days = 0
    with ThreadPoolExecutor(8) as pool:
        while waiting:
            due = [key for key, moment in waiting.items() if moment <= now]
            for key, until in zip(due, pool.map(attempt, due), strict=True):
                if until is None:
                    del waiting[key]
                else:
                    waiting[key] = until
            if waiting and now < (soonest := min(waiting.values())):
                days += (soonest.date() - now.date()).days
                now = soonest
                sandbox.clock(now)

    bill = billed(sandbox)
    assert bill["events"] == 2 * len(DAYS)
    assert sum(bill.values()) == planned.credits
    assert len(sandbox.log()) == planned.requests
    assert planned.bought
    assert planned.bought.last_at
    assert (days, now.date()) == (
        (planned.bought.last_at.date() - BEGIN.date()).days,
        planned.bought.last_at.date(),
    )
