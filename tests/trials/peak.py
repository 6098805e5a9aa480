"""A process of its own that scrapes and loads one date, and says how much memory that took at most.

``python -m tests.trials.peak`` reads an Order from stdin and writes a Peak as JSON. Linux only.
"""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
import tracemalloc
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import date
from importlib import import_module
from pathlib import Path

from include.http.client import Client, Policy
from include.http.service_account import token_source
from include.http.upstream import Upstream
from include.partition import Partition
from include.sources.spec import ServiceAccount, Source
from include.steps.job import Wire
from include.steps.load import load
from include.steps.raw_date import RawDate
from include.steps.scrape import scrape
from tests.steps.one_date import OpenGate, stores_in

ROOT = Path(__file__).resolve().parents[2]
RESET = Path("/proc/self/clear_refs")
_STATUS = Path("/proc/self/status")
_MB = 1_000_000


@dataclass(frozen=True, kw_only=True)
class Order:
    """One endpoint's date below ``folder``; ``url`` is the sandbox's, ``key_file`` a service
    account's.

    ``traced``: count what Python allocates, exactly, instead of what the system gave the process.
    """

    source: Source
    endpoint: str
    day: date
    folder: Path
    url: str
    key_file: Mapping[str, str]
    traced: bool


@dataclass(frozen=True, kw_only=True)
class Peak:
    """Rows, and the megabytes by which the process had grown at most: while it scraped, and until
    it had loaded."""

    rows: int
    scrape: float
    load: float


def peak_of(order: Order) -> Peak:
    """The date in a process of its own."""
    command = [sys.executable, "-m", "tests.trials.peak"]
    done = subprocess.run(
        command, cwd=ROOT, input=pickle.dumps(order), capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    return Peak(**json.loads(done.stdout))


def _measured(order: Order) -> Peak:
    for name in (
        "google.auth.transport.requests",
        "google.oauth2.service_account",
        "pyarrow.parquet",
    ):
        import_module(name)  # now, so that it does not count as the date's

    upstreams = {
        host.connection: Upstream(
            name=host.connection,
            base_url=f"{order.url}/{host.connection}",
            auth=host.auth,
            headers=host.headers,
            token=token_source(host.connection, order.key_file, host.auth.scopes)
            if isinstance(host.auth, ServiceAccount)
            else None,
        )
        for host in order.source.hosts
    }
    endpoint = order.source.endpoint(order.endpoint)
    at = Partition(dag_id=order.source.dag_id, endpoint=order.endpoint, day=order.day)
    stores = stores_in(order.folder)
    peak = _traced() if order.traced else _resident()
    with Client(OpenGate(), policy=Policy(backoff=0.01)) as client:
        wire = Wire(client=client, upstreams=upstreams)
        found = RawDate(endpoint, at, stores.raw)
        assert scrape(order.source, found, stores.warehouse, wire).manifest.done
    scraped = peak()
    rows = load(endpoint, at, stores, corrected=lambda drift: None).rows
    return Peak(rows=rows, scrape=scraped, load=peak())


def _traced() -> Callable[[], float]:
    tracemalloc.start()
    return lambda: tracemalloc.get_traced_memory()[1] / _MB


def _resident() -> Callable[[], float]:
    """Not getrusage's maximum: a new process inherits its parent's (seen on Linux 6), which can
    hide all growth."""
    RESET.write_text("5")
    before = _status("VmRSS")
    return lambda: _status("VmHWM") - before


def _status(name: str) -> float:
    line = next(line for line in _STATUS.read_text().splitlines() if line.startswith(f"{name}:"))
    return int(line.split()[1]) * 1024 / _MB


if __name__ == "__main__":
    json.dump(asdict(_measured(pickle.load(sys.stdin.buffer))), sys.stdout)
