"""Dates that wait for their upstream, in Airflow's metadata: which do, and how they go on at
once."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import TYPE_CHECKING

from include.ops import outcomes
from include.outcome import Outcome

if TYPE_CHECKING:
    from typing import Any

    import psycopg
    from sqlalchemy.orm import Session


def wake(dag_ids: Collection[str], ledger: psycopg.Connection[Any], session: Session) -> int:
    """Lets the deferred dates of the DAGs go on that wait for their upstream by the ledger, as if
    their moment had come; returns how many tasks. Those that wait for their games to be final go
    on waiting."""
    from airflow.models.taskinstance import TaskInstance
    from airflow.models.trigger import Trigger
    from airflow.triggers.base import TriggerEvent
    from sqlalchemy import select

    deferred = session.scalars(
        select(TaskInstance).where(
            TaskInstance.dag_id.in_(dag_ids), TaskInstance.state == "deferred"
        )
    ).all()
    waiting: set[tuple[str, str, str]] = set()
    for dag_id in dag_ids:
        run_ids = [task.run_id for task in deferred if task.dag_id == dag_id]
        rows = outcomes.of_runs(ledger, dag_id, run_ids)
        newest = {(row.run_id, row.endpoint): row.outcome for row in rows}
        waiting |= {
            (dag_id, run_id, endpoint)
            for (run_id, endpoint), outcome in newest.items()
            if outcome is Outcome.QUOTA_WAIT
        }
    woken = [task for task in deferred if (task.dag_id, task.run_id, task.task_id) in waiting]
    for task in woken:
        moment = TriggerEvent(None)  # type: ignore[no-untyped-call]  # Airflow's own has no types
        Trigger.submit_event(task.trigger_id, moment, session=session)
    return len(woken)


MAX_MOMENTS = 200
"""Of how many deferred dates it is read until when they wait: each is decrypted, in 0.1 ms."""


def read_moments(
    session: Session, runs: Collection[tuple[str, str]]
) -> dict[tuple[str, str], datetime]:
    """(DAG, run) -> the moment until which it waits (aware), of the first MAX_MOMENTS that were
    deferred; the last of its endpoints counts."""
    from airflow.models.taskinstance import TaskInstance
    from airflow.models.trigger import Trigger
    from sqlalchemy import select, tuple_
    from sqlalchemy.orm import lazyload

    rows = session.execute(
        select(TaskInstance.dag_id, TaskInstance.run_id, Trigger)
        .join(Trigger, Trigger.id == TaskInstance.trigger_id)
        .where(
            tuple_(TaskInstance.dag_id, TaskInstance.run_id).in_(runs),
            TaskInstance.state == "deferred",
        )
        .options(lazyload(Trigger.task_instance))
        .order_by(Trigger.created_date, Trigger.id)
        .limit(MAX_MOMENTS)
    )
    found = [(row.Trigger.kwargs.get("moment"), row.dag_id, row.run_id) for row in rows]
    known = sorted(each for each in found if each[0])
    return {(dag_id, run_id): moment for moment, dag_id, run_id in known}
