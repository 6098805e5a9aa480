"""In the scheduler: which runs make up a batch, when its last one has ended, and the start of its summary."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from include.ledger import batches
from include.ledger.db import connect
from include.partition import parse_day
from nba_airflow import connections

if TYPE_CHECKING:
    import psycopg
    from airflow.models.dagrun import DagRun
    from sqlalchemy.orm import Session

log = logging.getLogger(__name__)

SUMMARY = "backfill_summary"
_ENDED = ("success", "failed")


@cache
def _ops_url() -> str:
    """Read once, in a thread of its own: Airflow's sessions are per thread, and a second one in the scheduler's
    would detach the rows that it is working on (seen on 3.3.2: the scheduler dies of DetachedInstanceError)."""
    with ThreadPoolExecutor(max_workers=1) as pool:
        return pool.submit(connections.ops_url).result()


def note(dag_run: DagRun) -> None:
    """Notes in the ledger that a backfill's run started or ended; closes the batch when it was the last.

    Registering beats counting: this run's end is written first, then the others are looked at.
    """
    from sqlalchemy.orm import object_session

    session = object_session(dag_run)
    with connect(_ops_url(), application_name="nba scheduler") as connection:
        batch = batches.current(connection, dag_run.dag_id, dag_run.backfill_id)
        known = {run.run_id for run in batches.runs(connection, batch.batch_id)}
        if dag_run.run_id not in known:
            others = _runs(dag_run, session, ended=False)
            batches.register(connection, batch.batch_id, {**others, dag_run.run_id: parse_day(dag_run.partition_key)})
        state = str(dag_run.state)
        batches.mark(connection, batch.batch_id, dag_run.run_id, state)
        if state in _ENDED and not set(_runs(dag_run, session, ended=False)) - {dag_run.run_id}:
            _close(connection, batch, dag_run, session)


def _runs(dag_run: DagRun, session: Session, *, ended: bool) -> dict[str, date]:
    """run_id -> day of the backfill's runs that have (not) ended, by Airflow's books."""
    from airflow.models.dagrun import DagRun
    from sqlalchemy import select

    states = _ENDED if ended else ("queued", "running")
    with session.no_autoflush:
        rows = session.execute(
            select(DagRun.run_id, DagRun.partition_key).where(
                DagRun.dag_id == dag_run.dag_id,
                DagRun.backfill_id == dag_run.backfill_id,
                DagRun.state.in_(states),
            )
        )
        return {run_id: parse_day(key) for run_id, key in rows}


def _close(connection: psycopg.Connection[Any], batch: batches.Batch, dag_run: DagRun, session: Session) -> None:
    """Closes the batch and starts its summary; runs that ended without a word (cancelled) are noted as such."""
    silent = [r for r in batches.runs(connection, batch.batch_id) if r.state not in _ENDED]
    for run in silent:
        batches.mark(connection, batch.batch_id, run.run_id, "failed")
    cancelled = any(run.started_at is None for run in silent)
    if batches.close(connection, batch.batch_id, cancelled=cancelled):
        _start_summary(batch.batch_id, session)


def _start_summary(batch_id: str, session: Session) -> None:
    """Creates the summary's run in the session that Airflow is about to commit; its fixed id allows one only."""
    from airflow.models.dagbag import DBDagBag
    from airflow.models.dagrun import DagRun
    from airflow.utils.state import DagRunState
    from airflow.utils.types import DagRunTriggeredByType, DagRunType
    from sqlalchemy import select

    run_id = f"batch__{batch_id}"
    with session.no_autoflush:
        if session.scalar(select(DagRun.id).where(DagRun.dag_id == SUMMARY, DagRun.run_id == run_id)):
            return
        dag = DBDagBag().get_latest_version_of_dag(SUMMARY, session=session)
        if dag is None:
            log.error("DAG %s is not there yet: its next scheduled run reports batch %s", SUMMARY, batch_id)
            return
        dag.create_dagrun(
            run_id=run_id,
            logical_date=None,
            data_interval=None,
            run_after=datetime.now(UTC),
            conf={"batch_id": batch_id},
            run_type=DagRunType.MANUAL,
            triggered_by=DagRunTriggeredByType.OPERATOR,
            state=DagRunState.QUEUED,
            session=session,
        )
