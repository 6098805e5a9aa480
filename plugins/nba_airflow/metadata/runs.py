"""The runs of a window in Airflow's metadata: which dates have one, how they stand, clearing and
creating them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import TYPE_CHECKING, Any

from include.errors import Refused
from include.ops import backfills, stages
from include.ops.batches import DELETED
from include.partition import DateRange, parse_day
from include.wording import name_known
from nba_airflow.metadata.ledger import LEDGER

if TYPE_CHECKING:
    import psycopg
    from sqlalchemy import ColumnElement
    from sqlalchemy.orm import Session

ENDED = ("success", "failed")
"""Airflow's states of a run that has ended."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """The latest run of a date. Times are aware; ``started_at`` is None where it has not started,
    ``queued_at`` changes when it is cleared."""

    day: date
    run_id: str
    state: str
    backfill_id: int | None
    queued_at: datetime
    started_at: datetime | None = None

    @property
    def finished(self) -> bool:
        """Whether the run has ended, well or not."""
        return self.state in ENDED


def check_dag(dag_id: str, window: DateRange, session: Session, *, unpause: bool) -> None:
    """Raises Refused unless the DAG is known, has date partitions, is not paused (or is to be
    unpaused), and its live schedule is past the window: Airflow goes on from the newest partition,
    so a backfill ahead of catchup would make it skip dates.
    """
    from airflow.models.dag import DagModel
    from airflow.models.serialized_dag import SerializedDagModel
    from sqlalchemy import select

    model = session.get(DagModel, dag_id)
    newest = SerializedDagModel.latest_item_select_object(dag_id)  # type: ignore[no-untyped-call]  # Airflow's own has no types
    serialized = session.scalar(newest)
    if model is None or serialized is None:
        there = sorted(session.scalars(select(SerializedDagModel.dag_id).distinct()))
        known = name_known(dag_id, there) or "none yet (is the dag-processor running?)"
        raise Refused(
            f"there is no DAG {dag_id!r}: known are {known}; `airflow dags list-import-errors`"
            " shows files that do not load"
        )
    if not serialized.dag.timetable.partitioned:
        raise Refused(
            f"{dag_id} has no date partitions, so there is nothing to backfill: `airflow dags"
            f" trigger {dag_id}`"
        )
    if model.is_paused and not unpause:
        raise Refused(
            f"{dag_id} is paused, its runs would stay queued: run `airflow dags unpause"
            f" {dag_id}` first, or add --unpause (its live runs start as well)"
        )
    if (upcoming := model.next_dagrun_partition_key) and upcoming <= str(window.last):
        raise Refused(
            f"the live schedule of {dag_id} catches up and has reached {upcoming}; it will run the"
            f" dates from there on itself: backfill up to the day before {upcoming}"
        )


def read_runs(dag_id: str, window: DateRange, session: Session) -> dict[date, Run]:
    """The latest run of each date of the window that has one."""
    from airflow.models.dagrun import DagRun
    from sqlalchemy import select

    columns = (
        DagRun.partition_key,
        DagRun.run_id,
        DagRun.state,
        DagRun.backfill_id,
        DagRun.start_date,
        DagRun.queued_at,
        DagRun.run_after,
    )
    rows = session.execute(
        select(*columns)
        .where(DagRun.dag_id == dag_id, DagRun.partition_key.in_([str(day) for day in window.days]))
        .order_by(DagRun.id)
    )
    found = [
        Run(
            day=parse_day(row.partition_key),
            run_id=row.run_id,
            state=str(row.state),
            backfill_id=row.backfill_id,
            queued_at=row.queued_at or row.run_after,
            started_at=row.start_date,
        )
        for row in rows
    ]
    return {run.day: run for run in found}


def list_runs(window: DateRange, runs: Mapping[date, Run]) -> list[Run]:
    """A run for every date of the window; a DELETED one where it has none."""
    now = datetime.now(UTC)
    return [
        runs.get(day) or Run(day=day, run_id="", state=DELETED, backfill_id=None, queued_at=now)
        for day in window.days
    ]


def find_active_backfill(dag_id: str, session: Session) -> Any:
    """Airflow's backfill of the DAG that is not over, or None."""
    found = (each for each in _uncompleted(dag_id, session) if not _is_over(each, session))
    return next(found, None)


