"""In the scheduler: a run that we make, in the transaction that Airflow is about to commit, which
no fault of it can spoil."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

log = logging.getLogger(__name__)

MAX_RUN_ID = 250
"""Airflow's, of which a run's own id may use all."""


def create_run(
    dag_id: str, name: str, session: Session, *, partition_key: str | None = None
) -> bool:
    """Creates the DAG's run of that name, unless there is one; ``name`` may be of any length.
    Whether there is one now.

    It goes with ``session``'s transaction, behind a savepoint and in a session of its own: an error
    there leaves Airflow's session and what it has not written yet alone. (Airflow forbids its own
    session a savepoint, 3.3.2.)
    """
    from sqlalchemy import orm
    from sqlalchemy.exc import SQLAlchemyError

    transaction = session.connection()
    try:
        with (
            orm.Session(bind=transaction, join_transaction_mode="create_savepoint") as ours,
            ours.begin(),
        ):
            return _create(dag_id, make_run_id(name), ours, partition_key)
    except SQLAlchemyError as error:
        log.error("no run of %s could be made: %s", dag_id, error)
        return False


def make_run_id(name: str) -> str:
    """The name, or where that is too long a run's id its beginning and a hash of it all."""
    if len(name) <= MAX_RUN_ID:
        return name
    mark = sha256(name.encode()).hexdigest()[:24]
    return f"{name[: MAX_RUN_ID - len(mark) - 1]}-{mark}"


# The run, unless it is there: a scheduler that was killed tells the same end again.
def _create(dag_id: str, run_id: str, session: Session, partition_key: str | None) -> bool:
    from airflow.models.dagbag import DBDagBag
    from airflow.models.dagrun import DagRun
    from airflow.utils.state import DagRunState
    from airflow.utils.types import DagRunTriggeredByType, DagRunType
    from sqlalchemy import select

    if session.scalar(select(DagRun.id).where(DagRun.dag_id == dag_id, DagRun.run_id == run_id)):
        return True
    dag = DBDagBag().get_latest_version_of_dag(dag_id, session=session)
    if dag is None:
        log.error("DAG %s is not there yet: no run of it can be made", dag_id)
        return False
    dag.create_dagrun(
        run_id=run_id,
        logical_date=None,
        data_interval=None,
        run_after=datetime.now(UTC),
        run_type=DagRunType.MANUAL,
        triggered_by=DagRunTriggeredByType.OPERATOR,
        state=DagRunState.QUEUED,
        partition_key=partition_key,
        session=session,
    )
    return True
