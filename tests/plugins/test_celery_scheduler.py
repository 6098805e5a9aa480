"""What a scheduler with CeleryExecutor does at each turn: it asks on the connection that it has."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from types import SimpleNamespace
from typing import TYPE_CHECKING

import psycopg
import pytest

if TYPE_CHECKING:
    from celery import Celery

NAME = "results-of-this-test"


@pytest.fixture
def app(ops_db: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Celery]:
    """Airflow's own, with its results in a database of this test."""
    from airflow.configuration import conf
    from airflow.providers.celery.executors.celery_executor_utils import create_celery_app
    from celery.backends.database.session import SessionManager

    from nba_airflow.celery_scheduler import keep_connection

    monkeypatch.setattr(SessionManager, "__init__", SessionManager.__init__)  # put back afterwards
    more = "&" if "?" in ops_db else "?"
    results = f"db+{driver(ops_db)}{more}application_name={NAME}"
    monkeypatch.setenv("AIRFLOW__CELERY__RESULT_BACKEND", results)
    keep_connection()
    app = create_celery_app(conf)
    yield app
    app.backend.session_manager.invalidate(app.backend.url)  # closes its connections


def driver(url: str) -> str:
    return url.replace("postgresql://", "postgresql+psycopg://", 1)


def states(app: Celery) -> list[str]:
    """As the executor asks for them at each turn."""
    from airflow.providers.celery.executors.celery_executor_utils import BulkStateFetcher
    from celery.result import AsyncResult

    fetcher = BulkStateFetcher(1, celery_app=app)
    found = fetcher.get_many([AsyncResult(name, app=app) for name in ("done", "unknown")])
    return [found[name][0] for name in ("done", "unknown")]


def connected(url: str) -> list[int]:
    """The processes of Postgres that serve the scheduler's results."""
    with psycopg.connect(url) as asking:
        found = asking.execute(
            "SELECT pid FROM pg_stat_activity WHERE application_name = %s ORDER BY pid", (NAME,)
        )
        return [pid for (pid,) in found]


@pytest.mark.usefixtures("airflow_environment")
def test_every_turn_asks_on_the_same_connection(app: Celery, ops_db: str) -> None:
    app.backend.store_result("done", None, "SUCCESS")
    kept = connected(ops_db)
    assert len(kept) == 1

    for _ in range(5):
        assert states(app) == ["SUCCESS", "PENDING"]
        assert connected(ops_db) == kept


@pytest.mark.usefixtures("airflow_environment")
def test_a_connection_that_broke_is_made_anew_within_the_turn(app: Celery, ops_db: str) -> None:
    app.backend.store_result("done", None, "SUCCESS")
    (broken,) = connected(ops_db)
    with psycopg.connect(ops_db) as other:
        other.execute("SELECT pg_terminate_backend(%s, 10000)", (broken,))

    assert states(app) == ["SUCCESS", "PENDING"]
    assert broken not in connected(ops_db)


class Executor:
    """As much of Celery's as is asked for at a turn, on a clock of its own."""

    parallelism = 2

    def __init__(self, *workloads: str) -> None:
        self.workloads, self.now, self.asked = set(workloads), 100.0, list[float]()

    def update_all_workload_states(self) -> None:
        """Asks Celery; a turn takes 0.25 s."""
        self.asked.append(self.now)
        self.now += 0.25

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.mark.usefixtures("airflow_environment")
@pytest.mark.parametrize(
    ("workloads", "asked"), [("ab", [100.0, 101.0, 102.0]), ("a", [100.0, 100.25, 100.5])]
)
def test_turns_are_a_second_apart_while_every_slot_is_taken_and_only_then(
    monkeypatch: pytest.MonkeyPatch, workloads: str, asked: list[float]
) -> None:
    from airflow.providers.celery.executors.celery_executor import CeleryExecutor

    from nba_airflow import celery_scheduler

    monkeypatch.setattr(CeleryExecutor, "sync", CeleryExecutor.sync)  # put back afterwards
    celery_scheduler.pace_turns()
    executor = Executor(*workloads)
    clock = SimpleNamespace(monotonic=lambda: executor.now, sleep=executor.sleep)
    monkeypatch.setattr(celery_scheduler, "time", clock)
    for _ in range(3):
        CeleryExecutor.sync(executor)  # type: ignore[arg-type]  # as much of one as it asks
    assert executor.asked == asked


def test_what_is_there_at_the_start_is_in_no_collection() -> None:
    from nba_airflow.celery_scheduler import leave_out_of_collections

    before, collected = gc.get_freeze_count(), len(gc.get_objects())
    try:
        leave_out_of_collections()
        assert gc.get_freeze_count() - before > 0.9 * collected
    finally:
        gc.unfreeze()
