"""``frozen``: our database frozen, then locked, for a minute in the middle of a backfill: how long
the scheduler waits for it, and how soon afterwards the backfill ends."""

from __future__ import annotations

import os
import re
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import date
from pathlib import Path

import psutil
import psycopg

from devstack import postgres
from devstack.bench.installation import Installation, installed
from devstack.bench.lines import Line
from devstack.connections import postgres_fields
from include.ops.migrate import migrate

DAG = "nbacom_schedule"
DATES = (date(2024, 10, 22), date(2025, 4, 13))
SECONDS = 60
MAX_LOOP = 3.0
"""Seconds of one turn of the scheduler, the bound that is compared with."""

_TABLES = "ops.batches, ops.batch_runs, ops.outcomes, ops.limiters, ops.outbox"
_LOOP = re.compile(r"Ran scheduling loop in ([\d.]+) ms")
_ENDED = "SELECT count(*) FROM dag_run WHERE dag_id = %s AND state IN ('success', 'failed')"
_FAILED = "SELECT count(*) FROM dag_run WHERE dag_id = %s AND state = 'failed'"
_LOUD = {
    "AIRFLOW__LOGGING__NAMESPACE_LEVELS": (
        "airflow.jobs.scheduler_job_runner.SchedulerJobRunner=DEBUG airflow.models.backfill=ERROR"
        " airflow.serialization.definitions=ERROR"
    )
}

Trouble = Callable[[Path, str], AbstractContextManager[None]]


def bench() -> Iterator[Line]:
    """A line each for the scheduler's longest turn, the seconds from the end of the trouble to the
    backfill's, and the dates that failed."""
    for name, trouble in (("frozen", _frozen), ("locked", _locked)):
        yield from _measure(name, trouble)


def _measure(name: str, trouble: Trouble) -> Iterator[Line]:
    with installed(_LOUD) as system, _database_of_its_own(system) as (folder, url):
        _ = system.backfill(DAG, DATES[0], DATES[0])  # the season's one request
        log = system.home.logs / "scheduler.log"
        options = "--max-active-runs 8 --detach"
        system.command(f"dags backfill {DAG} -s {DATES[0]} -e {DATES[1]} -y {options}")
        _until(lambda: _count(system, _ENDED) >= 20)
        with trouble(folder, url):
            before = log.stat().st_size
            time.sleep(SECONDS)
            loops = _loops(log, before)
        begun = time.monotonic()
        dates = (DATES[1] - DATES[0]).days + 1
        _until(lambda: _count(system, _ENDED) >= dates)
        ended = time.monotonic() - begun
        failed = _count(system, _FAILED)
    longest = max(loops, default=float(SECONDS))
    bound = f"the bound: {MAX_LOOP:g} s, {len(loops)} turns in {SECONDS} s"
    yield Line(
        name=f"{name}_longest_turn",
        value=longest,
        unit="s",
        against=bound,
        ratio=longest / MAX_LOOP,
    )
    yield Line(name=f"{name}_ends_after", value=ended, unit="s")
    yield Line(name=f"{name}_dates_failed", value=failed, unit=f"of {dates} dates")


def _loops(log: Path, begin: int) -> list[float]:
    """Seconds of each turn that the scheduler has logged since."""
    text = log.read_bytes()[begin:].decode(errors="replace")
    return [float(ms) / 1000 for ms in _LOOP.findall(text)]


def _count(system: Installation, sql: str) -> int:
    ((found,),) = system.metadata(sql, DAG)
    return int(found)


def _until(true: Callable[[], bool], seconds: float = 300) -> None:
    """Raises RuntimeError when it does not come true."""
    give_up = time.monotonic() + seconds
    while not true():
        if time.monotonic() > give_up:
            raise RuntimeError(f"nothing more has ended within {seconds:.0f} s")
        time.sleep(0.2)


@contextmanager
def _database_of_its_own(system: Installation) -> Iterator[tuple[Path, str]]:
    """Our tables in a server beside Airflow's, for the connection to be corrected to."""
    folder = Path(tempfile.mkdtemp(prefix="nba-ops-"))
    try:
        postgres.start(folder / "data")
        url = postgres.ensure_database(folder / "data", "ops")
        migrate(url)
        body = {"connection_id": "ops_db", **postgres_fields(url)}
        system.api("PATCH", "connections/ops_db", body)
        yield folder / "data", url
    finally:
        postgres.stop(folder / "data")
        shutil.rmtree(folder)


@contextmanager
def _frozen(folder: Path, url: str) -> Iterator[None]:
    """Every process of the server is stopped, as on a host that hangs."""
    postmaster = psutil.Process(int((folder / "postmaster.pid").read_text().split("\n", 1)[0]))
    stopped = [postmaster]
    os.kill(postmaster.pid, signal.SIGSTOP)  # first, so that it makes no more of them
    stopped += postmaster.children(recursive=True)
    for process in stopped:
        process.suspend()
    try:
        yield
    finally:
        for process in reversed(stopped):
            process.resume()


@contextmanager
def _locked(folder: Path, url: str) -> Iterator[None]:
    """Somebody has locked the tables, for example to vacuum them in full."""
    with psycopg.connect(url) as connection:
        connection.execute(f"LOCK TABLE {_TABLES} IN ACCESS EXCLUSIVE MODE")
        yield
