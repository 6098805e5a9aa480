"""Dates that share a season's body, as their tasks run: one asks for it, the others wait without a
worker and get what came of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from devstack.sandbox.server import Sandbox, running
from include.ops.db import connect
from include.ops.leases import lease
from include.ops.session import Session
from include.partition import Partition
from include.sources.spec import Source
from include.steps.attempt import MAX_DEFERRALS
from tests.steps import credentials

DAG = "nbacom_schedule"
FIRST, SECOND = date(2025, 1, 15), date(2025, 1, 16)


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with running(tmp_path_factory.mktemp("sandbox"), limits={"nba_stats": []}) as server:
        yield server


@pytest.fixture(autouse=True)
def connected(
    sandbox: Sandbox, ops_db: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """Airflow's connections of the sandbox and of empty stores; nobody waits long for a lease."""
    found = credentials.connections(sandbox, ops_db)
    found["nba_stats"]["extra"] = {}
    for name, url in (
        ("raw_store", f"file://{tmp_path}/raw"),
        ("warehouse", f"duckdb://{tmp_path}/warehouse"),
    ):
        found[name] = {"conn_type": "generic", "extra": {"url": url}}
    for name, connection in found.items():
        monkeypatch.setenv(f"AIRFLOW_CONN_{name.upper()}", json.dumps(connection))
    monkeypatch.setattr("include.ops.leases.PATIENCE", 0.1)
    with connect(ops_db) as db:
        db.execute("TRUNCATE ops.outcomes, ops.limiters, ops.limiter_requests CASCADE")
    yield
    sandbox.no_faults()


def run(source: Source, day: date, **resumed: Any) -> None:
    """The date as its task runs it."""
    from nba_airflow.operators import ScrapeOperator

    made = ScrapeOperator(task_id="schedule", source=source, endpoint=source.endpoint("schedule"))
    dag_run = SimpleNamespace(
        partition_key=str(day),
        run_type="backfill",
        conf=None,
        run_id=f"backfill__{day}",
        start_date=datetime.now(UTC),
    )
    ti = SimpleNamespace(task_id="schedule", try_number=1, log_url="")
    made.execute({"dag_run": dag_run, "ti": ti}, **resumed)


def ends(source: Source, day: date, **resumed: Any) -> tuple[type[Exception], Any]:
    """What the task ends with."""
    from airflow.sdk.exceptions import AirflowFailException, TaskDeferred

    with pytest.raises((AirflowFailException, TaskDeferred)) as ended:
        run(source, day, **resumed)
    return ended.type, ended.value


def ledger(ops_db: str, day: date) -> Any:
    with connect(ops_db) as connection:
        return connection.execute(
            "SELECT outcome, error_class, requests FROM ops.outcomes WHERE day = %s", (day,)
        ).fetchone()


def test_date_waits_without_a_worker_while_another_fetches_their_season(
    sources: dict[str, Source], sandbox: Sandbox, ops_db: str
) -> None:
    from airflow.sdk.exceptions import TaskDeferred

    before = len(sandbox.log())
    at = Partition(dag_id=DAG, endpoint="schedule", day=FIRST)
    with Session(ops_db, name="the first") as other, lease(other, at, group="2024-25"):
        kind, put_off = ends(sources[DAG], SECOND)
        assert kind is TaskDeferred
        assert ledger(ops_db, SECOND) == ("not_yet", "", 0)
        again = ends(sources[DAG], SECOND, **put_off.kwargs)[1]
    assert again.kwargs | {"seconds": put_off.kwargs["seconds"]} == put_off.kwargs  # in its place
    assert set(put_off.kwargs) == {"deferrals", "spent", "began", "queued_since", "seconds"}
    assert put_off.trigger.moment < datetime.now(UTC) + timedelta(minutes=1)
    assert len(sandbox.log()) == before

    run(sources[DAG], FIRST)
    run(sources[DAG], SECOND, **put_off.kwargs)

    assert [ledger(ops_db, day) for day in (FIRST, SECOND)] == [
        ("complete", "", 1),
        ("complete", "", 0),
    ]


def test_date_that_waited_for_a_fetch_that_failed_has_its_failure_and_class(
    sources: dict[str, Source], sandbox: Sandbox, ops_db: str
) -> None:
    from airflow.sdk.exceptions import AirflowFailException

    at = Partition(dag_id=DAG, endpoint="schedule", day=FIRST)
    with Session(ops_db, name="the first") as other, lease(other, at, group="2024-25"):
        waiting = ends(sources[DAG], SECOND)[1].kwargs
    sandbox.faults([{"source": "nba_stats", "kind": "429", "retry_after": 3600, "times": None}])
    before = len(sandbox.log())
    kind, first = ends(sources[DAG], FIRST, deferrals=MAX_DEFERRALS)
    assert kind is AirflowFailException
    with connect(ops_db) as db:
        db.execute("TRUNCATE ops.limiters CASCADE")  # nothing else holds it back

    kind, second = ends(sources[DAG], SECOND, **{**waiting, "deferrals": MAX_DEFERRALS})

    assert kind is AirflowFailException
    assert str(second) == str(first).replace(str(FIRST), str(SECOND))
    assert [ledger(ops_db, day) for day in (FIRST, SECOND)] == [
        ("failed", "rate_limited", 1),
        ("failed", "rate_limited", 0),
    ]
    assert len(sandbox.log()) == before + 1
