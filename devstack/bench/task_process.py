"""Task processes, forked as the scheduler's LocalExecutor forks them, without a scheduler: what do
they still import, and how long does that take?

``python -m devstack.bench.task_process`` reads an Order from stdin and writes one Seen a task. The
supervisor of Airflow's task SDK is the real one; only the API that it talks to is played.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

from devstack.connections import write_connections
from devstack.environment import ROOT, Home, write_environment

if TYPE_CHECKING:
    import httpx


@dataclass(frozen=True, kw_only=True)
class Order:
    """Tasks to run one after the other for each date: those of some DAGs in dags/, or of all that
    have a schedule; who starts another one says with what.

    ``preloaded``: whether the parent imports what the scheduler imports before it forks.
    ``raw_store``: URL of another raw store than the folder of the installation.
    """

    days: Sequence[str]
    out: str
    dags: Sequence[str] = ()
    preloaded: bool = True
    raw_store: str = ""


@dataclass(frozen=True, kw_only=True)
class Import:
    """One import that nothing else caused; ``seconds`` with all that it imported itself."""

    name: str
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What a task process did: ``added`` maps the modules that its parent did not have to their
    files, ``code`` is its exit code, ``calls`` are those of Airflow's API on its behalf."""

    dag_id: str
    task_id: str
    code: int
    wall: float
    cpu: float
    added: Mapping[str, str]
    imports: Sequence[Import]
    calls: Sequence[str]

    @property
    def importing(self) -> float:
        """Seconds of all imports."""
        return sum(each.seconds for each in self.imports)


def run(at: Home, sandbox: str, ops: str, order: Order) -> list[Seen]:
    """Runs the order in a process of its own, below the installation folder ``at``.

    ``sandbox`` and ``ops`` are the URLs of a running sandbox and of a migrated database.
    """
    environment = write_environment(at, ports={"api": 1, "sandbox": 1}, metadata_url=ops)
    write_connections(at, sandbox, ops, raw_store=order.raw_store)
    done = subprocess.run(
        [sys.executable, "-m", "devstack.bench.task_process"],
        cwd=ROOT,
        env={**os.environ, **environment},
        input=json.dumps(asdict(order)),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"exit code {done.returncode}: {done.stderr[-3000:]}")
    return [_seen(json.loads(path.read_text())) for path in sorted(Path(order.out).glob("*.json"))]


def _seen(found: dict[str, Any]) -> Seen:
    return Seen(**{**found, "imports": [Import(**each) for each in found["imports"]]})


class _Watch:
    """Hooks into the forks of this process: each child times its imports, and writes what it has
    become when it ends."""

    def __init__(self) -> None:
        self._facts: dict[str, Any] = {}
        self._path = Path()
        self._before: set[str] = set()
        os.register_at_fork(after_in_child=self._in_child)

    def next(self, path: Path, dag_id: str, task_id: str) -> None:
        """What the next child is, and where it writes."""
        self._path, self._facts = path, {"dag_id": dag_id, "task_id": task_id}
        self._before = set(sys.modules)

    def _in_child(self) -> None:
        imports = _time_imports()
        wall, cpu, end = time.perf_counter(), time.process_time(), os._exit

        def written(code: int) -> None:
            self._facts |= {
                "code": code,
                "wall": time.perf_counter() - wall,
                "cpu": time.process_time() - cpu,
                "imports": imports,
                "added": {
                    name: getattr(module, "__file__", None) or ""
                    for name, module in sys.modules.items()
                    if name not in self._before
                },
            }
            self._path.write_text(json.dumps(self._facts))
            end(code)

        # Airflow ends a task process by os._exit, which runs nothing that was registered earlier.
        os._exit = written  # type: ignore[assignment]  # a stand-in


def _time_imports() -> list[dict[str, Any]]:
    """The list to which every import from here on is added that is not caused by another one."""
    import importlib._bootstrap as bootstrap  # type: ignore[import-not-found]  # no stubs

    found: list[dict[str, Any]] = []
    depth = 0
    load = bootstrap._find_and_load

    def timed(name: str, import_: Any) -> Any:
        nonlocal depth
        began, depth = time.perf_counter(), depth + 1
        try:
            return load(name, import_)
        finally:
            depth -= 1
            if depth == 0:
                found.append({"name": name, "seconds": time.perf_counter() - began})

    bootstrap._find_and_load = timed
    return found


