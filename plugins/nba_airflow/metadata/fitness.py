"""The preflight's checks of Airflow itself, by its own tables: a few short queries in a session
that is given, so that a scheduler can ask as well as a command."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from include.guards.preflight import Finding, Start, failed, judge_connections, passed, warned
from include.partition import DateRange
from include.settings import SETTINGS
from include.wording import counted
from nba_airflow.metadata.obstacles import find_obstacles
from nba_airflow.metadata.summary_run import SUMMARY
from nba_airflow.specs import connections_by_dag, connections_of

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

Check = Callable[["Session", Start], Iterator[Finding]]

PROCESSES = {
    "SchedulerJob": "scheduler",
    "TriggererJob": "triggerer",
    "DagProcessorJob": "dag-processor",
}
"""What Airflow calls the job of each process that dates need."""


def look(session: Session, start: Start) -> list[Finding]:
    """What all checks of the table have found."""
    return [replace(found, check=name) for name, check in CHECKS for found in check(session, start)]


def check_dag(session: Session, start: Start) -> Iterator[Finding]:
    """Its runs start."""
    there, paused = _read_dag(session, start.dag_id)
    if not there:
        yield failed(f"there is no DAG {start.dag_id}", "airflow dags list-import-errors")
    elif paused and not start.unpause:
        repair = f"airflow dags unpause {start.dag_id}"
        yield failed(f"{start.dag_id} is paused, its runs would stay queued", repair)
    else:
        yield passed(f"{start.dag_id} is there and not paused")


def check_summary(session: Session, start: Start) -> Iterator[Finding]:
    """The one mail is made, and no other."""
    there, paused = _read_dag(session, SUMMARY)
    if not there:
        yield failed(f"there is no DAG {SUMMARY}, so no mail", "airflow dags list-import-errors")
    elif paused:
        yield failed(f"{SUMMARY} is paused, so no mail is sent", f"airflow dags unpause {SUMMARY}")
    else:
        yield passed(f"{SUMMARY} sends one mail for all dates")


def _read_dag(session: Session, dag_id: str) -> tuple[bool, bool]:
    """Whether the DAG is there, and whether it is paused."""
    from airflow.models.dag import DagModel
    from sqlalchemy import select

    mine = select(DagModel.is_stale, DagModel.is_paused).where(DagModel.dag_id == dag_id)
    is_stale, is_paused = session.execute(mine).one_or_none() or (True, True)
    return not is_stale, bool(is_paused)


def check_processes(session: Session, start: Start) -> Iterator[Finding]:
    """Scheduler, triggerer and dag-processor have a heartbeat."""
    from airflow.jobs.job import Job
    from sqlalchemy import select

    running = select(Job).where(Job.state == "running", Job.job_type.in_(PROCESSES))
    alive = {job.job_type for job in session.scalars(running) if job.is_alive()}
    for job_type, name in PROCESSES.items():
        if job_type not in alive:
            yield failed(f"the {name} is not running", "start it (`make up` on one machine)")
    if alive == PROCESSES.keys():
        yield passed(f"{', '.join(PROCESSES.values())} are running")


def check_pools(session: Session, start: Start) -> Iterator[Finding]:
    """A task whose pool is missing waits for ever."""
    from airflow.models.pool import Pool
    from sqlalchemy import select

    wanted = connections_of(start.dag_id)
    slots = dict(session.execute(select(Pool.pool, Pool.slots).where(Pool.pool.in_(wanted))).all())
    for name in wanted:
        if not slots.get(name):
            repair = f"airflow pools set {name} 2 'asks {name}'"
            yield failed(f"pool {name} has no slots, its tasks would wait for ever", repair)
    if all(map(slots.get, wanted)):
        yield passed(f"pools: {', '.join(f'{name} {slots[name]}' for name in wanted) or 'none'}")


def check_database(session: Session, start: Start) -> Iterator[Finding]:
    """Connections that Airflow's own Postgres has left. Ours often is the same server; a task has
    one connection to it."""
    from airflow.configuration import conf
    from sqlalchemy import text

    row: Any = session.execute(
        text(
            "SELECT current_setting('max_connections')::int"
            " - current_setting('superuser_reserved_connections')::int,"
            " (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend')"
        )
    ).one()
    most, used = row
    pool = conf.getint("database", "sql_alchemy_pool_size", fallback=5)
    pool += conf.getint("database", "sql_alchemy_max_overflow", fallback=10)
    needed = (len(PROCESSES) + 1) * pool + conf.getint("core", "parallelism")
    yield judge_connections("Airflow's database", most=most, used=used, needed=needed)


def check_settings(session: Session, start: Start) -> Iterator[Finding]:
    """What .env.example sets, and what else stands in the way by its numbers."""
    from airflow.configuration import conf

    missing = [
        setting.name
        for setting in SETTINGS
        if setting.name not in os.environ
        and conf.get(*_option(setting.name), fallback="") != setting.value
    ]
    if missing:
        yield warned(f"not set: {', '.join(missing)}", "set them as .env.example does, with reason")
    for obstacle in find_obstacles(session):
        if not obstacle.startswith(SUMMARY):
            yield warned(obstacle)
    if not missing:
        yield passed("the settings of .env.example are made")


def check_others(session: Session, start: Start) -> Iterator[Finding]:
    """Other backfills under way: Airflow has one of a DAG at a time, and those of one upstream
    share its limit."""
    from airflow.models.backfill import Backfill
    from sqlalchemy import select

    from nba_airflow.metadata.runs import find_active_backfill

    active = None
    if start.backfill_id is None and not start.again:
        active = find_active_backfill(start.dag_id, session)
    if active is not None:
        yield _judge_active(start, active)
    others = select(Backfill.dag_id).where(Backfill.completed_at.is_(None))
    sharing = _share(start.dag_id) & {*session.scalars(others)}
    if sharing:
        told = f"backfills of {', '.join(sorted(sharing))} share its limit: all take longer"
        yield warned(told)
    if active is None and not sharing:
        yield passed("no other backfill is under way")


def _judge_active(start: Start, active: Any) -> Finding:
    """The DAG's own backfill under way: who repairs what holds it looks before it is released."""
    window = DateRange(active.from_date.date(), active.to_date.date())
    told = f"{start.dag_id} has backfill {active.id} ({window}) under way"
    mine = {*start.window.days} & {*window.days}
    if start.looks and mine:
        return warned(f"{told}, which has {counted(len(mine), 'date')} of this window already")
    return failed(told, "wait for it, or cancel it in the UI")


def _share(dag_id: str) -> set[str]:
    """The other DAGs that ask an upstream of this one."""
    mine = {*connections_of(dag_id)}
    others = connections_by_dag().items()
    return {name for name, theirs in others if name != dag_id and not mine.isdisjoint(theirs)}


def _option(variable: str) -> tuple[str, str]:
    """``AIRFLOW__CORE__PARALLELISM`` -> ``core``, ``parallelism``."""
    _, section, key = variable.lower().split("__")
    return section, key


CHECKS: Sequence[tuple[str, Check]] = (
    ("dependencies", check_dag),
    ("dependencies", check_processes),
    ("dependencies", check_database),
    ("dependencies", check_settings),
    ("batching", check_summary),
    ("limits", check_pools),
    ("time window", check_others),
)
"""The guide's check that a function is of, and the function."""
