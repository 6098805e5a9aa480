"""Airflow's scheduler on the books of a test, turn by turn; its executor starts nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from include.partition import DateRange, eastern_day

if TYPE_CHECKING:
    from airflow.dag_processing.dagbag import DagBag
    from airflow.jobs.scheduler_job_runner import SchedulerJobRunner
    from sqlalchemy.orm import Session

DAGS = Path(__file__).resolve().parents[2] / "dags"


@dataclass(frozen=True)
class Scheduler:
    """The scheduler's own functions; what a test asks of it is in its session."""

    runner: SchedulerJobRunner
    executor: Any
    session: Session

    def turns(self, number: int) -> None:
        """Turns of the scheduler's loop, each of which makes runs, starts them and their tasks."""
        for _ in range(number):
            self.runner._do_scheduling(self.session)
            self.session.commit()

    def next_tasks(self, workers: int) -> list[tuple[str, str]]:
        """(DAG, type of the run) of those that get the free workers, in their order."""
        self.executor.free = workers
        found = self.runner._executable_task_instances_to_queued(workers, self.session)
        self.executor.free = 0
        return [(task.dag_id, str(task.dag_run.run_type)) for task in found]

    def unpause(self, *dag_ids: str) -> None:
        """Lets the DAGs' runs be made and started."""
        self._set_paused(dag_ids, False)

    def pause(self, *dag_ids: str) -> None:
        """Lets no run of the DAGs be made or started."""
        self._set_paused(dag_ids, True)

    def _set_paused(self, dag_ids: Sequence[str], is_paused: bool) -> None:
        from airflow.models.dag import DagModel
        from sqlalchemy import update

        mine = update(DagModel).where(DagModel.dag_id.in_(dag_ids))
        self.session.execute(mine.values(is_paused=is_paused))
        self.session.commit()

    def defer_all(self) -> None:
        """Lets every task wait that has not ended."""
        from airflow.models.taskinstance import TaskInstance
        from sqlalchemy import update

        self.session.execute(update(TaskInstance).values(state="deferred"))
        self.session.commit()

    def ready(self, dag_id: str) -> set[str]:
        """Partition keys of the dates that wait for nothing but a worker."""
        from airflow.models.dagrun import DagRun
        from airflow.models.taskinstance import TaskInstance
        from sqlalchemy import select

        tasks = select(DagRun.partition_key).join(
            TaskInstance, TaskInstance.run_id == DagRun.run_id
        )
        mine = (DagRun.dag_id == dag_id, TaskInstance.dag_id == dag_id)
        return set(self.session.scalars(tasks.where(*mine, TaskInstance.state == "scheduled")))

    def max_active_runs(self) -> dict[str, int]:
        """DAG -> how many of its runs may be under way beside backfills."""
        from airflow.models.dag import DagModel
        from sqlalchemy import select

        rows = self.session.execute(select(DagModel.dag_id, DagModel.max_active_runs))
        return {dag_id: number for dag_id, number in rows}

    def clear(self, dag_id: str) -> None:
        """Clears every task of the DAG, as `airflow dags clear` does."""
        from airflow.models.taskinstance import TaskInstance, clear_task_instances
        from sqlalchemy import select

        tasks = self.session.scalars(select(TaskInstance).where(TaskInstance.dag_id == dag_id))
        clear_task_instances(list(tasks), session=self.session)
        self.session.commit()

    def cancel_backfills(self) -> None:
        """Cancels each backfill, as the UI does."""
        from airflow.api_fastapi.core_api.routes.public.backfills import cancel_backfill
        from airflow.models.backfill import Backfill
        from sqlalchemy import select

        for number in self.session.scalars(select(Backfill.id)).all():
            cancel_backfill(number, self.session)
        self.session.commit()

    def trigger(self, dag_id: str, **options: Any) -> None:
        """A run by hand."""
        from airflow.api.common.trigger_dag import trigger_dag
        from airflow.utils.types import DagRunTriggeredByType

        by = DagRunTriggeredByType.TEST
        trigger_dag(dag_id, triggered_by=by, session=self.session, **options)
        self.session.commit()

    def count_runs(self, dag_id: str, run_type: str) -> int:
        """How many runs of that type the DAG has."""
        from airflow.models.dagrun import DagRun
        from sqlalchemy import func, select

        mine = (DagRun.dag_id == dag_id, DagRun.run_type == run_type)
        return self.session.scalar(select(func.count()).select_from(DagRun).where(*mine)) or 0

    def run_of(self, dag_id: str) -> Any:
        """The DAG's newest run."""
        from airflow.models.dagrun import DagRun
        from sqlalchemy import select

        newest = select(DagRun).where(DagRun.dag_id == dag_id).order_by(DagRun.id.desc())
        return self.session.scalars(newest.limit(1)).one()

    def weights(self, dag_id: str) -> dict[str, set[int]]:
        """Type of the run -> the weights of its tasks."""
        from airflow.models.taskinstance import TaskInstance
        from sqlalchemy import select

        found: dict[str, set[int]] = {}
        mine = select(TaskInstance).where(TaskInstance.dag_id == dag_id)
        for task in self.session.scalars(mine):
            found.setdefault(str(task.dag_run.run_type), set()).add(task.priority_weight)
        return found

    def runs(self, dag_id: str, *states: str) -> list[str]:
        """Partition keys of the DAG's runs in these states, in order."""
        from airflow.models.dagrun import DagRun
        from sqlalchemy import select

        of_dag = select(DagRun.partition_key).where(DagRun.dag_id == dag_id)
        return sorted(self.session.scalars(of_dag.where(DagRun.state.in_(states))))


