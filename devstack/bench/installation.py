"""A whole installation in a temporary folder, to be measured: Postgres, sandbox and Airflow's
processes as `make up` starts them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import psycopg

from devstack import control, postgres
from devstack.bench.usage import children_cpu, cpu_seconds, tree
from devstack.environment import OVERRIDES, ROOT, Home

_NOTHING: Mapping[str, str | None] = {}


@dataclass(frozen=True, kw_only=True)
class Backfill:
    """What a backfill took. ``seconds`` from the command to its end, or to the last run's where it
    does not wait; ``cpu`` of all processes but the sandbox, the command included."""

    dates: int
    seconds: float
    cpu: float

    @property
    def dates_per_minute(self) -> float:
        """With the time that the command takes to start."""
        return 60 * self.dates / self.seconds

    @property
    def cpu_per_date(self) -> float:
        """CPU seconds."""
        return self.cpu / self.dates


def total(runs: Sequence[Backfill]) -> Backfill:
    """Of several backfills."""
    return Backfill(
        dates=sum(run.dates for run in runs),
        seconds=sum(run.seconds for run in runs),
        cpu=sum(run.cpu for run in runs),
    )


class Installation:
    """What a benchmark does with it, all from outside."""

    def __init__(self, home: Home, state: Mapping[str, Any]) -> None:
        self.home, self._ports, self._pids = home, state["ports"], state["pids"]
        self._supervisor = int(state["pid"])
        self.beside: list[int] = []
        """Processes that were started beside it and count as its own."""

    def processes(self) -> list[int]:
        """Every process of it but the sandbox, which stands for others' machines.

        Raises RuntimeError when one of Airflow's has been started anew: nothing is measured then.
        """
        postmaster = int((self.home.postgres / "postmaster.pid").read_text().split("\n", 1)[0])
        found = tree([self._supervisor, postmaster, *self.beside])
        if gone := sorted(name for name, pid in self._pids.items() if pid not in found):
            raise RuntimeError(f"{', '.join(gone)} ended; see {self.home.logs}")
        return [pid for pid in found if pid != self._pids["sandbox"]]

    def sandbox(self, path: str, body: Any) -> None:
        """An order to the sandbox, for example new limits."""
        _ask("POST", f"http://127.0.0.1:{self._ports['sandbox']}/_sandbox/{path}", body)

    def requests(self) -> list[dict[str, Any]]:
        """The sandbox's log, oldest first."""
        return [json.loads(line) for line in self.home.sandbox_log.read_text().splitlines()]

    def metadata(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """Rows of a query on Airflow's metadata."""
        with psycopg.connect(postgres.url(self.home.postgres, "airflow")) as connection:
            return connection.execute(sql, values).fetchall()

    def api(self, method: str, path: str, body: Any = None) -> Any:
        """A call of Airflow's REST API."""
        signed = {"Authorization": f"Bearer {self.token()}"}
        return _ask(method, self.address(f"/api/v2/{path}"), body, signed)

    def address(self, path: str) -> str:
        """Where Airflow's api-server has it."""
        return f"http://127.0.0.1:{self._ports['api']}{path}"

    def token(self) -> str:
        """Of the user who may do everything."""
        login = {"username": "admin", "password": control.ui_password(self.home)}
        return str(_ask("POST", self.address("/auth/token"), login)["access_token"])

    def lift_limits(self, *connections: str) -> None:
        """Takes limiter and the upstream's own limit out of the way; the pool stays as it is."""
        for name in connections:
            self.sandbox("limits", {name: []})
            found = self.api("GET", f"connections/{name}")
            extra = {**json.loads(found.get("extra") or "{}"), "windows": [[1_000_000, 60]]}
            changed = {**found, "extra": json.dumps(extra)}
            self.api("PATCH", f"connections/{name}?update_mask=extra", changed)

    def set_pool(self, name: str, slots: int) -> None:
        """How many tasks of the connection run at a time."""
        pool = {"name": name, "slots": slots, "include_deferred": False}
        self.api("PATCH", f"pools/{name}?update_mask=slots", pool)

    def command(self, words: str) -> subprocess.CompletedProcess[str]:
        """`airflow WORDS` as an operator types it. Raises RuntimeError when it does not end
        well."""
        line = f". '{self.home.env_file}' && exec airflow {words}"
        done = subprocess.run(
            ["bash", "-c", line], cwd=ROOT, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise RuntimeError(
                f"airflow {words}: exit code {done.returncode}: {done.stderr[-2000:]}"
            )
        return done

    def backfill(self, dag_id: str, first: date, last: date, options: str = "") -> Backfill:
        """`airflow dags backfill`, followed to its end."""
        words = f"dags backfill {dag_id} -s {first} -e {last} -y --skip-canary {options}"
        return self._measured(words, dag_id, (last - first).days + 1)

    def bare_backfill(self, dag_id: str, first: date, last: date, options: str = "") -> Backfill:
        """Airflow's own `airflow backfill create`, and its runs to the end of the last one."""
        words = f"backfill create --dag-id {dag_id} --from-date {first} --to-date {last} {options}"
        return self._measured(words, dag_id, (last - first).days + 1)

    def _measured(self, words: str, dag_id: str, dates: int) -> Backfill:
        before, children = cpu_seconds(self.processes()), children_cpu()
        began = time.monotonic()
        self.command(words)
        while self.metadata(_UNFINISHED, dag_id) != [(0,)]:
            time.sleep(0.2)
        seconds = time.monotonic() - began
        cpu = cpu_seconds(self.processes()) - before + children_cpu() - children
        return Backfill(dates=dates, seconds=seconds, cpu=cpu)


_UNFINISHED = (
    "SELECT count(*) FROM dag_run WHERE dag_id = %s AND run_type = 'backfill'"
    " AND state NOT IN ('success', 'failed')"
)


def _ask(method: str, url: str, body: Any, headers: Mapping[str, str] | None = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json", **(headers or {})}
    request = urllib.request.Request(url, data, headers, method=method)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.loads(answer.read() or "null")


@contextmanager
def installed(variables: Mapping[str, str | None] = _NOTHING) -> Iterator[Installation]:
    """A running installation whose environment differs by ``variables`` (None: not set at all)."""
    home = Home(root=Path(tempfile.mkdtemp(prefix="nba-bench-")))
    kept = os.environ.get(OVERRIDES)
    os.environ[OVERRIDES] = json.dumps(dict(variables))
    try:
        with redirect_stdout(sys.stderr):
            state = control.up(home, [])
        yield Installation(home, state)
    finally:
        control.down(home)
        shutil.rmtree(home.root)
        if kept is None:
            del os.environ[OVERRIDES]
        else:
            os.environ[OVERRIDES] = kept