def find_made(dag_id: str, window: DateRange, after: int) -> int | None:
    """The backfill of just these dates that was made after that one, with its runs."""
    from airflow.models.backfill import Backfill, BackfillDagRun
    from airflow.utils.session import create_session
    from sqlalchemy import exists, select

    bounds = (_midnight(window.first), _midnight(window.last))
    mine = (
        *(Backfill.dag_id == dag_id, Backfill.id > after),
        *(Backfill.from_date == bounds[0], Backfill.to_date == bounds[1]),
        exists().where(BackfillDagRun.backfill_id == Backfill.id),
    )
    with create_session() as session:
        return session.scalar(select(Backfill.id).where(*mine).order_by(Backfill.id).limit(1))


def complete_ended_backfills(dag_id: str, session: Session) -> None:
    """Marks the DAG's backfills that are over complete, as the scheduler does up to 30 s late
    (measured on 3.3.2): Airflow makes no other before."""
    for backfill in _uncompleted(dag_id, session):
        if _is_over(backfill, session):
            backfill.completed_at = datetime.now(UTC)


def unpause(dag_id: str, session: Session) -> None:
    """Lets the scheduler start the DAG's runs, and make its live ones."""
    from airflow.models.dag import DagModel

    session.get_one(DagModel, dag_id).is_paused = False


def _uncompleted(dag_id: str, session: Session) -> Iterable[Any]:
    from airflow.models.backfill import Backfill
    from sqlalchemy import select

    mine = select(Backfill).where(Backfill.dag_id == dag_id, Backfill.completed_at.is_(None))
    return session.scalars(mine).all()


def _is_over(backfill: Any, session: Session) -> bool:
    """Whether the backfill has made its runs and all of them have ended."""
    from airflow.models.backfill import BackfillDagRun
    from airflow.models.dagrun import DagRun
    from sqlalchemy import exists, select

    of_it = BackfillDagRun.backfill_id == backfill.id
    runs = (DagRun.backfill_id == backfill.id, DagRun.state.not_in(ENDED))
    made, open_ = (select(exists().where(of_it)), select(exists().where(*runs)))
    return bool(session.scalar(made)) and not session.scalar(open_)


def clear(
    dag_id: str,
    run_ids: Collection[str],
    session: Session,
    *,
    only_failed: bool,
    conf: Mapping[str, Any] | None,
    backfill_id: int | None = None,
) -> int:
    """Clears the runs' tasks so that the scheduler runs them again in the same runs, with ``conf``
    added to theirs; as part of the backfill, if one is given.

    With ``only_failed``, a run without a failed task (cancelled, lost, ended by hand) is cleared
    where no task of it has succeeded; if all have, as a whole.
    """
    from airflow.models.dagrun import DagRun
    from airflow.models.taskinstance import TaskInstance, clear_task_instances
    from sqlalchemy import select

    tasks = list(
        session.scalars(
            select(TaskInstance).where(
                TaskInstance.dag_id == dag_id, TaskInstance.run_id.in_(run_ids)
            )
        )
    )
    if only_failed:
        tasks = choose_tasks(tasks)
    clear_task_instances(tasks, session=session)
    release_ended_backfills(session, again=True)
    for run in session.scalars(
        select(DagRun).where(DagRun.dag_id == dag_id, DagRun.run_id.in_(run_ids))
    ):
        run.conf = {**(run.conf or {}), **(conf or {})}
        if backfill_id is not None:
            _take_over(run, backfill_id, session)
    return len(tasks)


def choose_tasks(tasks: Sequence[Any]) -> list[Any]:
    """Of each run the tasks that have not succeeded, those too that Airflow skips when a person
    marks the run failed; else all."""
    chosen: list[Any] = []
    for run_id in {task.run_id for task in tasks}:
        mine = [task for task in tasks if task.run_id == run_id]
        undone = [task for task in mine if task.state != "success"]
        chosen += undone or mine
    return chosen


