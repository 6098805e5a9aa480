"""What a scheduler or a Celery worker imports before it forks: all that a task needs, nothing but
imports, and only there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

import pytest

from devstack.bench.task_process import Order, Seen, run
from devstack.environment import Home
from devstack.sandbox.server import running

ROOT = Path(__file__).resolve().parents[2]
DAY = "2025-01-23"  # three games
AGAIN = ["bdl_box_scores"]


@dataclass(frozen=True, kw_only=True)
class Ran:
    """Every task of dags/, each in a process forked as LocalExecutor forks it; ``raw`` is where
    its bodies lie."""

    tasks: list[Seen]
    requests: int
    raw: Path
    warehouse: Path


@pytest.fixture(scope="module")
def on_disk(tmp_path_factory: pytest.TempPathFactory, ops_db: str) -> Ran:
    return ran(Home(root=tmp_path_factory.mktemp("disk")), ops_db)


@pytest.fixture(scope="module")
def in_cloud(
    tmp_path_factory: pytest.TempPathFactory, ops_db: str, gcs_url: str, gcs_folder: Path
) -> Ran:
    """The same with its raw store in Google Cloud Storage; one DAG's once more when all is
    there."""
    from tests.cloud import make_client  # its imports are what other tests here look for

    with make_client(gcs_url) as client, pytest.MonkeyPatch.context() as patch:
        client.create_bucket("raw-of-all-sources")
        patch.setenv("STORAGE_EMULATOR_HOST", gcs_url)
        home = Home(root=tmp_path_factory.mktemp("cloud"))
        found = ran(home, ops_db, raw_store="gs://raw-of-all-sources/nba", again=AGAIN)
        return replace(found, raw=gcs_folder / "raw-of-all-sources" / "nba")


def ran(home: Home, ops_db: str, *, raw_store: str = "", again: Sequence[str] = ()) -> Ran:
    with running(home.root, now="2026-03-01T20:00:00Z", monthly_credits=20_000) as sandbox:
        order = Order(days=[DAY], out=str(home.root / "out"), raw_store=raw_store)
        tasks = run(home, sandbox.url, ops_db, order)
        if again:
            order = replace(order, dags=again, out=str(home.root / "again"))
            tasks += run(home, sandbox.url, ops_db, order)
        requests = len(sandbox.log())
    return Ran(
        tasks=tasks, requests=requests, raw=home.data / "raw", warehouse=home.data / "warehouse"
    )


@pytest.fixture(scope="module", params=["on_disk", "in_cloud"])
def tasks(request: pytest.FixtureRequest) -> list[Seen]:
    found: Ran = request.getfixturevalue(request.param)
    return found.tasks


def files(folder: Path) -> dict[str, bytes]:
    """All but the status of dates, which says when they were counted."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("[!.]*")
        if path.is_file() and "date_status" not in path.parts
    }


def test_rows_of_every_source_are_the_same_from_both_raw_stores(
    on_disk: Ran, in_cloud: Ran
) -> None:
    rows = files(on_disk.warehouse)
    assert len(rows) > 5
    assert files(in_cloud.warehouse) == rows


def test_both_raw_stores_have_the_same_layout_and_bodies(on_disk: Ran, in_cloud: Ran) -> None:
    disk, cloud = files(on_disk.raw), files(in_cloud.raw)
    assert f"bdl_box_scores/2025/01/{DAY}/box_scores/_manifest.json" in disk
    assert sorted(cloud) == sorted(disk)
    bodies = [path for path in disk if path.endswith(".gz")]
    assert [path for path in bodies if cloud[path] != disk[path]] == []


def test_date_that_the_cloud_has_is_not_asked_for_again(on_disk: Ran, in_cloud: Ran) -> None:
    assert [seen.dag_id for seen in in_cloud.tasks[len(on_disk.tasks) :]] == AGAIN
    assert in_cloud.requests == on_disk.requests > 0


def foreign(module: str, file: str) -> bool:
    """Whether it is a third party's, or ours; Python's own cost nothing to speak of."""
    return "site-packages" in file or file.startswith(str(ROOT))


def test_every_task_of_every_dag_with_a_schedule_runs_to_its_end(tasks: list[Seen]) -> None:
    started_by_hand = {"reprocess"}
    every = {path.stem for path in (ROOT / "dags").glob("*.py")}
    assert {seen.dag_id for seen in tasks} == every - started_by_hand
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


@pytest.mark.parametrize("scheme", ["duckdb", "bigquery", "gs"])
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
        "ready for Celery's results": True if command == "celery worker" else None,
        "BigQuery's client": scheme == "bigquery",
        "Cloud Storage's client": scheme == "gs",
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
    from airflow.models.base import Base

    models = [*Base.registry.mappers]
    if results := sys.modules.get("celery.backends.database.session"):
        models += results.ResultModelBase.registry.mappers
    print(  # noqa: T201  read by the test
        json.dumps(
            {
                "missing": sorted({*AIRFLOW, *LIBRARIES, *ours({scheme})} - sys.modules.keys()),
                "threads": [thread.name for thread in threading.enumerate()],
                "opened": sorted(set(_open_files()) - before),
                "database connections": settings.engine.pool.checkedin()
                + settings.engine.pool.checkedout(),
                "ready for Celery's results": results and all(each.configured for each in models),
                "BigQuery's client": "google.cloud.bigquery.client" in sys.modules,
                "Cloud Storage's client": "google.cloud.storage.client" in sys.modules,
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
        (["scheduler"], "LocalExecutor", ["pools", "preload {'gs'}"]),
        (
            ["scheduler", "--skip-serve-logs"],
            "CeleryExecutor,LocalExecutor",
            ["pools", "preload {'gs'}"],
        ),
        (["scheduler"], "CeleryExecutor", ["pools", "keep connection", "collect less"]),
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
    from airflow.models import backfill  # noqa: F401  else it would keep the session of this test
    from airflow.utils import session

    from nba_airflow import celery_scheduler, connections, listener, preload, provision
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
    monkeypatch.setattr(connections, "store_schemes", lambda: {"gs"})
    monkeypatch.setattr(preload, "preload", lambda schemes: done.append(f"preload {schemes}"))
    monkeypatch.setattr(obstacles, "find_obstacles", lambda session: [])
    for name, said in (
        ("keep_connection", "keep connection"),
        ("leave_out_of_collections", "collect less"),
    ):
        monkeypatch.setattr(celery_scheduler, name, lambda said=said: done.append(said))

    job.Job()  # which every server process makes first

    assert done == expected
