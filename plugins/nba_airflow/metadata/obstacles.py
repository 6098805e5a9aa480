"""What stands in this package's way in the Airflow that it runs in: each in one line with its
repair, said when a scheduler starts, by `airflow dags backfill` and by `airflow nba status`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from include.limits.pool_size import fit_into_workers
from include.settings import MAX_RUNS_A_TURN
from nba_airflow.guards import find_misread
from nba_airflow.metadata.summary_run import SUMMARY

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

MAX_WAIT = 3.0
"""Seconds for an answer of Celery's broker."""


def read_obstacles() -> list[str]:
    """As below, for a command."""
    from airflow.utils.session import create_session

    with create_session() as session:
        return find_obstacles(session)


def find_obstacles(session: Session) -> list[str]:
    """A line for each; empty where all is well."""
    return [
        *_paused_summary(session),
        *_short_turns(),
        *_crowded_pools(session),
        *_silent_broker(),
        *find_misread(),
    ]


def _paused_summary(session: Session) -> Iterator[str]:
    """An installation of an earlier version may have made it paused."""
    from airflow.models.dag import DagModel

    model = session.get(DagModel, SUMMARY)
    if model is not None and model.is_paused:
        yield f"{SUMMARY} is paused, so that no mail is sent: airflow dags unpause {SUMMARY}"


def _short_turns() -> Iterator[str]:
    from airflow.configuration import conf

    found = conf.getint("scheduler", "max_dagruns_per_loop_to_schedule")
    if found < MAX_RUNS_A_TURN:
        yield (
            f"the scheduler looks at {found} runs a turn, and at no backfill's while so many others"
            " wait (apache/airflow#58554): set"
            f" AIRFLOW__SCHEDULER__MAX_DAGRUNS_PER_LOOP_TO_SCHEDULE to {MAX_RUNS_A_TURN}"
        )


def _crowded_pools(session: Session) -> Iterator[str]:
    """Pools keep the slots that they were given, whatever number of workers there is by now."""
    from airflow.models.pool import Pool
    from sqlalchemy import select

    from nba_airflow.provision import count_workers
    from nba_airflow.specs import hosts

    ours = select(Pool.pool, Pool.slots).where(Pool.pool.in_(hosts())).order_by(Pool.pool)
    given = {str(name): slots for name, slots in session.execute(ours)}
    slots, workers = sum(given.values()), count_workers()
    if slots > workers - 2:
        yield (
            f"the pools of the sources have {slots} slots together and there are {workers} workers,"
            f" of which the mail needs two: {_word_room(given, workers)}set"
            f" AIRFLOW__CORE__PARALLELISM to {slots + 2} (with Celery"
            " AIRFLOW__CELERY__WORKER_CONCURRENCY too)"
        )


def _word_room(given: Mapping[str, int], workers: int) -> str:
    """The commands that make the pools small enough; empty where even one slot each is too many."""
    sizes = fit_into_workers(given, (), workers)
    if sum(sizes.values()) > workers - 2:
        return ""
    commands = [
        f"airflow pools set {name} {slots} 'asks {name}'"
        for name, slots in sizes.items()
        if slots != given[name]
    ]
    return f"`{'; '.join(commands)}`, or "


def _silent_broker() -> Iterator[str]:
    """Celery's scheduler and workers ask for it again and again, and no task starts meanwhile."""
    from airflow.configuration import conf

    if "CeleryExecutor" not in conf.get("core", "executor"):
        return
    from kombu.connection import Connection
    from kombu.exceptions import OperationalError

    times = {"socket_connect_timeout": MAX_WAIT, "socket_timeout": MAX_WAIT}
    with Connection(conf.get("celery", "broker_url"), transport_options=times) as broker:
        try:
            broker.ensure_connection(max_retries=1, interval_start=0)
        except OperationalError as error:
            yield (
                f"Celery's broker at {broker.hostname}:{broker.port} cannot be used, so that no"
                f" task starts: start Redis, or correct AIRFLOW__CELERY__BROKER_URL ({error})"
            )
