"""Airflow's own books in a real database: its backfills, cancels, clears and runs, and the hooks
that its scheduler calls, unless the event is lost."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from email.message import EmailMessage
from itertools import count
from pathlib import Path
from typing import Any

import psycopg

from include import failpoints
from include.mail.message import from_bytes
from include.ops.outcomes import OutcomeRow, record
from include.outcome import Outcome
from include.partition import DateRange

DAG = "bdl_box_scores"
ENDPOINT = "box_scores"
SUMMARY = "backfill_summary"
OPEN = ("queued", "running")


class Killed(BaseException):
    """The scheduler dies here: what it has not committed is lost."""


@contextmanager
def transaction() -> Iterator[Any]:
    """One of Airflow's sessions, committed at its end."""
    from airflow.utils.session import create_session

    with create_session() as session:
        yield session


def backfill_command(dates: DateRange, *, dag_id: str = DAG, **flags: bool | str) -> int:
    """`airflow dags backfill DAG -s FIRST -e LAST --detach -y` and these flags; its exit code."""
    from nba_airflow.cli.backfill import backfill

    off = (
        *("refetch", "dry_run", "attach", "detach", "unpause"),
        *(
            "rerun_failed_tasks",
            "reset_dagruns",
            "json",
            "run_backwards",
            "spread",
            "ramp",
            "announce",
        ),
        "ignore_quiet_hours",
    )
    given = {
        **dict.fromkeys(off, False),
        **{"dag_id": dag_id, "start_date": str(dates.first), "end_date": str(dates.last)},
        **{"yes": True, "output": "table", "max_active_runs": 16, "reason": "", "conf": None},
        "skip_canary": True,
        "detach": not flags.get("attach"),
    }
    try:
        backfill(Namespace(**{**given, **flags}))
    except SystemExit as ended:
        return int(ended.code or 0)
    raise AssertionError("the command has not ended")


