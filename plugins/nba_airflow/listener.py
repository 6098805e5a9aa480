"""What Airflow's scheduler calls: at its start, to create the pools; when a date's run starts or
ends, to note it in its batch, whose last run starts the mail.

Airflow calls these in the scheduler before it commits, swallows what they raise (its log has it)
and calls them again after a crash (seen on 3.3.2), so each is quick, repeatable and uses Airflow's
own session for Airflow's rows.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from airflow.listeners import hookimpl

from include.failpoints import lose_event

if TYPE_CHECKING:
    from airflow.models.dagrun import DagRun
    from sqlalchemy.orm import Session

log = logging.getLogger(__name__)


@hookimpl
def on_starting(component: Any) -> None:
    """A scheduler never runs without the pools that tasks wait for, and has imported what they
    need before its executor forks.

    Airflow calls this when a process makes its job, before that does anything (3.3.2): of every
    server process, and as another component in every task.
    """
    if type(component).__name__ == "Job" and sys.argv[1:2] == ["scheduler"]:
        _create_pools()
        _prepare_for_tasks()
        _say_obstacles()


def _create_pools() -> None:
    from airflow.utils.session import create_session

    from nba_airflow.provision import pools

    with create_session() as session:
        if created := pools(session):
            log.info("created pools: %s", ", ".join(created))


def _say_obstacles() -> None:
    from airflow.utils.session import create_session

    from nba_airflow.metadata.obstacles import find_obstacles

    with create_session() as session:
        for obstacle in find_obstacles(session):
            log.warning("%s", obstacle)


def _prepare_for_tasks() -> None:
    """Other executors than LocalExecutor fork no tasks from the scheduler; Celery's workers preload
    by way of ``nba_airflow.startup``."""
    from airflow.configuration import conf

    from nba_airflow import celery_scheduler
    from nba_airflow.connections import store_schemes
    from nba_airflow.preload import preload

    executors = conf.get("core", "executor")
    if "LocalExecutor" in executors:
        preload(store_schemes())
    elif "CeleryExecutor" in executors:
        celery_scheduler.keep_connection()
        celery_scheduler.pace_turns()
        celery_scheduler.leave_out_of_collections()


@hookimpl
def on_dag_run_running(dag_run: DagRun, msg: str) -> None:
    """A run has started; one of the summary's reports what is over or late by now, and the
    metrics."""
    from nba_airflow.metadata.begun import meet
    from nba_airflow.metadata.ledger import Away
    from nba_airflow.metadata.summary_run import SUMMARY

    if dag_run.backfill_id is not None:
        with suppress(Away):
            meet(dag_run)
    if dag_run.dag_id == SUMMARY:
        lose_event(dag_run.run_id)
        with suppress(Away):
            _sweep(_session_of(dag_run))


def _sweep(session: Session) -> None:
    """What nobody was told of, or what is due: whatever is wrong with one act, such as a file in
    dags/ that cannot be read, the others follow. Raises Away, which ends it."""
    from nba_airflow.metadata import derived
    from nba_airflow.metadata.begun import check_due
    from nba_airflow.metadata.freshness import note_late
    from nba_airflow.metadata.hold import hold_backfills
    from nba_airflow.metadata.ledger import Away

    acts: dict[str, Callable[[], object]] = {
        "close batches": lambda: _close_over(session),
        "note late dates": lambda: note_late(session),
        "start processors": lambda: derived.look(session),
        "hold backfills": lambda: hold_backfills(session),
        "check backfills": check_due,
        "emit metrics": lambda: _emit_totals(session),
        "advance stages": _advance,
    }
    for name, act in acts.items():
        try:
            act()
        except Away:
            raise
        except Exception:  # whatever a file in dags/, or a fault of ours, raises
            log.exception("the sweep could not %s: its next turn tries again", name)


def _close_over(session: Session) -> None:
    from nba_airflow.metadata.register import close_over

    if closed := close_over(session):
        log.info("batches that are over: %s", ", ".join(closed))


def _emit_totals(session: Session) -> None:
    from nba_airflow.metadata.ledger import LEDGER
    from nba_airflow.metadata.register import read_open_runs
    from nba_airflow.metrics import emit_totals

    open_runs = read_open_runs(session)
    with LEDGER.opened() as connection:
        emit_totals(connection, open_runs)


def _advance() -> None:
    from include.ops.stages import read_waiting
    from nba_airflow.advance import advance_aside
    from nba_airflow.metadata.ledger import LEDGER

    with LEDGER.opened() as connection:
        waiting = read_waiting(connection)
    if waiting:
        advance_aside()


@hookimpl
def on_dag_run_success(dag_run: DagRun, msg: str) -> None:
    """A run has ended well; what is made of its date can follow."""
    _note_end(dag_run)
    if dag_run.partition_key:
        from nba_airflow.metadata.derived import note_done
        from nba_airflow.metadata.ledger import Away

        with suppress(Away):
            note_done(dag_run, _session_of(dag_run))


@hookimpl
def on_dag_run_failed(dag_run: DagRun, msg: str) -> None:
    """A run has failed."""
    _note_end(dag_run)


def _note_end(dag_run: DagRun) -> None:
    if dag_run.partition_key:
        lose_event(f"{dag_run.dag_id} {dag_run.partition_key} {dag_run.clear_number}")
        from nba_airflow.metadata import hold, register
        from nba_airflow.metadata.ledger import Away

        with suppress(Away):
            register.note_end(dag_run, _session_of(dag_run))
            hold.note_end(dag_run, _session_of(dag_run))


def _session_of(dag_run: DagRun) -> Session:
    """The session that Airflow is about to commit."""
    from sqlalchemy.orm import object_session

    session = object_session(dag_run)
    assert session is not None
    return session
