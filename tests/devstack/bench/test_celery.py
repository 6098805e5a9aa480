"""The benchmark of Celery has what docker-compose.yaml sets for Celery."""

from __future__ import annotations

import re

from devstack.bench.celery import TASKS_PER_WORKER, WORKERS, settings
from devstack.compose.file import read


def test_settings_are_those_of_the_file_but_for_addresses() -> None:
    there = read()["services"]["airflow-worker"]["environment"]
    ours = {
        name: str(value)
        for name, value in there.items()
        if name.startswith("AIRFLOW__CELERY") or name == "AIRFLOW__CORE__EXECUTOR"
    }
    ours["AIRFLOW__CELERY__WORKER_CONCURRENCY"] = str(TASKS_PER_WORKER)
    address = re.compile(r"redis://[^/]*/")
    assert {name: address.sub("", value) for name, value in ours.items()} == {
        name: address.sub("", str(value)) for name, value in settings(6379).items()
    }


def test_workers_take_together_what_one_of_the_file_takes() -> None:
    there = read()["services"]["airflow-worker"]["environment"]
    assert len(WORKERS) * TASKS_PER_WORKER == int(there["AIRFLOW__CELERY__WORKER_CONCURRENCY"])
