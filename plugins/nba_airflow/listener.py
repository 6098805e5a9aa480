"""Scheduler-side hooks: pools at its start, and the batch that a date's run belongs to, from first
to last.

Airflow calls these in the scheduler before it commits, swallows what they raise (its log has it)
and calls them again after a crash (seen on 3.3.2), so each is quick, repeatable and uses Airflow's
own session for Airflow's rows.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from airflow.listeners import hookimpl

if TYPE_CHECKING:
    from airflow.models.dagrun import DagRun

log = logging.getLogger(__name__)


@hookimpl
def on_starting(component: Any) -> None:
    """A scheduler never runs without the pools that tasks wait for."""
    if type(component).__name__ == "SchedulerJobRunner":
        from airflow.utils.session import create_session

        from nba_airflow.provision import pools

        with create_session() as session:
            if created := pools(session):
                log.info("created pools: %s", ", ".join(created))


@hookimpl
def on_dag_run_running(dag_run: DagRun, msg: str) -> None:
    """A run has started; before one of the summary's, backfills that nothing was heard of are
    looked for."""
    from nba_airflow.metadata.batches import SUMMARY

    _note(dag_run)
    if dag_run.dag_id == SUMMARY:
        from sqlalchemy.orm import object_session

        from nba_airflow.metadata.unreported import close_unheard

        if closed := close_unheard(object_session(dag_run)):
            log.info("backfills that ended unheard, to be reported: %s", ", ".join(closed))


@hookimpl
def on_dag_run_success(dag_run: DagRun, msg: str) -> None:
    """A run has ended well."""
    _note(dag_run)


@hookimpl
def on_dag_run_failed(dag_run: DagRun, msg: str) -> None:
    """A run has failed."""
    _note(dag_run)


def _note(dag_run: DagRun) -> None:
    if dag_run.partition_key:
        from nba_airflow.metadata.batches import note

        note(dag_run)