def _become_scheduler(order: Order) -> None:
    """Imports what `airflow scheduler` has imported when its executor starts."""
    from importlib import import_module

    sys.argv = ["airflow", "scheduler"]
    for name in (
        "airflow.__main__",
        "airflow.cli.commands.scheduler_command",
        "airflow.executors.local_executor",
        "airflow.executors.workloads",
    ):
        import_module(name)
    from airflow.listeners.listener import get_listener_manager

    get_listener_manager()  # which loads the plugins
    if order.preloaded:
        from nba_airflow.preload import preload

        preload([order.raw_store.partition("://")[0]])


def _tasks(dags: Sequence[str]) -> list[tuple[str, str]]:
    """DAG id and task id, in the order in which they run; the schedule first, which the others
    count against."""
    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag(ROOT / "dags")
    if bag.import_errors:
        raise RuntimeError(str(bag.import_errors))
    return [
        (dag.dag_id, task.task_id)
        for dag in sorted(bag.dags.values(), key=lambda dag: dag.dag_id != "nbacom_schedule")
        for task in dag.topological_sort()
        if dag.dag_id in dags or (not dags and dag.timetable.can_be_scheduled)
    ]


class _Api:
    """Airflow's API towards a task's supervisor, played: there is one run of ``day``, connections
    are those of the installation, and all else is well."""

    def __init__(self, dag_id: str, day: str) -> None:
        self.calls: list[str] = []
        self._dag_id, self._day = dag_id, day

    def answer(self, request: httpx.Request) -> httpx.Response:
        import httpx

        kind, _, name = request.url.path.strip("/").rpartition("/")
        if kind == "connections":
            self.calls.append(f"{kind}/{name}")
            content: Any = self._connection(name)
        elif name == "state":
            self.calls.append(f"state {json.loads(request.content)['state']}")
            content = {}
        else:
            self.calls.append(name)
            content = self._start() if name == "run" else {}
        return httpx.Response(200, json=content)

    def _connection(self, name: str) -> dict[str, Any]:
        known = json.loads((Path(os.environ["AIRFLOW_HOME"]) / "connections.json").read_text())
        empty = dict.fromkeys(("host", "schema", "login", "password", "port", "extra"))
        return {**empty, "conn_id": name, **known[name]}

    def _start(self) -> dict[str, Any]:
        """The answer to a task's start: its run, as a backfill makes one for the day."""
        now = datetime.now(UTC).isoformat()
        dag_run = {
            "dag_id": self._dag_id,
            "run_id": f"backfill__{self._day}",
            "run_type": "backfill",
            "state": "running",
            "logical_date": None,
            "data_interval_start": None,
            "data_interval_end": None,
            "run_after": now,
            "start_date": now,
            "end_date": None,
            "conf": {},
            "consumed_asset_events": [],
            "partition_key": self._day,
            "partition_date": None,
        }
        return {"dag_run": dag_run, "max_tries": 2, "should_retry": True}


def _execute(watch: _Watch, out: Path, dag_id: str, task_id: str, day: str) -> None:
    """One task in a process of its own, under Airflow's supervisor."""
    import httpx
    from airflow.executors.workloads.base import BundleInfo
    from airflow.executors.workloads.task import TaskInstanceDTO
    from airflow.sdk.api.client import Client
    from airflow.sdk.execution_time import supervisor

    # How soon it looks again when it has looked a moment before its task's end.
    supervisor.MIN_HEARTBEAT_INTERVAL = 0.05  # type: ignore[assignment]  # a stand-in
    ti = TaskInstanceDTO(
        id=uuid.uuid4(),
        dag_version_id=uuid.uuid4(),
        dag_id=dag_id,
        task_id=task_id,
        run_id=f"backfill__{day}",
        try_number=1,
        pool_slots=1,
        priority_weight=1,
    )
    watch.next(out, dag_id, task_id)
    api = _Api(dag_id, day)
    supervisor.supervise_task(
        ti=ti,
        bundle_info=BundleInfo(name="dags-folder"),
        dag_rel_path=f"{dag_id}.py",
        token="",
        client=Client(
            base_url="http://played", token="", transport=httpx.MockTransport(api.answer)
        ),
        log_path=out.with_suffix(".log").name,
    )
    out.write_text(json.dumps({**json.loads(out.read_text()), "calls": api.calls}))


def main() -> None:
    """Runs the tasks of the order on stdin."""
    order = Order(**json.load(sys.stdin))
    with multiprocessing.get_context("fork").Pool(1) as apart:  # the parent reads no DAG file
        tasks = apart.apply(_tasks, [order.dags])
    _become_scheduler(order)
    out = Path(order.out)
    out.mkdir(parents=True, exist_ok=True)
    watch = _Watch()
    for number, (day, (dag_id, task_id)) in enumerate(product(order.days, tasks)):
        _execute(watch, out / f"{number:03}.json", dag_id, task_id, day)


if __name__ == "__main__":
    main()
