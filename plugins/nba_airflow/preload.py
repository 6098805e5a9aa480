"""What is imported before workers of LocalExecutor or Celery are forked, so that no task has to.

Three quarters of a task's time were imports (Airflow 3.3.2): a task is forked from a worker, a
worker from the scheduler or from Celery's main process, and what that has imported both of them
have. Nothing but imports happens here. A connection, thread or client made before the fork would
be every task's.
"""

from __future__ import annotations

import logging
import pkgutil
import sys
from collections.abc import Collection, Iterator
from importlib import import_module
from pathlib import Path

from include import errors

log = logging.getLogger(__name__)

AIRFLOW = (
    # The supervisor of a task, which runs in the worker.
    "airflow.sdk.execution_time.supervisor",
    "airflow.sdk._shared.logging.factory",
    "airflow.sdk._shared.logging.remote",
    # The task's own process: it reads the DAG file and runs the operator.
    "airflow.sdk.execution_time.task_runner",
    "airflow.sdk.execution_time.cache",
    "airflow.sdk.execution_time.timeout",
    "airflow.sdk.definitions.connection",
    "airflow.dag_processing.dagbag",
    "airflow.dag_processing.bundles.local",
    "airflow.providers.standard.triggers.temporal",
    "airflow.version",
    "jinja2.ext",
)
"""What Airflow imports only when the first task of a process starts (3.3.2)."""

LIBRARIES = (
    "pandas",  # pyarrow imports it at the first array of Python objects: 0.33 s
    "psycopg",
    "pyarrow.compute",
    "pyarrow.pandas_compat",
    "pyarrow.parquet",
    "pyarrow.vendored.version",
    "requests",
    "google.auth.transport.requests",
    "google_crc32c",  # of Google Cloud Storage's uploads
    "google.oauth2.service_account",
)
"""What our modules, or these libraries themselves, import inside functions. Not duckdb: no task
uses it, and its import starts a thread."""

_NOT_FOR_TASKS = ("nba_airflow.cli", "nba_airflow.page", "nba_airflow.provision")


CLOUD = {"bigquery": "include.warehouse.bigquery", "gs": "include.storage.gcs"}
"""Scheme of a store's URL -> those of our modules that import its client: not for everyone, it is
as large as all the rest."""


def preload(schemes: Collection[str] = ()) -> None:
    """Imports all that a task needs but its DAG file, for stores of these schemes. Raises
    ImportError."""
    before = len(sys.modules)
    for name in (*AIRFLOW, *LIBRARIES, *ours(schemes)):
        import_module(name)
    log.info("imported what tasks need: %d modules", len(sys.modules) - before)


def ours(schemes: Collection[str] = ()) -> Iterator[str]:
    """The names of our modules that a task may need, found, not listed."""
    elsewhere = (name for scheme, name in CLOUD.items() if scheme not in schemes)
    left_out = (*_NOT_FOR_TASKS, *elsewhere)
    # Not the path of `include` itself, to which a team's folder of that name may be joined.
    for package, member in (("include", errors.__file__), ("nba_airflow", __file__)):
        for module in pkgutil.walk_packages([str(Path(member).parent)], f"{package}."):
            name = module.name
            if not name.startswith(left_out) and not name.endswith(".__main__"):
                yield name
