"""Airflow's backfills of game dates that have not ended, or whose dates run again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING, NamedTuple

from include.partition import parse_day
from nba_airflow.metadata.register import TIMETABLES
from nba_airflow.metadata.runs import has_open_runs

if TYPE_CHECKING:
    from sqlalchemy.orm import Session


class Unfinished(NamedTuple):
    """``ended_at``: when it was completed or cancelled; None where it was not. A cancel leaves it
    paused (3.3.2)."""

    dag_id: str
    is_paused: bool
    ended_at: datetime | None


def read_unfinished(session: Session) -> dict[int, Unfinished]:
    """By their ids; other teams' are left out."""
    from airflow.models.backfill import Backfill
    from airflow.models.dag import DagModel
    from sqlalchemy import or_, select

    columns = (Backfill.id, Backfill.dag_id, Backfill.is_paused, Backfill.completed_at)
    asked = select(*columns).join(DagModel, DagModel.dag_id == Backfill.dag_id)
    unfinished = or_(Backfill.completed_at.is_(None), has_open_runs())
    ours = (DagModel.timetable_type.in_(TIMETABLES), unfinished)
    rows = session.execute(asked.where(*ours).order_by(Backfill.id))
    return {row.id: Unfinished(row.dag_id, bool(row.is_paused), row.completed_at) for row in rows}


def read_open_days(session: Session, backfill_id: int) -> tuple[Sequence[date], Sequence[date]]:
    """The dates of a backfill that have not begun, and those that are under way."""
    from airflow.models.dagrun import DagRun
    from sqlalchemy import select

    asked = select(DagRun.partition_key, DagRun.state).where(
        DagRun.backfill_id == backfill_id, DagRun.state.in_(("queued", "running"))
    )
    rows = session.execute(asked.order_by(DagRun.partition_key)).all()
    days = [(parse_day(row.partition_key), str(row.state)) for row in rows]
    return (
        [day for day, state in days if state == "queued"],
        [day for day, state in days if state == "running"],
    )
