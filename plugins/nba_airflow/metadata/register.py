"""In the scheduler: Airflow's rows are the register of the runs that make up a batch and of how
they ended. Here they are read, and batches whose runs have all ended are closed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from include.ops import backfills, batches, stages
from include.ops.backfills import Backfill
from include.ops.batches import DELETED, BatchRun
from include.partition import BadDay, parse_day
from nba_airflow.metadata.ledger import LEDGER
from nba_airflow.metadata.runs import ENDED, release_ended_backfills
from nba_airflow.metadata.summary_run import start_summary
from nba_airflow.timetable import GameDateTimetable, ProcessedDateTimetable

if TYPE_CHECKING:
    import psycopg
    from airflow.models.dagrun import DagRun
    from sqlalchemy import ColumnElement
    from sqlalchemy.orm import Session

_OURS = (GameDateTimetable, ProcessedDateTimetable)
TIMETABLES = [f"{each.__module__}.{each.__qualname__}" for each in _OURS]
LATE = timedelta(days=1)
"""A scheduled run that is made later than this after it was due catches up; until then it is
live."""
MAX_LOOK_BACK = timedelta(days=30)
"""How long ago a run that is in no batch yet may have ended: longer than an installation stands
still over the holidays."""
RECENT = timedelta(days=1)
"""How much of what the last look has seen is read again: ends are written later than they are, and
clocks differ. As above while nobody has looked at all, so that a new or a lost ledger does not mail
a month's backfills."""
A_FEW = 20

_NOTHING: Mapping[Any, Any] = MappingProxyType({})


@dataclass(frozen=True, kw_only=True)
class BookedRun:
    """A date's run in Airflow's rows, with what tells which batch it belongs to. ``ordered_in``:
    the batch of its backfill's order, where one is noted; ``made_late``: the schedule made it more
    than LATE after it was due; ``clears``: how often it was cleared."""

    dag_id: str
    run: BatchRun
    backfill_id: int | None
    ordered_in: str = ""
    made_late: bool = False
    clears: int = 0


@dataclass(frozen=True, kw_only=True)
class FoundBatch:
    """A batch that is not closed, as Airflow's rows have it now; ``over``: all its runs have ended,
    ``waiting``: but its order has stages to come."""

    batch_id: str
    runs: Sequence[BatchRun]
    over: bool
    waiting: bool = False

    @property
    def news(self) -> str:
        """What the summary's run is called that has to know of it; empty while nothing is new."""
        if self.waiting:
            return f"{self.batch_id}:{len(self.runs)}"
        return self.batch_id if self.over else ""


@dataclass(frozen=True, kw_only=True)
class Look:
    """What is looked at: the runs ``kept`` of the batches that were open, and those that have ended
    ``since``."""

    kept: Mapping[str, Sequence[BatchRun]]
    since: datetime

    @property
    def run_ids(self) -> set[str]:
        """The runs that were in open batches."""
        return {run.run_id for runs in self.kept.values() for run in runs}


# --- when to look


def note_end(dag_run: DagRun, session: Session) -> None:
    """Closes what is over, and starts the summary, when the run that has ended may be the last of
    its batch. ``session`` is the one that Airflow is about to commit.

    What is missed here is found by the next scheduled summary, within five minutes.
    """
    from airflow.models.dagrun import DagRun

    of_dag = DagRun.dag_id == dag_run.dag_id
    ended = _read_runs(session, DagRun.id == dag_run.id)
    may_be_over = {_choose_batch(each) for each in ended} - {""}
    # Nearly always a few of the open runs show that more is to come; only all show that it is not.
    for limit in (A_FEW, None):
        others = _read_runs(session, of_dag, DagRun.state.not_in(ENDED), limit=limit)
        may_be_over -= {_choose_batch(other) for other in others if not other.run.over}
        if not may_be_over:
            return
    for batch_id in close_over(session):
        start_summary(batch_id, session)


# --- what there is


def close_over(session: Session) -> list[str]:
    """Closes the batches whose runs have all ended, with what Airflow's rows say of them, for the
    summary to report; their ids, and names for those whose next stage is due.

    The others are kept as they are now: should a run be deleted before its batch is over, its date
    is known. Runs of cancelled backfills may start again from here on.
    """
    release_ended_backfills(session)
    begun = datetime.now(UTC)
    # Airflow's rows of a long backfill take longer than our tables are waited for.
    with LEDGER.opened() as connection:
        look = _read_look(connection)
    booked, deleted = _read_booked(session, look), _read_deleted(session, look.since)
    with LEDGER.opened(again=True) as connection:
        if not batches.lock(connection) or _read_look(connection).run_ids != look.run_ids:
            return []  # another scheduler is at it
        found = _sort(session, connection, look, booked, deleted)
        batches.forget_open(connection)
        for each in found:
            batches.write(connection, each.batch_id, each.runs, over=each.over)
        batches.note_look(connection, begun)
        connection.commit()
    return [each.news for each in found if each.news]


