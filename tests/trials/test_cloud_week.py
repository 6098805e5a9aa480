"""A week of every source in the cloud: raw in a bucket, rows in BigQuery, sixteen dates at once;
beside it the same bodies on this machine's disk."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from google.cloud.bigquery import Client as BigQuery
from google.cloud.storage import Client as Storage

from devstack.connections import find_examples
from devstack.sandbox.server import Sandbox, running
from include.http.client import Client, Policy, Upstream
from include.ops.outcomes import OutcomeRow
from include.outcome import Outcome
from include.partition import Partition, days_between
from include.steps.attempt import attempt
from include.steps.entry import Entry
from include.steps.job import Job, Stores, Wire
from include.storage.copy import Fate, copy
from include.storage.gcs import GcsStore
from include.warehouse.bigquery.warehouse import BigQueryWarehouse
from tests.steps.one_date import OpenGate, stores_in
from tests.warehouse.conftest import client, client_of, cloud, engine

if TYPE_CHECKING:
    from include.sources.spec import Endpoint, Source

__all__ = ["client", "cloud", "engine"]

pytestmark = pytest.mark.slow

WEEK = days_between(date(2026, 5, 11), date(2026, 5, 17))
"""Of the playoffs: nine games, whose plays fill two tables with 9,000 rows."""
NO_GAMES = date(2026, 5, 17)
NOW = datetime(2026, 7, 15, 20, tzinfo=UTC)
AT_ONCE = 16

Place = tuple[str, str, date]
"""DAG, endpoint and date."""


@dataclass(frozen=True, kw_only=True)
class Week:
    """The dates of all sources, each tried with stores that its own task has opened."""

    sources: Mapping[str, Source]
    sandbox: Sandbox
    open_stores: Callable[[], Stores]

    def endpoint(self, place: Place) -> Endpoint:
        return self.sources[place[0]].endpoint(place[1])

    def places(self, *, schedule: bool) -> list[Place]:
        """The dates of the schedule, or all others."""
        return [
            (source.dag_id, endpoint.name, day)
            for source in self.sources.values()
            for endpoint in source.endpoints
            for day in WEEK
            if endpoint.is_schedule is schedule
        ]

    def run(self) -> dict[Place, OutcomeRow]:
        """One try of each: the schedule, one date after the other since they share a body, then
        the others, sixteen at once."""
        schedule, others = (self.places(schedule=each) for each in (True, False))
        with ThreadPoolExecutor(AT_ONCE) as pool:
            rows = [*map(self._try, schedule), *pool.map(self._try, others)]
        return dict(zip((*schedule, *others), rows, strict=True))

    def _try(self, place: Place) -> OutcomeRow:
        dag_id, name, day = place
        at = Partition(dag_id=dag_id, endpoint=name, day=day)
        told: list[OutcomeRow] = []
        entry = Entry(at, told.append, run_id="week")
        with Client(OpenGate(), policy=Policy(backoff=0.01)) as asking, entry.recorded():
            wire = Wire(client=asking, upstreams=self._upstreams)
            job = Job(
                source=self.sources[dag_id],
                endpoint=self.endpoint(place),
                partition=at,
                stores=self.open_stores(),
                reach=lambda: nullcontext(wire),
            )
            attempt(job, entry, now=lambda: NOW)
        return told[-1]

    @property
    def _upstreams(self) -> Mapping[str, Upstream]:
        examples = find_examples()
        hosts = {host.connection: host for each in self.sources.values() for host in each.hosts}
        return {
            name: Upstream(
                name=name,
                base_url=self.sandbox.base("example" if name in examples else name),
                key="sandbox-key",
                auth=host.auth,
                headers=host.headers,
                token=lambda: "ya29.sandbox-key",
            )
            for name, host in hosts.items()
        }

    def rows(self) -> dict[Place, tuple[Any, Any]]:
        """What the warehouse has of each date: its rows, and what is said of it."""
        warehouse, found = self.open_stores().warehouse, {}
        for place in self.places(schedule=True) + self.places(schedule=False):
            table, day = self.endpoint(place).table, place[-1]
            found[place] = (warehouse.rows(table, day), warehouse.status(table, day))
        return found

    def raw(self) -> dict[str, bytes | None]:
        """Every object of the raw store."""
        store = self.open_stores().raw
        return {path: store.read(path) for path in store.walk("")}


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Sandbox]:
    names = ("balldontlie", "the_odds_api", "nba_stats", "nba_cdn", "bigdataball", "example")
    limits: dict[str, list[Any]] = {name: [] for name in names}
    with running(tmp_path, limits=limits, now=NOW, monthly_credits=1_000_000) as server:
        yield server


@pytest.fixture
def here(sandbox: Sandbox, sources: dict[str, Source], tmp_path: Path) -> Week:
    return Week(sources=sources, sandbox=sandbox, open_stores=lambda: stores_in(tmp_path))


@pytest.fixture
def there(
    sandbox: Sandbox,
    sources: dict[str, Source],
    cloud: BigQueryWarehouse,
    engine: str,
    gcs_url: str,
    bucket: str,
    gcs_client: Callable[..., Storage],
) -> Week:
    """Its tables are made as `airflow nba repair --tables` makes them."""
    tables = [endpoint.table for each in sources.values() for endpoint in each.endpoints]
    cloud.create(tables)
    project = str(cloud.client.project)

    def open_stores() -> Stores:
        raw = GcsStore(gcs_client(gcs_url), bucket, "nba/raw")
        return Stores(raw=raw, warehouse=BigQueryWarehouse(client_of(engine, project)))

    return Week(sources=sources, sandbox=sandbox, open_stores=open_stores)


def count_written(client: BigQuery) -> Sequence[Mapping[str, Any]]:
    """How often something was said of a date."""
    sql = "SELECT COUNT(*) AS n FROM raw.date_status_history"
    return [dict(row) for row in client.query_and_wait(sql)]


def test_week_of_every_source_is_in_the_cloud_as_on_this_disk_and_a_rerun_changes_nothing(
    here: Week, there: Week, sandbox: Sandbox, client: BigQuery
) -> None:
    run = there.run()
    games = {place: row.outcome for place, row in run.items() if place[-1] != NO_GAMES}
    endpoints = sum(len(source.endpoints) for source in there.sources.values())
    assert len(run) == len(WEEK) * endpoints
    assert endpoints >= 7
    assert set(games.values()) == {Outcome.COMPLETE}
    empty = {row.outcome for place, row in run.items() if place[-1] == NO_GAMES}
    assert empty == {Outcome.NO_GAMES}

    asked, written = len(sandbox.log()), count_written(client)
    bucket, folder = (week.open_stores().raw for week in (there, here))
    assert {each.fate for each in copy(bucket, folder, [*bucket.walk("")])} == {Fate.COPIED}
    here.run()
    rows, raw = there.rows(), there.raw()
    assert rows == here.rows()
    assert sum(len(found) for found, _ in rows.values()) == sum(row.rows for row in run.values())

    again = there.run()
    assert {place: (row.outcome, row.requests, row.rows) for place, row in again.items()} == {
        place: (row.outcome, 0, row.rows) for place, row in run.items()
    }
    assert (there.rows(), there.raw()) == (rows, raw)
    assert (len(sandbox.log()), count_written(client)) == (asked, written)
