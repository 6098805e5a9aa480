"""In the scheduler: puts each run of a date into its batch, closes the batch after its last run,
and starts the summary that mails it."""

from __future__ import annotations

import logging
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from include.ops import batches
from include.partition import parse_day
from nba_airflow.metadata.ledger import LEDGER
from nba_airflow.metadata.runs import ENDED
from nba_airflow.metadata.summary_run import start_summary
from nba_airflow.timetable import GameDateTimetable

if TYPE_CHECKING:
    import psycopg
    from airflow.models.dagrun import DagRun
    from sqlalchemy import ColumnElement
    from sqlalchemy.orm import Session

log = logging.getLogger(__name__)

TIMETABLE = f"{GameDateTimetable.__module__}.{GameDateTimetable.__qualname__}"
# A scheduled run that starts later than this after it was due catches up; until then it is live.
LATE = timedelta(days=1)


def note_run(dag_run: DagRun, session: Session) -> None:
    """Notes in the ledger that a date's run started or ended; closes its batch when it was the
    last. ``session`` is the one that Airflow is about to commit.

    A live run that is on time has no batch: it is reported only when it fails, and then at once,
    whatever backfill runs beside it.
    """
    if not dag_run.partition_key or not has_game_dates(session, dag_run.dag_id):
        return
    day, stream = parse_day(dag_run.partition_key), _find_stream(dag_run)
    with LEDGER.opened() as connection:
        if stream is not None:
            _note_in_batch(connection, dag_run, day, stream, session)
        elif dag_run.state == "failed":
            batch_id = batches.failed_live(
                connection, dag_run.dag_id, dag_run.run_id, day, dag_run.clear_number or 0
            )
            if batch_id:
                start_summary(batch_id, session)


def _note_in_batch(
    connection: psycopg.Connection[Any],
    dag_run: DagRun,
    day: date,
    stream: int,
    session: Session,
) -> None:
    """Registering beats counting: this run's end is written first, then the others are looked
    at."""
    ended = dag_run.state in ENDED
    batch = batches.current(
        connection, dag_run.dag_id, stream, ended_run=dag_run.run_id if ended else ""
    )
    if not batches.has(connection, batch.batch_id, dag_run.run_id):
        runs = _read_open_runs(dag_run, stream, session)
        if batch.kind == "backfill":
            # Cancelled, then cleared in part, before anything was heard of it.
            runs |= _read_cancelled_runs(dag_run, session)
        batches.register(connection, batch.batch_id, {**runs, dag_run.run_id: day})
    batches.mark(connection, batch.batch_id, dag_run.run_id, str(dag_run.state))
    if ended and batch.closed_at is None and not _is_more_to_come(dag_run, stream, session):
        _close(connection, batch, session)


def has_game_dates(session: Session, dag_id: str) -> bool:
    """Whether the DAG has game dates: other teams' partitions are not ours."""
    from airflow.models.dag import DagModel

    with session.no_autoflush:
        model = session.get(DagModel, dag_id)
    return model is not None and model.timetable_type == TIMETABLE


def _find_stream(dag_run: DagRun) -> int | None:
    """The backfill's id; CATCHUP for a scheduled run that is late or was cleared; None for a live
    run on time."""
    if dag_run.backfill_id is not None:
        return int(dag_run.backfill_id)
    late = dag_run.run_after < datetime.now(UTC) - LATE
    return (
        batches.CATCHUP
        if str(dag_run.run_type) == "scheduled" and (late or dag_run.clear_number)
        else None
    )


def _read_open_runs(dag_run: DagRun, stream: int, session: Session) -> dict[str, date]:
    """run_id -> day of the stream's runs that have not ended, by Airflow's books."""
    from airflow.models.dagrun import DagRun
    from sqlalchemy import or_

    if stream == batches.CATCHUP:
        late = or_(DagRun.run_after < datetime.now(UTC) - LATE, DagRun.clear_number > 0)
        mine = [DagRun.backfill_id.is_(None), DagRun.run_type == "scheduled", late]
    else:
        mine = [DagRun.backfill_id == stream]
    return _read_days(session, dag_run.dag_id, DagRun.state.in_(("queued", "running")), *mine)


def _read_cancelled_runs(dag_run: DagRun, session: Session) -> dict[str, date]:
    """run_id -> day of the backfill's runs that a cancel has failed before they started."""
    from airflow.models.dagrun import DagRun

    mine = DagRun.backfill_id == dag_run.backfill_id
    never_started = (DagRun.state == "failed", DagRun.start_date.is_(None))
    return _read_days(session, dag_run.dag_id, mine, *never_started)


def _read_days(session: Session, dag_id: str, *wanted: ColumnElement[bool]) -> dict[str, date]:
    from airflow.models.dagrun import DagRun
    from sqlalchemy import select

    columns = (DagRun.run_id, DagRun.partition_key)
    with session.no_autoflush:
        rows = session.execute(select(*columns).where(DagRun.dag_id == dag_id, *wanted))
        return {run_id: parse_day(key) for run_id, key in rows if key}


def _is_more_to_come(dag_run: DagRun, stream: int, session: Session) -> bool:
    """Whether other runs of the stream are open, or the schedule is about to make another late
    one."""
    if set(_read_open_runs(dag_run, stream, session)) - {dag_run.run_id}:
        return True
    if stream != batches.CATCHUP:
        return False
    from airflow.models.dag import DagModel

    with session.no_autoflush:
        model = session.get(DagModel, dag_run.dag_id)
    due = model.next_dagrun_create_after if model and not model.is_paused else None
    return due is not None and due < datetime.now(UTC) - LATE


def _close(connection: psycopg.Connection[Any], batch: batches.Batch, session: Session) -> None:
    """Closes the batch and starts its summary; runs that ended without a word (cancelled) are noted
    as such."""
    cancelled = batches.end_silent(connection, batch.batch_id)
    if batches.close(connection, batch.batch_id, cancelled=cancelled):
        start_summary(batch.batch_id, session)