def find_batches(session: Session, connection: psycopg.Connection[Any]) -> list[FoundBatch]:
    """The batches that are not closed yet, as Airflow's rows have them now."""
    look = _read_look(connection)
    booked, deleted = _read_booked(session, look), _read_deleted(session, look.since)
    return _sort(session, connection, look, booked, deleted)


def _sort(
    session: Session,
    connection: psycopg.Connection[Any],
    look: Look,
    booked: Sequence[BookedRun],
    deleted: Sequence[BookedRun],
) -> list[FoundBatch]:
    """The batches that Airflow's runs belong to, by what the ledger has told of them."""
    ordered = backfills.read(connection, [each.backfill_id or 0 for each in (*booked, *deleted)])
    booked, deleted = _name_orders(booked, ordered), _name_orders(deleted, ordered)
    waiting = stages.read_waiting(connection)
    there = {each.run.run_id for each in booked}
    told = batches.read_told(connection, there)
    closed = batches.read_closed(connection, {_own_batch(each) for each in (*booked, *deleted)})
    numbers = batches.count_closed(connection, {each.dag_id for each in booked})
    found: dict[str, list[BatchRun]] = defaultdict(list)
    for each in booked:
        found[_choose_batch(each, told, closed, numbers)].append(each.run)
    for batch_id, runs in look.kept.items():
        found[batch_id] += [replace(r, state=DELETED) for r in runs if r.run_id not in there]
    for each in deleted:
        found[_choose_batch(each, told, closed, numbers)].append(each.run)
    for name, days in stages.read_left_out(connection, found).items():
        found[name] += [_leave_out(name, day) for day in days]
    return [
        _find(session, name, runs, waiting=name in waiting)
        for name, runs in found.items()
        if name and runs
    ]


def _leave_out(batch_id: str, day: date) -> BatchRun:
    """Stands for the run that a date did not get, since a stage before its own was not clean."""
    return BatchRun(
        run_id=f"{DELETED}__{batch_id}__{day}",
        day=day,
        state=DELETED,
        queued_at=datetime.now(UTC),
        started_at=None,
        ended_at=None,
    )


def _name_orders(booked: Sequence[BookedRun], ordered: Mapping[int, Backfill]) -> list[BookedRun]:
    """The same runs, each with the batch of its backfill's order."""
    batch = {backfill_id: found.batch_id for backfill_id, found in ordered.items()}
    return [replace(each, ordered_in=batch.get(each.backfill_id or 0, "")) for each in booked]


def _find(
    session: Session, batch_id: str, runs: Sequence[BatchRun], *, waiting: bool
) -> FoundBatch:
    """The batch with its runs, which may be several of one date; of those that are not there any
    more one stands for a date that has no other. ``waiting``: its order has stages to come."""
    there = [run for run in runs if run.state != DELETED]
    days = {run.day for run in there}
    there += {run.day: run for run in runs if run.day not in days}.values()
    more = batches.kind_of(batch_id) == "catchup"
    more = more and _is_catching_up(session, batches.dag_of(batch_id))
    ended = not more and all(run.over for run in there)
    return FoundBatch(
        batch_id=batch_id, runs=there, over=ended and not waiting, waiting=ended and waiting
    )


def _choose_batch(
    booked: BookedRun,
    told: Mapping[tuple[str, str], datetime] = _NOTHING,
    closed: Collection[str] = (),
    numbers: Mapping[tuple[str, str], int] = _NOTHING,
) -> str:
    """The batch that the run belongs to: that of its backfill, until it is closed; then that of the
    dates that run again, of whatever backfill. Empty for a run that is in a closed batch as it is,
    and for a live one that has not failed.

    ``told``: when the runs of closed batches were queued; ``numbers``: how many batches of a DAG
    and kind are closed.
    """
    dag_id, run = booked.dag_id, booked.run
    before = told.get((dag_id, run.run_id))
    own = _own_batch(booked)
    if before is not None and run.queued_at <= before:
        return ""
    if own and own not in closed:
        return own
    if run.state == DELETED:
        return ""
    if booked.made_late and before is None:
        kind = "catchup"
    elif own or before is not None or booked.clears:
        kind = "rerun"
    else:
        return f"{dag_id}:live:{run.run_id}" if run.state == "failed" else ""
    return f"{dag_id}:{kind}:{numbers.get((dag_id, kind), 0)}"


def _own_batch(booked: BookedRun) -> str:
    """The batch of its backfill; empty where it has none."""
    if booked.backfill_id is None:
        return ""
    return booked.ordered_in or batches.name_backfill(booked.dag_id, booked.backfill_id)


def _is_catching_up(session: Session, dag_id: str) -> bool:
    """Whether the schedule is about to make another late run of the DAG."""
    from airflow.models.dag import DagModel

    model = session.get(DagModel, dag_id)
    if model is None or model.is_paused or model.is_stale:  # stale: its file is gone
        return False
    due = model.next_dagrun_create_after
    return due is not None and due < datetime.now(UTC) - LATE


