"""In the scheduler: backfills that are over and in no batch, like one that was cancelled before a
run had started."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from include.ops import batches
from include.partition import parse_day
from nba_airflow.metadata.batch_of_run import TIMETABLE
from nba_airflow.metadata.ledger import LEDGER
from nba_airflow.metadata.runs import ENDED

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

MAX_LOOK_BACK = timedelta(days=30)
"""How long ago a backfill may have ended: longer than an installation stands still over the
holidays."""
RECENT = timedelta(days=1)
"""As above while the ledger has no batch at all, so that a new or a lost one does not mail a
month's backfills."""


def close_unreported(session: Session) -> list[str]:
    """Makes a closed batch of each such backfill, for the summary to report; their ids.

    Airflow has no hook for a backfill, and a queued run that a cancel fails tells no listener (seen
    on 3.3.2).
    """
    with LEDGER.opened() as connection, session.no_autoflush:
        now = datetime.now(UTC)
        since = max(now - MAX_LOOK_BACK, batches.first_opened(connection) or now - RECENT)
        closed = []
        for backfill in batches.unreported(connection, _find_over(session, since)):
            dag_id, runs = _read_ended_runs(session, backfill)
            if runs and (batch_id := batches.adopt(connection, dag_id, backfill, runs)):
                closed.append(batch_id)
        return closed


def _find_over(session: Session, since: datetime) -> Sequence[int]:
    """Our backfills that were completed, or cancelled, since then."""
    from airflow.models.backfill import Backfill
    from airflow.models.dag import DagModel
    from sqlalchemy import select

    of_our_dags = select(Backfill.id).join(DagModel, DagModel.dag_id == Backfill.dag_id)
    return list(
        session.scalars(
            of_our_dags.where(Backfill.completed_at > since, DagModel.timetable_type == TIMETABLE)
        )
    )


def _read_ended_runs(
    session: Session, backfill: int
) -> tuple[str, list[tuple[str, date, str, bool]]]:
    """DAG and (run_id, day, state, has started) of the backfill's runs; none while one is open."""
    from airflow.models.dagrun import DagRun
    from sqlalchemy import select

    columns = (DagRun.dag_id, DagRun.run_id, DagRun.partition_key, DagRun.state, DagRun.start_date)
    rows = session.execute(select(*columns).where(DagRun.backfill_id == backfill)).all()
    if not rows or any(row.state not in ENDED for row in rows):
        return "", []
    return rows[0].dag_id, [
        (row.run_id, parse_day(row.partition_key), str(row.state), row.start_date is not None)
        for row in rows
    ]