def live_day(days_ago: int = 1) -> date:
    """A game date whose midnight has passed: the live date, or one before it."""
    return eastern_day(datetime.now(UTC)) - timedelta(days=days_ago)


def bag_since(first: date) -> DagBag:
    """The DAGs of an installation whose live dates begin then."""
    from airflow.dag_processing.dagbag import DagBag

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NBA_LIVE_SINCE", str(first))
        return DagBag(DAGS)


@contextmanager
def scheduler(bag: DagBag, *paused: str) -> Iterator[Scheduler]:
    """The DAGs of the bag are in the books, and unpaused but for these; nothing else is there.

    No worker is free, so that tasks stay where they are.
    """
    from airflow.executors.base_executor import BaseExecutor
    from airflow.jobs.job import Job
    from airflow.jobs.scheduler_job_runner import SchedulerJobRunner
    from airflow.utils.session import create_session
    from sqlalchemy import update

    class Workers(BaseExecutor):
        free = 0

        @property
        def slots_available(self) -> int:
            return self.free

    with create_session() as session:
        _empty(session)
        write_dags(bag, session)
        from airflow.models.dag import DagModel

        session.execute(update(DagModel).values(is_paused=DagModel.dag_id.in_(paused)))
        job, executor = Job(), Workers()
        session.add(job)
        session.commit()
        yield Scheduler(SchedulerJobRunner(job=job, executors=[executor]), executor, session)


def _empty(session: Session) -> None:
    from airflow.models.base import Base
    from sqlalchemy import text

    names = ", ".join(f'"{table.name}"' for table in Base.metadata.sorted_tables)
    session.execute(text(f"TRUNCATE {names} CASCADE"))
    session.commit()


def write_dags(bag: DagBag, session: Session) -> None:
    """What the dag-processor and a start of the scheduler write."""
    from airflow.dag_processing.dagbag import sync_bag_to_db
    from airflow.models.dagbundle import DagBundleModel
    from airflow.models.pool import Pool
    from airflow.utils.db import synchronize_log_template

    from nba_airflow.provision import pools

    synchronize_log_template(session=session)
    session.add(DagBundleModel(name="dags-folder"))
    session.add(Pool(pool="default_pool", slots=128, include_deferred=False))
    session.flush()
    sync_bag_to_db(bag, "dags-folder", None, session=session)
    pools(session)
    session.commit()
    write_processes(session)


def write_processes(session: Session) -> None:
    """The processes that every installation has run, and do for the length of a test."""
    from airflow.jobs.job import Job

    for name in ("SchedulerJob", "TriggererJob", "DagProcessorJob"):
        job = Job(job_type=name, state="running")
        job.latest_heartbeat = datetime.now(UTC) + timedelta(hours=1)
        session.add(job)
    session.commit()


def backfill(dag_id: str, first: date, last: date) -> None:
    """Airflow's own backfill, as our command makes it."""
    from nba_airflow.metadata.runs import create

    dates = DateRange(first, last)
    create(dag_id, dates, max_active_runs=16, backwards=False, conf=None, user="somebody")