# --- Airflow's rows


def _read_look(connection: psycopg.Connection[Any]) -> Look:
    """What the last look has left: a run that ended before it is in a batch, or needs none."""
    now = datetime.now(UTC)
    since = (batches.last_look(connection) or now) - RECENT
    return Look(kept=batches.read_open(connection), since=max(now - MAX_LOOK_BACK, since))


def _read_booked(session: Session, look: Look) -> list[BookedRun]:
    """The runs that may belong to a batch that is not closed: all that are open, have ended or were
    marked by hand since then, or are of a backfill that has not ended earlier; and those that were
    open before."""
    from airflow.models.backfill import Backfill
    from airflow.models.dagrun import DagRun
    from sqlalchemy import or_, select

    backfills = or_(Backfill.completed_at.is_(None), Backfill.completed_at > look.since)
    wanted = or_(
        DagRun.state.not_in(ENDED),
        DagRun.end_date > look.since,
        DagRun.updated_at > look.since,
        DagRun.backfill_id.in_(select(Backfill.id).where(backfills)),
        DagRun.run_id.in_(look.run_ids),
    )
    return _read_runs(session, wanted)


def read_open_runs(session: Session) -> list[str]:
    """The ids of the runs of game dates that are queued or running."""
    from airflow.models.dagrun import DagRun

    return [each.run.run_id for each in _read_runs(session, DagRun.state.not_in(ENDED))]


def _read_runs(
    session: Session, *wanted: ColumnElement[bool], limit: int | None = None
) -> list[BookedRun]:
    """Runs of game dates: other teams' partitions are not ours, and a key that is not a date is
    nobody's."""
    from airflow.models.dag import DagModel
    from airflow.models.dagrun import DagRun
    from sqlalchemy import select

    columns = select(
        *(DagRun.dag_id, DagRun.run_id, DagRun.partition_key, DagRun.state, DagRun.backfill_id),
        *(DagRun.run_type, DagRun.run_after, DagRun.created_at, DagRun.queued_at),
        *(DagRun.start_date, DagRun.end_date, DagRun.updated_at, DagRun.clear_number),
    )
    ours = (DagModel.dag_id == DagRun.dag_id, DagModel.timetable_type.in_(TIMETABLES))
    # Airflow writes the ends of a whole turn at once: those of this session may not be written yet.
    unwritten = {(r.dag_id, r.run_id): r for r in session.dirty if isinstance(r, DagRun)}
    rows = session.execute(columns.join(DagModel, ours[0]).where(ours[1], *wanted).limit(limit))
    known = [unwritten.get((row.dag_id, row.run_id), row) for row in rows]
    return [_book(row) for row in known if _is_day(row.partition_key)]


def _book(row: Any) -> BookedRun:
    """A cancel notes no end of the runs that it fails; they were last touched then (3.3.2)."""
    ended = row.end_date or row.updated_at
    made = row.created_at or row.run_after
    return BookedRun(
        dag_id=row.dag_id,
        run=BatchRun(
            run_id=row.run_id,
            day=parse_day(row.partition_key),
            state=str(row.state),
            queued_at=row.queued_at or row.run_after,
            started_at=row.start_date,
            ended_at=ended if row.state in ENDED else None,
        ),
        backfill_id=row.backfill_id,
        made_late=row.run_type == "scheduled" and made > row.run_after + LATE,
        clears=row.clear_number,
    )


def _read_deleted(session: Session, since: datetime) -> list[BookedRun]:
    """The dates of backfills whose runs were deleted: a backfill keeps its dates."""
    from airflow.models.backfill import Backfill, BackfillDagRun
    from airflow.models.dag import DagModel
    from sqlalchemy import or_, select

    columns = select(
        Backfill.dag_id, Backfill.id, Backfill.created_at, BackfillDagRun.partition_key
    )
    rows = session.execute(
        columns.join(BackfillDagRun, BackfillDagRun.backfill_id == Backfill.id)
        .join(DagModel, DagModel.dag_id == Backfill.dag_id)
        .where(
            DagModel.timetable_type.in_(TIMETABLES),
            or_(Backfill.completed_at.is_(None), Backfill.completed_at > since),
            BackfillDagRun.dag_run_id.is_(None),
            BackfillDagRun.exception_reason.is_(None),
        )
    )
    return [
        BookedRun(
            dag_id=row.dag_id,
            run=BatchRun(
                run_id=f"{DELETED}__{row.id}__{row.partition_key}",
                day=parse_day(row.partition_key),
                state=DELETED,
                queued_at=row.created_at,
                started_at=None,
                ended_at=None,
            ),
            backfill_id=row.id,
        )
        for row in rows
        if _is_day(row.partition_key)
    ]


def _is_day(key: str | None) -> bool:
    try:
        parse_day(key or "")
    except BadDay:
        return False
    return True
