"""The operators' steps on a real ledger and sandbox: what they record, when they wait, and that a
cleared one heals."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest

from devstack.sandbox.server import Sandbox, running
from include.errors import ErrorClass, Problem
from include.ops.db import connect
from include.outcome import Later, Outcome
from include.partition import Partition
from include.sources.spec import Source
from include.storage import raw
from tests.steps import credentials

DAG = "bdl_box_scores"
DAY = date(2025, 1, 16)
PARTITION = Partition(dag_id=DAG, endpoint="box_scores", day=DAY)
STEPS = ("scrape", "load", "audit")


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    limits: dict[str, list[Any]] = {"balldontlie": []}
    with running(
        tmp_path_factory.mktemp("sandbox"), limits=limits, keys=credentials.KEYS
    ) as server:
        yield server


@pytest.fixture(autouse=True)
def connected(
    sandbox: Sandbox, ops_db: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """Airflow's connections of the sandbox and of empty stores."""
    found = credentials.connections(sandbox, ops_db)
    for name, url in (
        ("raw_store", f"file://{tmp_path}/raw"),
        ("warehouse", f"duckdb://{tmp_path}/warehouse"),
    ):
        found[name] = {"conn_type": "generic", "extra": {"url": url}}
    for name, connection in found.items():
        monkeypatch.setenv(f"AIRFLOW_CONN_{name.upper()}", json.dumps(connection))
    with connect(ops_db) as db:
        db.execute(
            "TRUNCATE ops.outcomes, ops.limiters, ops.limiter_windows, ops.limiter_requests CASCADE"
        )
    yield
    sandbox.no_faults()


def run(source: Source, step: str, conf: dict[str, Any] | None = None, **resumed: Any) -> None:
    """The step as its task runs it."""
    from nba_airflow.operators import AuditOperator, LoadOperator, ScrapeOperator

    operator = dict(zip(STEPS, (ScrapeOperator, LoadOperator, AuditOperator), strict=True))[step]
    began = datetime.now(UTC)
    dag_run = {
        "partition_key": str(DAY),
        "run_type": "backfill",
        "conf": conf,
        "run_id": "r",
        "start_date": began,
    }
    ti = SimpleNamespace(task_id=f"box_scores.{step}", try_number=1, log_url="")
    made = operator(task_id=step, source=source, endpoint=source.endpoint("box_scores"))
    made.execute({"dag_run": SimpleNamespace(**dag_run), "ti": ti}, **resumed)  # type: ignore[typeddict-item]


def fails(source: Source, step: str, conf: dict[str, Any] | None = None, **resumed: Any) -> str:
    """What the task fails with, for good."""
    from airflow.sdk.exceptions import AirflowFailException

    with pytest.raises(AirflowFailException) as caught:
        run(source, step, conf, **resumed)
    return str(caught.value)


def last_word(ops_db: str) -> tuple[str, str, str, str]:
    """(task, outcome, class, message) of the newest outcome."""
    with connect(ops_db) as connection:
        row = connection.execute(
            "SELECT task, outcome, error_class, message FROM ops.outcomes ORDER BY ended_at DESC"
            " LIMIT 1"
        ).fetchone()
    assert row
    return row


def lacking(sandbox: Sandbox) -> None:
    sandbox.faults(
        [{"source": "balldontlie", "endpoint": "box_scores", "kind": "missing_game", "times": None}]
    )


def test_steps_one_after_another_make_the_date_complete(
    sources: dict[str, Source], ops_db: str
) -> None:
    for step in STEPS:
        run(sources[DAG], step)
    assert last_word(ops_db)[:3] == ("audit", "complete", "")


@pytest.mark.parametrize("step", ["load", "audit"])
def test_step_that_is_cleared_alone_fetches_a_date_that_is_not_whole(
    sources: dict[str, Source], sandbox: Sandbox, ops_db: str, step: str
) -> None:
    lacking(sandbox)
    assert "missing" in fails(sources[DAG], "scrape")
    assert "missing" in fails(sources[DAG], step)
    assert last_word(ops_db)[:3] == (step, "partial", "incomplete")
    sandbox.no_faults()
    for later in STEPS[STEPS.index(step) :]:
        run(sources[DAG], later)
    assert last_word(ops_db)[:3] == ("audit", "complete", "")


def test_audit_that_learnt_of_another_game_heals_when_it_alone_is_cleared(
    sources: dict[str, Source], tmp_path: Path, ops_db: str
) -> None:
    """The manifest that the audit then leaves behind asks for a fetch; the schedule was wrong, and
    is right again."""
    from nba_airflow import connections

    for step in STEPS:
        run(sources[DAG], step)
    stores = connections.stores()
    manifest = raw.read_manifest(stores.raw, PARTITION)
    assert manifest
    raw.write_manifest(
        stores.raw,
        PARTITION,
        replace(manifest, outcome="partial", message="one game more is expected"),
    )
    run(sources[DAG], "audit")
    assert last_word(ops_db)[:3] == ("audit", "complete", "")