@dataclass(kw_only=True)
class Airflow:
    """An installation's books, a day at a time. ``lost``: events of dates reach no listener."""

    ledger: psycopg.Connection[Any]
    dag_id: str = DAG
    lost: bool = False

    def __post_init__(self) -> None:
        self._numbers = count(1)

    # --- what people do

    def backfill(self, dates: DateRange, *, at_once: int = 16, met: bool = True) -> int:
        """Airflow's own backfill, as `airflow backfill create` makes it; its id. ``met``: it was
        checked, and goes on."""
        from airflow.models.backfill import _create_backfill

        from nba_airflow.metadata.begun import KNOWN

        self._end_backfills()
        bounds = [datetime.combine(day, time(), UTC) for day in (dates.first, dates.last)]
        made = _create_backfill(
            dag_id=self.dag_id,
            from_date=bounds[0],
            to_date=bounds[1],
            max_active_runs=at_once,
            reverse=False,
            dag_run_conf=None,
            triggering_user_name="somebody",
        ).id
        KNOWN.update([made] if met else [])
        return made

    def cancel(self, backfill: int) -> None:
        """The cancel of the UI, which tells no listener."""
        from airflow.api_fastapi.core_api.routes.public.backfills import cancel_backfill

        with transaction() as session:
            cancel_backfill(backfill, session)

    def pause(self, backfill: int) -> None:
        """The pause of the UI."""
        from airflow.api_fastapi.core_api.routes.public.backfills import pause_backfill

        with transaction() as session:
            pause_backfill(backfill, session)

    def clear(self, *days: date) -> None:
        """The UI's Clear, and `airflow dags clear`, of these dates' newest runs."""
        with transaction() as session:
            runs = [self._run(session, day).run_id for day in days]
        self.clear_runs(*runs)

    def clear_runs(self, *run_ids: str) -> None:
        """The same of these runs, at once."""
        from airflow.models.taskinstance import TaskInstance, clear_task_instances
        from sqlalchemy import select

        mine = (TaskInstance.dag_id == self.dag_id, TaskInstance.run_id.in_(run_ids))
        with transaction() as session:
            clear_task_instances(list(session.scalars(select(TaskInstance).where(*mine))), session)

    def trigger(self, key: str) -> None:
        """A run by hand, of whatever partition key."""
        self.make_run(self.dag_id, f"manual__{next(self._numbers)}", key)

    def delete(self, day: date) -> None:
        """Deletes the date's newest run."""
        with transaction() as session:
            session.delete(self._run(session, day))

    def mark(self, day: date, state: str) -> None:
        """Marks the date's run by hand, as the UI does; the api-server tells its listener."""
        from airflow.api.common import mark_tasks
        from airflow.models.dagbag import DBDagBag

        with transaction() as session:
            dag = DBDagBag().get_latest_version_of_dag(self.dag_id, session=session)
            run = self._run(session, day)
            change = getattr(mark_tasks, f"set_dag_run_state_to_{state}")
            change(dag=dag, run_id=run.run_id, commit=True, session=session)
            self._tell(run)

    # --- what the scheduler does

    def start(self, *days: date) -> None:
        """Starts the dates' queued runs."""
        self._move(days, "running")

    def move(self, key: str, state: str) -> None:
        """The newest run of this key comes to this state."""
        self._move([key], state)

    def move_run(self, run_id: str, state: str) -> None:
        """One of a date's runs comes to this state."""
        from airflow.models.dagrun import DagRun
        from airflow.utils.state import DagRunState
        from sqlalchemy import select

        mine = select(DagRun).where(DagRun.dag_id == self.dag_id, DagRun.run_id == run_id)
        with transaction() as session:
            run = session.scalars(mine).one()
            run.state = DagRunState(state)
            self._tell(run)

    def move_and_die(self, day: date, state: str) -> None:
        """As above, but the scheduler is killed before it commits. Raises Killed."""
        self._move([day], state, dies=True)

    def end(self, day: date, *says: str, state: str = "") -> None:
        """Ends the date's run; ``says`` are outcomes that its task writes first, a try each."""
        for outcome in says:
            self.write(day, outcome)
        good = bool(says) and Outcome(says[-1]).done
        self._move([day], state or ("success" if good else "failed"))

    def run(self, outcome: str, *days: date) -> None:
        """Starts each date and ends it with this outcome."""
        for day in days:
            self.start(day)
            self.end(day, outcome)

    def write(self, day: date, outcome: str, **more: Any) -> None:
        """What a try of the date's run writes into the ledger."""
        with transaction() as session:
            run_id = self._run(session, day).run_id
        row = OutcomeRow(
            **{
                "dag_id": self.dag_id,
                "endpoint": ENDPOINT,
                "day": day,
                "run_id": run_id,
                "attempt": next(self._numbers),
                "phase": "audit",
                "outcome": Outcome(outcome),
                "error_class": "blocked" if Outcome(outcome).wrong else "",
                "message": "" if Outcome(outcome).done else f"{outcome} on purpose",
                "started_at": datetime.now(UTC),
                "ended_at": datetime.now(UTC),
                **more,
            }
        )
        record(self.ledger, row)

    def startable(self) -> set[str]:
        """Partition keys of the queued runs that the scheduler's own question finds."""
        from airflow.models.dagrun import DagRun

        with transaction() as session:
            found = DagRun.get_queued_dag_runs_to_set_running(session)
            return {run.partition_key for run in found if run.dag_id == self.dag_id}

    def summarise(self) -> None:
        """Runs the summaries that were started."""
        from airflow.models.dagrun import DagRun
        from sqlalchemy import select

        waiting = select(DagRun.run_id).where(DagRun.dag_id == SUMMARY, DagRun.state == "queued")
        with transaction() as session:
            run_ids = list(session.scalars(waiting))
        for run_id in run_ids:
            self._summary(run_id)

    def sweep(self) -> None:
        """The summary's run of every five minutes."""
        self._summary(self.make_run(SUMMARY, f"sweep__{next(self._numbers)}", None))

    def wait_a_minute(self) -> None:
        """What the ledger has noted of open batches was a minute ago."""
        ago = "- interval '1 minute'"
        self.ledger.execute(
            f"UPDATE ops.batches SET opened_at = opened_at {ago} WHERE closed_at IS NULL;"
            f" UPDATE ops.batch_runs SET started_at = started_at {ago}, ended_at = ended_at {ago}"
            " WHERE batch_id IN (SELECT batch_id FROM ops.batches WHERE closed_at IS NULL)"
        )
        self.ledger.commit()

    def wait_for_claims(self) -> None:
        """The time after which a sender that died is taken over has passed."""
        self.ledger.execute("UPDATE ops.outbox SET next_try_at = clock_timestamp()")
        self.ledger.commit()

    # --- what is told

    def mails(self) -> list[EmailMessage]:
        """What was sent, in order."""
        sent = self.ledger.execute(
            "SELECT receipt FROM ops.outbox WHERE state = 'sent' ORDER BY created_at"
        ).fetchall()
        self.ledger.commit()
        return [from_bytes(Path(receipt).read_bytes()) for (receipt,) in sent]

    def subjects(self) -> list[str]:
        """The subjects of what was sent, in order."""
        return [str(mail["Subject"]) for mail in self.mails()]

    def states(self, *days: date) -> dict[str, str]:
        """Partition key -> state, of every run, or of these dates'."""
        from airflow.models.dagrun import DagRun
        from sqlalchemy import select

        mine = select(DagRun.partition_key, DagRun.state).where(DagRun.dag_id == self.dag_id)
        if days:
            mine = mine.where(DagRun.partition_key.in_([str(day) for day in days]))
        with transaction() as session:
            return {key: str(state) for key, state in session.execute(mine.order_by(DagRun.id))}

    def run_ids(self, day: date) -> list[str]:
        """The date's runs, oldest first."""
        from airflow.models.dagrun import DagRun
        from sqlalchemy import select

        mine = (DagRun.dag_id == self.dag_id, DagRun.partition_key == str(day))
        with transaction() as session:
            return list(session.scalars(select(DagRun.run_id).where(*mine).order_by(DagRun.id)))

    def queued(self) -> list[datetime]:
        """When each run was queued last."""
        from airflow.models.dagrun import DagRun
        from sqlalchemy import select

        with transaction() as session:
            mine = select(DagRun.queued_at).where(DagRun.dag_id == self.dag_id)
            return list(session.scalars(mine))

    # ---

    def _move(self, days: Sequence[object], state: str, *, dies: bool = False) -> None:
        from airflow.utils.state import DagRunState

        with transaction() as session:
            for day in days:
                run = self._run(session, day)
                run.state = DagRunState(state)
                self._tell(run)
            if dies:
                raise Killed

    def _tell(self, run: Any) -> None:
        """Calls the hook as Airflow does, before the commit; what it raises is swallowed."""
        from nba_airflow import listener

        if not self.lost:
            hook = getattr(listener, f"on_dag_run_{run.state}")
            with suppress(failpoints.Lost):
                hook(dag_run=run, msg="")

    def _summary(self, run_id: str) -> None:
        from airflow.models.dagrun import DagRun
        from airflow.utils.state import DagRunState
        from sqlalchemy import select

        from nba_airflow import listener
        from nba_airflow.summary import SummaryOperator

        mine = select(DagRun).where(DagRun.dag_id == SUMMARY, DagRun.run_id == run_id)
        with transaction() as session:
            run = session.scalars(mine).one()
            run.state = DagRunState.RUNNING
            with suppress(failpoints.Lost):
                listener.on_dag_run_running(dag_run=run, msg="")
        SummaryOperator(task_id="report").execute({"ti": self})
        with transaction() as session:
            session.scalars(mine).one().state = DagRunState.SUCCESS

    def get_dr_count(self, *, dag_id: str, run_ids: Collection[str], states: Any) -> int:
        """What a task can ask Airflow's execution API."""
        from airflow.models.dagrun import DagRun
        from sqlalchemy import func, select

        mine = (DagRun.dag_id == dag_id, DagRun.run_id.in_(run_ids), DagRun.state.in_(states))
        with transaction() as session:
            return session.scalar(select(func.count()).select_from(DagRun).where(*mine))

    def _end_backfills(self) -> None:
        """What the scheduler does every 30 s: a backfill whose runs have ended is completed."""
        from airflow.jobs.scheduler_job_runner import SchedulerJobRunner

        with transaction() as session:
            SchedulerJobRunner._mark_backfills_complete(
                SchedulerJobRunner.__new__(SchedulerJobRunner), session=session
            )

    def _run(self, session: Any, day: object) -> Any:
        from airflow.models.dagrun import DagRun
        from sqlalchemy import select

        mine = (DagRun.dag_id == self.dag_id, DagRun.partition_key == str(day))
        newest = select(DagRun).where(*mine).order_by(DagRun.id.desc())
        return session.scalars(newest.limit(1)).one()

    def make_run(self, dag_id: str, run_id: str, key: str | None) -> str:
        """A queued run of the DAG."""
        from airflow.models.dagbag import DBDagBag
        from airflow.utils.state import DagRunState
        from airflow.utils.types import DagRunTriggeredByType, DagRunType

        with transaction() as session:
            DBDagBag().get_latest_version_of_dag(dag_id, session=session).create_dagrun(
                run_id=run_id,
                run_after=datetime.now(UTC),
                run_type=DagRunType.MANUAL,
                triggered_by=DagRunTriggeredByType.REST_API,
                state=DagRunState.QUEUED,
                partition_key=key,
                session=session,
            )
        return run_id