def _take_over(run: Any, backfill_id: int, session: Session) -> None:
    """Makes the run one of the backfill's, which has noted of its date that it made no run: as
    Airflow does where a backfill runs a date again in its own run (3.3.2)."""
    from airflow.models.backfill import BackfillDagRun
    from sqlalchemy import update

    run.backfill_id = backfill_id
    of_date = update(BackfillDagRun).where(
        BackfillDagRun.backfill_id == backfill_id, BackfillDagRun.partition_key == run.partition_key
    )
    session.execute(of_date.values(dag_run_id=run.id, exception_reason=None))


def has_open_runs() -> ColumnElement[bool]:
    """Whether dates of a backfill of Airflow's wait or are under way; of one that was completed
    those that run again."""
    from airflow.models.backfill import Backfill
    from airflow.models.dagrun import DagRun
    from sqlalchemy import exists

    its = (DagRun.dag_id == Backfill.dag_id, DagRun.backfill_id == Backfill.id)
    return exists().where(*its, DagRun.state.in_(("queued", "running")))


def release_ended_backfills(session: Session, *, again: bool = False) -> None:
    """Lets runs of cancelled backfills that are cleared start: a cancel leaves its backfill paused,
    nothing unpauses one that has ended, and the scheduler starts no run of a paused one
    (apache/airflow#72337, not repaired in 3.3.2). What we hold since its dates run again stays
    paused. It says nothing else of one that has ended, so that the stages that were to come after
    it are left out here. Raises Away.

    ``again``: our tables are asked though they were left alone.
    """
    from airflow.models.backfill import Backfill
    from sqlalchemy import select, update

    paused = (Backfill.completed_at.is_not(None), Backfill.is_paused.is_(True))
    asked = select(Backfill.id, Backfill.completed_at, has_open_runs().label("runs_again"))
    found = session.execute(asked.where(*paused)).all()
    ended = {row.id: row.completed_at for row in found}
    if not ended:
        return
    with LEDGER.opened(again=again) as ledger:
        _leave_out_stopped(ledger, ended)
        held = backfills.read_holds(ledger, [row.id for row in found if row.runs_again])
        ledger.commit()
    kept = {hold.backfill_id for hold in held if hold.since > ended[hold.backfill_id]}
    free = ended.keys() - kept
    released = update(Backfill).where(Backfill.id.in_(free)).values(is_paused=False)
    session.execute(released.execution_options(synchronize_session=False))


def _leave_out_stopped(ledger: psycopg.Connection[Any], ended: Mapping[int, datetime]) -> None:
    """Leaves out what was to come after backfills that a person had stopped when they were
    completed; what we held then goes on."""
    holds = backfills.read_all_holds(ledger, ended)
    held = {h.backfill_id for h in holds if h.until is None or h.until >= ended[h.backfill_id]}
    for backfill_id, noted in backfills.read(ledger, {*ended} - held).items():
        why = f"backfill {backfill_id} was cancelled, or ended while it was paused"
        stages.leave_out(ledger, noted.batch_id, why)


def is_paused(backfill_id: int) -> bool:
    """Whether Airflow starts none of the backfill's runs."""
    from airflow.models.backfill import Backfill
    from airflow.utils.session import create_session

    with create_session() as session:
        made = session.get(Backfill, backfill_id)
        return made is not None and bool(made.is_paused)


def create(
    dag_id: str,
    window: DateRange,
    *,
    max_active_runs: int,
    backwards: bool,
    conf: Mapping[str, Any] | None,
    user: str,
) -> int:
    """Creates Airflow's own backfill, as `airflow backfill create` does, and returns its id. Raises
    Refused."""
    from airflow.models.backfill import NoBackfillRunsToCreate, _create_backfill
    from airflow.sdk.exceptions import AirflowException

    try:
        backfill = _create_backfill(
            dag_id=dag_id,
            from_date=_midnight(window.first),
            to_date=_midnight(window.last),
            max_active_runs=max_active_runs,
            reverse=backwards,
            dag_run_conf=dict(conf) if conf else None,
            triggering_user_name=user,
        )
    except (AirflowException, NoBackfillRunsToCreate) as error:
        raise Refused(f"Airflow refused the backfill: {error}") from None
    return int(backfill.id)


def _midnight(day: date) -> datetime:
    """Airflow 3.3.2 reads the bounds' wall clock in the timetable's zone, whatever zone they carry;
    it wants UTC."""
    return datetime.combine(day, time(), UTC)
