"""In the scheduler: live dates that are not done by the time that their source declares, whatever
holds them. One that has failed is told at once as such, and not here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from include.ops import late_dates
from include.partition import EASTERN
from nba_airflow.factory import live_since
from nba_airflow.metadata.ledger import LEDGER
from nba_airflow.metadata.runs import ENDED

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from include.sources.spec import Source

NOT_MADE = "not made"
"""Stands in for the state of a run that is not there."""


def note_late(session: Session, now: datetime | None = None) -> None:
    """Notes which live dates of the last days are late, for the summary to tell. A DAG that is
    paused is not asked: whoever pauses it knows. Raises Away."""
    from nba_airflow.specs import sources

    moment = now or datetime.now(UTC)
    looked_at = {
        dag_id: days
        for dag_id, source in sources().items()
        if (days := due_days(source, moment)) and _is_live(session, dag_id)
    }
    late = {dag_id: _find_late(session, dag_id, days) for dag_id, days in looked_at.items()}
    with LEDGER.opened() as connection:
        for dag_id, days in looked_at.items():
            late_dates.note(connection, dag_id, days, late[dag_id])
        connection.commit()


def due_days(source: Source, now: datetime) -> list[date]:
    """The newest live dates whose time is over, in order."""
    first = live_since(source).astimezone(EASTERN).date() - timedelta(days=1)
    today = now.astimezone(EASTERN).date()
    days = (today - timedelta(days=n) for n in range(late_dates.MAX_DAYS + 1, 0, -1))
    over = [day for day in days if day >= first and source.fresh_at(day) <= now]
    return over[-late_dates.MAX_DAYS :]


def _is_live(session: Session, dag_id: str) -> bool:
    from airflow.models.dag import DagModel

    with session.no_autoflush:
        model = session.get(DagModel, dag_id)
    return model is not None and not model.is_paused


def _find_late(session: Session, dag_id: str, days: Sequence[date]) -> Mapping[date, str]:
    """Those that have not ended, each with its newest run's state."""
    from airflow.models.dagrun import DagRun
    from sqlalchemy import select

    newest = (
        select(DagRun.partition_key, DagRun.state)
        .where(DagRun.dag_id == dag_id, DagRun.partition_key.in_([str(day) for day in days]))
        .order_by(DagRun.id)
    )
    with session.no_autoflush:
        states = {key: str(state) for key, state in session.execute(newest)}
    found = {day: states.get(str(day), NOT_MADE) for day in days}
    return {day: state for day, state in found.items() if state not in ENDED}
