"""Where records lie, and writing them: in the summary's task, and by `airflow nba record`."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nba_airflow import connections

if TYPE_CHECKING:
    import psycopg

    from include.ops.batches import Batch
    from include.storage.store import Store

log = logging.getLogger(__name__)

PLACE = "NBA_RECORDS"
"""The setting: a folder, or gs://bucket/prefix."""
MAX_AT_ONCE = 20
"""Batches that one run of the summary puts into their records: mails of others wait for it."""


def find_place() -> str:
    """The URL of the folder or bucket: ``NBA_RECORDS``, else ``docs/investigations`` below
    Airflow's home, which every process that runs the summary may write to."""
    named = os.environ.get(PLACE, "")
    if "://" in named:
        return named
    folder = Path(named) if named else _home() / "docs" / "investigations"
    return folder.absolute().as_uri()


def _home() -> Path:
    return Path(os.environ.get("AIRFLOW_HOME") or "~/airflow").expanduser()


def open_place() -> Store:
    """The store that records are written to. Raises Problem(STORAGE)."""
    return connections.raw_store_at(find_place())


def write_due(connection: psycopg.Connection[Any]) -> None:
    """Writes the records of the batches that are reported and in none yet. One that cannot be
    written holds nothing up: status names it, and the next summary tries again."""
    from include.ops import batches

    for batch in batches.unrecorded(connection, MAX_AT_ONCE):
        try:
            days = {run.day for run in batches.runs(connection, batch.batch_id)}
            urls = write_records(connection, batch.dag_id, days)
        except Exception as error:  # whatever is wrong with one
            connection.rollback()
            log.exception("batch %s is in no record", batch.batch_id)
            batches.recorded(connection, batch.batch_id, error=str(error) or repr(error))
        else:
            batches.recorded(connection, batch.batch_id)
            log.info("batch %s is in the records %s", batch.batch_id, ", ".join(urls) or "of none")


def write_records(
    connection: psycopg.Connection[Any], dag_id: str, days: Iterable[Any]
) -> list[str]:
    """Writes anew every record that tells of these days; their URLs. Raises Problem(STORAGE)."""
    from include.guards.record.chapters import find_records

    store = open_place()
    endpoints = _endpoints(dag_id)
    found = find_records(connection, dag_id, set(days))
    return [_write(connection, store, batch, endpoints) for batch in found]


def _write(
    connection: psycopg.Connection[Any], store: Store, batch: Batch, endpoints: Sequence[str]
) -> str:
    from include.guards.record.chapters import read_record
    from include.guards.record.document import make_files, write_files

    files = make_files(read_record(connection, batch, endpoints))
    write_files(store, files)
    return f"{store.url}/{[*files][-1]}"


def _endpoints(dag_id: str) -> Sequence[str]:
    """Those of the DAG's spec; none where it cannot be read: it is judged by what it said."""
    from nba_airflow.specs import endpoint_names

    try:
        return endpoint_names(dag_id)
    except Exception:  # whatever a file in dags/ raises
        log.exception("the specs cannot be read: %s is judged by what it said", dag_id)
        return []
