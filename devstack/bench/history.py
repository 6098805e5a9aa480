"""``history``: whether what is asked of one season costs more when ten lie in ledger, raw store and
warehouse."""

from __future__ import annotations

import logging
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from datetime import date, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import psycopg

from devstack import postgres
from devstack.bench.lines import Line, compared
from devstack.bench.reporting import close_batch, reported
from devstack.connections import KEY
from devstack.sandbox.server import running
from include.checks.gaps import find_gaps
from include.http.client import Client
from include.http.upstream import Upstream
from include.limits.limiter import Limiter
from include.ops import batches
from include.ops.db import connect
from include.ops.migrate import migrate
from include.ops.session import Session
from include.ops.status import (
    accepted_dates,
    outcome_counts,
    unmailed_batches,
    unsent_mails,
)
from include.partition import Partition, days_between
from include.sources.spec import Source, Window
from include.steps.attempt import attempt
from include.steps.entry import Entry
from include.steps.job import Job, Stores, Wire
from include.storage.local import LocalStore
from include.warehouse.local import LocalWarehouse

DAG, ENDPOINT = "bdl_box_scores", "box_scores"
SEASON = days_between(date(2024, 10, 22), date(2025, 4, 13))
SEASONS = 10
DAGS = 7
"""As many endpoints as there are write a season's rows into the ledger."""
YEAR = timedelta(days=364)
TIMES = 5
MANY = 50
"""Times of what takes 2 ms, of which five are too few to tell on a machine that others use."""


def bench() -> Iterator[Line]:
    """Gaps, status and closing a batch of one season, with one and with ten in all; and reporting
    ten times the dates."""
    logging.disable(logging.INFO)  # Airflow writes every step of every date to stdout
    with tempfile.TemporaryDirectory(prefix="nba-bench-") as folder:
        data = Path(folder) / "postgres"
        try:
            postgres.start(data)
            url = postgres.ensure_database(data, "bench")
            migrate(url)
            with connect(url) as db:
                yield from _seasons(db, url, Path(folder))
                yield from _reports(db)
        finally:
            postgres.stop(data)


def _seasons(db: psycopg.Connection[Any], url: str, folder: Path) -> Iterator[Line]:
    source = _source()
    stores = Stores(raw=LocalStore(folder / "raw"), warehouse=LocalWarehouse(folder / "wh"))
    _fetch(source, stores, folder, url)
    numbers = count(1000)

    def measure() -> dict[str, float]:
        return {
            "history_gaps": _fastest(lambda: _timed(lambda: _look_for_gaps(source, stores))),
            "history_status": _fastest(lambda: _timed(lambda: _look_at_status(db)), MANY),
            "history_close": _fastest(lambda: _close(db, next(numbers))),
        }

    _add_season(db, 0)
    measure()  # the first fills the caches
    one = measure()
    for number in range(1, SEASONS):
        _add_season(db, number)
    _copy_season(folder)
    for name, seconds in measure().items():
        yield compared(name, 1000 * seconds, "ms", "one season", 1000 * one[name])


def _reports(db: psycopg.Connection[Any]) -> Iterator[Line]:
    costs = [
        reported(db, close_batch(db, 10_000 + dates, dates, dates))[2].seconds
        for dates in (300, 3000)
    ]
    yield compared("report_3000_dates", 1000 * costs[1], "ms", "300 dates", 1000 * costs[0])


def _source() -> Source:
    """The spec of Ball Don't Lie; with it comes Airflow."""
    from nba_airflow.specs import sources

    return sources()[DAG]


def _fetch(source: Source, stores: Stores, folder: Path, url: str) -> None:
    """The season, whole, as tasks fetch it."""
    (host,) = source.hosts
    rules = {host.connection: (Window(limit=1_000_000, seconds=1.0),)}
    with (
        running(folder, limits={host.connection: []}) as sandbox,
        Session(url) as session,
        Client(Limiter(session, rules)) as client,
    ):
        upstream = Upstream(
            name=host.connection, base_url=sandbox.base(host.connection), key=KEY, auth=host.auth
        )
        wire = Wire(client=client, upstreams={host.connection: upstream})
        for day in SEASON:
            partition = Partition(dag_id=DAG, endpoint=ENDPOINT, day=day)
            job = Job(
                source=source,
                endpoint=source.endpoint(ENDPOINT),
                partition=partition,
                stores=stores,
                reach=lambda: nullcontext(wire),
            )
            attempt(job, Entry(partition, lambda row: None, run_id="bench"))


def _add_season(db: psycopg.Connection[Any], number: int) -> None:
    """A season that was backfilled and reported, so many years earlier, in the ledger."""
    first = SEASON[0] - number * YEAR
    for other in range(DAGS):
        dag_id = DAG if other == 0 else f"other_{other}"
        batch_id = close_batch(db, number, len(SEASON), 0, dag_id=dag_id, first=first)
        batches.reported(db, batch_id)
    db.execute("ANALYZE")
    db.commit()


def _copy_season(folder: Path) -> None:
    """The season's files once more under the dates of the years before."""
    for day in SEASON:
        for number in range(1, SEASONS):
            other = day - number * YEAR
            raw, rows = folder / "raw" / DAG, folder / "wh" / "raw" / DAG
            shutil.copytree(raw / f"{day:%Y/%m}/{day}", raw / f"{other:%Y/%m}/{other}")
            shutil.copytree(rows / f"game_date={day}", rows / f"game_date={other}")


def _look_for_gaps(source: Source, stores: Stores) -> None:
    dates = [(ENDPOINT, day) for day in SEASON]
    found = [gap for gap in find_gaps(source, dates, stores.raw, stores.warehouse) if gap]
    if found:
        raise RuntimeError(f"the season is not whole: {found[0]}")


def _look_at_status(db: psycopg.Connection[Any]) -> None:
    """What `airflow nba status` reads of the operations tables."""
    unmailed_batches(db)
    unsent_mails(db)
    outcome_counts(db, [])
    accepted_dates(db)


def _close(db: psycopg.Connection[Any], backfill: int) -> float:
    """Seconds of reporting a season of which a third failed."""
    failing = len(SEASON) // 3
    batch_id = close_batch(db, backfill, len(SEASON), failing, first=SEASON[0])
    return reported(db, batch_id)[2].seconds


def _timed(work: Callable[[], None]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _fastest(work: Callable[[], float], times: int = TIMES) -> float:
    return min(work() for _ in range(times))