def test_wait_whose_moment_has_passed_is_still_a_wait(
    sources: dict[str, Source], ops_db: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow.sdk.exceptions import TaskDeferred

    def full(*args: Any, **options: Any) -> Any:
        raise Later(datetime.now(UTC) - timedelta(seconds=1), "full", Outcome.QUOTA_WAIT)

    monkeypatch.setattr("include.steps.pipeline.scrape", full)
    before = datetime.now(UTC)
    with pytest.raises(TaskDeferred) as caught:
        run(sources[DAG], "scrape")
    assert caught.value.trigger.moment > before
    assert last_word(ops_db)[:2] == ("scrape", "quota_wait")


def test_date_that_is_put_off_says_so_and_counts_what_it_has_asked(
    sources: dict[str, Source], sandbox: Sandbox, ops_db: str
) -> None:
    from airflow.sdk.exceptions import TaskDeferred

    sandbox.faults(
        [
            {
                "source": "balldontlie",
                "endpoint": "box_scores",
                "kind": "429",
                "retry_after": 3600,
                "times": 1,
            }
        ]
    )
    with pytest.raises(TaskDeferred) as caught:
        run(sources[DAG], "scrape")
    assert caught.value.kwargs == {"put_off": 1, "spent": [2, 0]}
    assert caught.value.trigger.moment > datetime.now(UTC) + timedelta(minutes=50)
    assert last_word(ops_db)[1] == "quota_wait"

    with connect(ops_db) as connection:
        connection.execute(
            "TRUNCATE ops.limiters, ops.limiter_requests CASCADE"
        )  # the hour is over
        connection.commit()
    run(sources[DAG], "scrape", **caught.value.kwargs)

    with connect(ops_db) as connection:
        found = connection.execute(
            "SELECT requests FROM ops.outcomes WHERE task = 'scrape'"
        ).fetchall()
    assert found == [(2 + 2,)]


def test_audit_alone_loads_what_was_fetched_and_never_loaded(
    sources: dict[str, Source], sandbox: Sandbox, ops_db: str
) -> None:
    from nba_airflow import connections

    for step in STEPS:
        run(sources[DAG], step)
    sandbox.faults(
        [{"source": "balldontlie", "endpoint": "box_scores", "day": str(DAY), "kind": "corrected"}]
    )
    run(sources[DAG], "scrape", {"refetch": datetime.now(UTC).isoformat()})

    run(sources[DAG], "audit")

    stores = connections.stores()
    manifest = raw.read_manifest(stores.raw, PARTITION)
    rows = stores.warehouse.rows(sources[DAG].endpoint("box_scores").table, DAY, ["source_file"])
    assert manifest
    assert {row["source_file"] for row in rows or ()} == {item.path for item in manifest.data()}
    with connect(ops_db) as connection:
        told = connection.execute(
            "SELECT changes_total FROM ops.outcomes WHERE task = 'audit'"
        ).fetchall()
    assert told == [(1,)]


def test_date_waits_while_all_proxies_are_in_cooldown_but_not_for_ever(
    sources: dict[str, Source], ops_db: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow.sdk.exceptions import TaskDeferred

    def cooling(*args: Any, **options: Any) -> Any:
        raise Problem(
            error_class=ErrorClass.BLOCKED,
            message="balldontlie: all 2 proxies are in cooldown",
            retry_at=datetime.now(UTC) + timedelta(minutes=5),
        )

    monkeypatch.setattr("include.steps.pipeline.scrape", cooling)
    resumed: dict[str, Any] = {}
    for number in range(1, 7):
        with pytest.raises(TaskDeferred) as caught:
            run(sources[DAG], "scrape", **resumed)
        assert caught.value.method_name == "execute"
        resumed = caught.value.kwargs
        assert resumed["put_off"] == number
    assert last_word(ops_db)[:2] == ("scrape", "quota_wait")

    said = fails(sources[DAG], "scrape", **resumed)

    assert "balldontlie: all 2 proxies are in cooldown" in said
    assert last_word(ops_db)[1:3] == ("failed", "blocked")


def test_bug_is_recorded_by_its_place_and_not_tried_again(
    sources: dict[str, Source], ops_db: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wrong(*args: Any, **options: Any) -> Any:
        raise KeyError("a secret of whoever wrote this")

    monkeypatch.setattr("include.steps.pipeline.scrape", wrong)
    said = fails(sources[DAG], "scrape")
    task, outcome, error_class, message = last_word(ops_db)
    assert (task, outcome, error_class) == ("scrape", "failed", "internal")
    assert message.startswith("KeyError in wrong (test_steps.py:")
    assert "secret" not in said + message


def test_lost_database_is_left_to_airflows_retries(
    sources: dict[str, Source], monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*args: Any, **options: Any) -> Any:
        raise psycopg.OperationalError("server closed the connection")

    monkeypatch.setattr("include.steps.pipeline.scrape", gone)
    with pytest.raises(psycopg.OperationalError):
        run(sources[DAG], "scrape")


def test_order_that_is_none_is_refused_and_recorded(
    sources: dict[str, Source], ops_db: str
) -> None:
    assert "refetch is 'yes'" in fails(sources[DAG], "scrape", {"refetch": "yes"})
    assert last_word(ops_db)[1:3] == ("failed", "internal")


def test_refetch_asks_again_and_clearing_it_does_not(
    sources: dict[str, Source], sandbox: Sandbox
) -> None:
    for step in STEPS:
        run(sources[DAG], step)
    order = {"refetch": datetime.now(UTC).isoformat()}
    asked = []
    for _ in range(2):
        before = len(sandbox.log())
        run(sources[DAG], "scrape", order)
        asked.append(len(sandbox.log()) - before)
    assert asked == [2, 0]
