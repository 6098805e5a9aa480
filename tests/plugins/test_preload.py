"""What a scheduler or a Celery worker imports before it forks: all that a task needs, nothing but
imports, and only there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import pytest

from devstack.bench.task_process import Order, Seen, run
from devstack.environment import Home
from devstack.sandbox.server import running

ROOT = Path(__file__).resolve().parents[2]
DAY = "2025-01-23"  # three games


@pytest.fixture(scope="module")
def tasks(tmp_path_factory: pytest.TempPathFactory, ops_db: str) -> list[Seen]:
    """Every task of dags/, each in a process forked as LocalExecutor forks it."""
    folder = tmp_path_factory.mktemp("tasks")
    with running(folder, now="2026-03-01T20:00:00Z", monthly_credits=20_000) as sandbox:
        return run(
            Home(root=folder), sandbox.url, ops_db, Order(days=[DAY], out=str(folder / "out"))
        )


def foreign(module: str, file: str) -> bool:
    """Whether it is a third party's, or ours; Python's own cost nothing to speak of."""
    return "site-packages" in file or file.startswith(str(ROOT))


def test_every_task_of_every_dag_runs_to_its_end(tasks: list[Seen]) -> None:
    assert {seen.dag_id for seen in tasks} == {path.stem for path in (ROOT / "dags").glob("*.py")}
    ended = {f"{seen.dag_id}.{seen.task_id}": seen.calls[-1] for seen in tasks}
    assert ended == dict.fromkeys(ended, "state success")


def test_a_task_process_imports_its_dag_file_and_nothing_else(tasks: list[Seen]) -> None:
    added = {
        f"{seen.dag_id}.{seen.task_id}": {
            file for name, file in seen.added.items() if foreign(name, file)
        }
        for seen in tasks
    }
    assert added == {
        f"{seen.dag_id}.{seen.task_id}": {str(ROOT / "dags" / f"{seen.dag_id}.py")}
        for seen in tasks
    }


def test_a_task_process_looks_each_connection_up_once(tasks: list[Seen]) -> None:
    asked = [[call for call in seen.calls if call.startswith("connections/")] for seen in tasks]
    assert asked == [list(dict.fromkeys(each)) for each in asked]
    assert "connections/balldontlie" in chain.from_iterable(asked)


@pytest.mark.parametrize("scheme", ["duckdb", "bigquery"])
@pytest.mark.parametrize("command", ["scheduler", "celery worker"])
def test_preloading_imports_all_starts_no_thread_and_opens_nothing(
    command: str, scheme: str, tmp_path: Path
) -> None:
    code = "import sys; from tests.plugins.test_preload import report; report(*sys.argv[1:])"
    plugins = ROOT / "plugins"
    done = subprocess.run(
        [sys.executable, "-c", code, scheme, *command.split()],
        cwd=ROOT,
        env={
            **os.environ,
            "AIRFLOW_HOME": str(tmp_path),
            "AIRFLOW__CORE__PLUGINS_FOLDER": str(plugins),
            "AIRFLOW_CONN_WAREHOUSE": json.dumps(
                {"conn_type": "generic", "extra": {"url": f"{scheme}://x"}}
            ),
            "PYTHONPATH": f"{ROOT}:{plugins}",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == {
        "missing": [],
        "threads": ["MainThread"],
        "opened": [],
        "database connections": 0,
        "BigQuery's client": scheme == "bigquery",
    }


def report(scheme: str, *command: str) -> None:
    """In a process of its own: what is there after preloading that was not there before, and what
    is still missing."""
    sys.argv = ["airflow", *command]
    import airflow.cli.commands.scheduler_command  # noqa: F401  measured
    from airflow import settings

    from nba_airflow.preload import AIRFLOW, LIBRARIES, ours, preload

    if command == ("scheduler",):
        before = set(_open_files())
        preload({scheme})
    else:
        from airflow.providers.celery.executors.celery_executor import app

        before = set(_open_files())
        app.loader.import_default_modules()  # what Celery calls before its pool forks
    print(  # noqa: T201  read by the test
        json.dumps(
            {
                "missing": sorted({*AIRFLOW, *LIBRARIES, *ours({scheme})} - sys.modules.keys()),
                "threads": [thread.name for thread in threading.enumerate()],
                "opened": sorted(set(_open_files()) - before),
                "database connections": settings.engine.pool.checkedin()
                + settings.engine.pool.checkedout(),
                "BigQuery's client": "google.cloud.bigquery.client" in sys.modules,
            }
        )
    )


def _open_files() -> Iterator[str]:
    for number in os.listdir("/proc/self/fd"):
        try:
            yield os.readlink(f"/proc/self/fd/{number}")
        except FileNotFoundError:
            continue  # the listing's own


@pytest.mark.usefixtures("airflow_environment")
@pytest.mark.parametrize(
    ("command", "executor", "expected"),
    [
        (["scheduler"], "LocalExecutor", ["pools", "preload"]),
        (["scheduler", "--skip-serve-logs"], "CeleryExecutor,LocalExecutor", ["pools", "preload"]),
        (["scheduler"], "CeleryExecutor", ["pools"]),
        (["celery", "worker"], "CeleryExecutor", []),
        (["triggerer"], "LocalExecutor", []),
        (["dag-processor"], "LocalExecutor", []),
        (["dags", "backfill"], "LocalExecutor", []),
    ],
)
def test_only_a_scheduler_that_forks_tasks_preloads(
    command: list[str], executor: str, expected: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow._shared.listeners.listener import ListenerManager
    from airflow._shared.listeners.spec import lifecycle
    from airflow.jobs import job
    from airflow.utils import session

    from nba_airflow import connections, listener, preload, provision
    from nba_airflow.metadata import obstacles

    manager = ListenerManager()
    manager.add_hookspecs(lifecycle)
    manager.add_listener(listener)
    monkeypatch.setattr(job, "get_listener_manager", lambda: manager)
    done = []
    monkeypatch.setattr(sys, "argv", ["airflow", *command])
    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", executor)
    monkeypatch.setattr(session, "create_session", lambda: threading.Lock())
    monkeypatch.setattr(provision, "pools", lambda session: done.append("pools"))
    monkeypatch.setattr(preload, "preload", lambda schemes: done.append("preload"))
    monkeypatch.setattr(connections, "store_schemes", set)
    monkeypatch.setattr(obstacles, "find_obstacles", lambda session: [])

    job.Job()  # which every server process makes first

    assert done == expected
