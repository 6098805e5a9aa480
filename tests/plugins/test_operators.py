"""The operator of a date on a real ledger and sandbox: what it records, when it waits, and that a
cleared one heals."""

from __future__ import annotations

import json
from collections.abc import Iterator
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
from include.partition import Partition, eastern_day
from include.sources.spec import Source
from include.storage import raw
from tests.steps import credentials

DAG = "bdl_box_scores"
DAY = date(2025, 1, 16)
PARTITION = Partition(dag_id=DAG, endpoint="box_scores", day=DAY)
SCRAPE = "include.steps.attempt.scrape"


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


def run(
    source: Source,
    conf: dict[str, Any] | None = None,
    key: str | None = str(DAY),
    attempt: int = 1,
    run_type: str = "backfill",
    **resumed: Any,
) -> None:
    """The date as its task runs it."""
    from nba_airflow.operators import ScrapeOperator

    dag_run = SimpleNamespace(
        partition_key=key,
        run_type=run_type,
        conf=conf,
        run_id="r",
        start_date=datetime.now(UTC),
    )
    ti = SimpleNamespace(task_id="box_scores", try_number=attempt, log_url="")
    made = ScrapeOperator(
        task_id="box_scores", source=source, endpoint=source.endpoint("box_scores")
    )
    made.execute({"dag_run": dag_run, "ti": ti}, **resumed)


def fails(source: Source, conf: dict[str, Any] | None = None, **resumed: Any) -> str:
    """What the task fails with, for good."""
    from airflow.sdk.exceptions import AirflowFailException

    with pytest.raises(AirflowFailException) as caught:
        run(source, conf, **resumed)
    return str(caught.value)


def defers(source: Source, **resumed: Any) -> Any:
    """How the task is put off."""
    from airflow.sdk.exceptions import TaskDeferred

    with pytest.raises(TaskDeferred) as caught:
        run(source, **resumed)
    return caught.value


def last_word(ops_db: str) -> tuple[str, str, str, str]:
    """(phase, outcome, class, message) of the newest outcome."""
    return ledger(ops_db, "phase, outcome, error_class, message")[-1]


def ledger(ops_db: str, columns: str) -> list[Any]:
    """The DAG's rows of the ledger, in the order of their end."""
    with connect(ops_db) as connection:
        return connection.execute(
            f"SELECT {columns} FROM ops.outcomes WHERE dag_id = 'bdl_box_scores' ORDER BY ended_at"
        ).fetchall()


def lacking(sandbox: Sandbox) -> None:
    sandbox.faults(
        [{"source": "balldontlie", "endpoint": "box_scores", "kind": "missing_game", "times": None}]
    )


def test_task_makes_the_date_complete_and_leaves_one_row(
    sources: dict[str, Source], ops_db: str, sandbox: Sandbox
) -> None:
    before = len(sandbox.log())
    run(sources[DAG])
    assert last_word(ops_db)[:3] == ("audit", "complete", "")
    own = [each for each in sandbox.log()[before:] if each["source"] == "balldontlie"]
    assert ledger(ops_db, "requests, credits, rows > 100, games_found > 0") == [
        (len(own), 0, True, True)
    ]


def test_task_that_is_cleared_asks_only_where_the_date_is_not_whole(
    sources: dict[str, Source], sandbox: Sandbox, ops_db: str
) -> None:
    lacking(sandbox)
    assert "missing" in fails(sources[DAG])
    assert last_word(ops_db)[:3] == ("fetch", "partial", "incomplete")
    sandbox.no_faults()
    run(sources[DAG], attempt=2)
    before = len(sandbox.log())
    run(sources[DAG], attempt=3)
    assert len(sandbox.log()) == before
    assert ledger(ops_db, "attempt, phase, outcome") == [
        (1, "fetch", "partial"),
        (2, "audit", "complete"),
        (3, "audit", "complete"),
    ]


def test_date_that_was_fetched_and_never_loaded_is_loaded_without_a_request(
    sources: dict[str, Source], sandbox: Sandbox, ops_db: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*args: Any, **options: Any) -> Any:
        raise Problem(error_class=ErrorClass.STORAGE, message="the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr("include.steps.attempt.load", full)
        assert "the disk is full" in fails(sources[DAG])
    assert last_word(ops_db)[:3] == ("load", "failed", "storage")
    before = len(sandbox.log())
    run(sources[DAG], attempt=2)
    assert len(sandbox.log()) == before
    assert last_word(ops_db)[:2] == ("audit", "complete")


def test_task_holds_one_connection_to_the_operations_database(
    sources: dict[str, Source], monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[psycopg.Connection[Any]] = []
    real = psycopg.Connection.connect.__func__

    def remembered(cls: Any, *args: Any, **options: Any) -> psycopg.Connection[Any]:
        opened.append(real(cls, *args, **options))
        return opened[-1]

    monkeypatch.setattr(psycopg.Connection, "connect", classmethod(remembered))
    run(sources[DAG])
    assert [connection.closed for connection in opened] == [True]


def test_wait_whose_moment_has_passed_is_still_a_wait(
    sources: dict[str, Source], ops_db: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*args: Any, **options: Any) -> Any:
        raise Later(datetime.now(UTC) - timedelta(seconds=1), "full", Outcome.QUOTA_WAIT)

    monkeypatch.setattr(SCRAPE, full)
    before = datetime.now(UTC)
    assert defers(sources[DAG]).trigger.moment > before
    assert last_word(ops_db) == ("fetch", "quota_wait", "", "full")


def test_date_that_cannot_be_final_yet_waits_without_a_request(
    sources: dict[str, Source], sandbox: Sandbox, ops_db: str
) -> None:
    today = eastern_day(datetime.now(UTC))
    before = len(sandbox.log())
    put_off = defers(sources[DAG], key=str(today))
    assert put_off.trigger.moment == sources[DAG].endpoint("box_scores").available_at(today)
    assert len(sandbox.log()) == before
    assert last_word(ops_db)[1] == "not_yet"


def test_date_that_is_put_off_says_so_and_counts_what_it_has_asked(
    sources: dict[str, Source], sandbox: Sandbox, ops_db: str
) -> None:
    fault = {"source": "balldontlie", "endpoint": "box_scores", "kind": "429"}
    sandbox.faults([{**fault, "retry_after": 3600, "times": 1}])
    put_off = defers(sources[DAG])
    began = ledger(ops_db, "started_at")
    seconds = put_off.kwargs.pop("seconds")
    assert ledger(ops_db, "seconds") == [(seconds,)]
    assert {*seconds} == {"wait", "fetch"}  # there is nothing to write yet
    assert put_off.kwargs == {
        "deferrals": 1,
        "spent": [1, 0, 0, 0, 0, 0],
        "began": began[0][0].astimezone(UTC).isoformat(),
    }
    assert put_off.trigger.moment > datetime.now(UTC) + timedelta(minutes=50)
    assert last_word(ops_db)[1] == "quota_wait"

    with connect(ops_db) as connection:  # the hour is over
        connection.execute("TRUNCATE ops.limiters, ops.limiter_requests CASCADE")
        connection.commit()
    run(sources[DAG], **put_off.kwargs, seconds=seconds)

    assert ledger(ops_db, "requests, started_at") == [(1 + 1, *began[0])]
    ((worked, peak_mb),) = ledger(ops_db, "seconds, peak_mb")
    assert {*worked} == {"wait", "fetch", "write", "load", "check"}
    assert all(worked[name] > seconds[name] for name in seconds)
    assert 50 < peak_mb < 5000


@pytest.mark.parametrize("run_type", ["backfill", "scheduled", "manual"])
def test_backfill_alone_asks_for_nothing_in_quiet_hours(
    sources: dict[str, Source],
    sandbox: Sandbox,
    ops_db: str,
    monkeypatch: pytest.MonkeyPatch,
    run_type: str,
) -> None:
    begin, end = (f"{datetime.now(UTC) + timedelta(hours=n):%H:%M}" for n in (-1, 1))
    hours = json.dumps({"*": {"begin": begin, "end": end, "zone": "UTC"}})
    monkeypatch.setenv("NBA_QUIET_HOURS", hours)
    with connect(ops_db) as connection:
        connection.execute(
            "INSERT INTO ops.game_days SELECT current_date + n, 1 FROM generate_series(-2, 2) n"
            " ON CONFLICT DO NOTHING"
        )
        connection.commit()
    before = len(sandbox.log())
    if run_type == "backfill":
        assert defers(sources[DAG]).trigger.moment > datetime.now(UTC)
        assert last_word(ops_db)[1] == "not_yet"
        assert len(sandbox.log()) == before
    else:
        run(sources[DAG], run_type=run_type)
        assert last_word(ops_db)[1] == "complete"


def test_correction_reaches_the_warehouse_and_the_ledger(
    sources: dict[str, Source], sandbox: Sandbox, ops_db: str
) -> None:
    from nba_airflow import connections

    run(sources[DAG])
    sandbox.faults(
        [{"source": "balldontlie", "endpoint": "box_scores", "day": str(DAY), "kind": "corrected"}]
    )
    run(sources[DAG], {"refetch": datetime.now(UTC).isoformat()}, attempt=2)

    stores = connections.stores()
    manifest = raw.read_manifest(stores.raw, PARTITION)
    rows = stores.warehouse.rows(sources[DAG].endpoint("box_scores").table, DAY, ["source_file"])
    assert manifest
    assert {row["source_file"] for row in rows or ()} == {item.path for item in manifest.data()}
    assert ledger(ops_db, "outcome, changes_total") == [("complete", 0), ("complete", 1)]


def test_date_waits_while_its_upstream_puts_it_off_but_not_for_ever(
    sources: dict[str, Source], ops_db: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    until = datetime.now(UTC) + timedelta(minutes=5)

    def resting(*args: Any, **options: Any) -> Any:
        raise Problem(error_class=ErrorClass.BLOCKED, message="all proxies rest", retry_at=until)

    monkeypatch.setattr(SCRAPE, resting)
    resumed: dict[str, Any] = {}
    for number in range(1, 7):
        put_off = defers(sources[DAG], **resumed)
        assert (put_off.method_name, put_off.trigger.moment) == ("execute", until)
        resumed = put_off.kwargs
        assert resumed["deferrals"] == number
        assert last_word(ops_db)[1:] == (
            "quota_wait",
            "",
            f"all proxies rest; deferral {number} of 6",
        )

    assert "all proxies rest" in fails(sources[DAG], **resumed)

    assert last_word(ops_db)[1:3] == ("failed", "blocked")


def test_task_that_hangs_until_airflow_ends_it_leaves_its_outcome_and_is_not_tried_again(
    sources: dict[str, Source], ops_db: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hang(*args: Any, **options: Any) -> Any:
        from airflow.sdk.exceptions import AirflowTaskTimeout

        raise AirflowTaskTimeout

    monkeypatch.setattr(SCRAPE, hang)
    said = "the task did not end within its execution_timeout: see its log"
    assert said in fails(sources[DAG])
    assert last_word(ops_db) == ("fetch", "failed", "hang", said)


def test_bug_is_recorded_by_its_place_and_not_tried_again(
    sources: dict[str, Source], ops_db: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wrong(*args: Any, **options: Any) -> Any:
        raise KeyError("a secret of whoever wrote this")

    monkeypatch.setattr(SCRAPE, wrong)
    said = fails(sources[DAG])
    phase, outcome, error_class, message = last_word(ops_db)
    assert (phase, outcome, error_class) == ("fetch", "failed", "internal")
    assert message.startswith("KeyError in wrong (test_operators.py:")
    assert "secret" not in said + message


def test_operations_database_that_stays_away_is_left_to_airflows_retries(
    sources: dict[str, Source], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its outcome stands nowhere, so that the task must not end for good."""
    ended = Problem(error_class=ErrorClass.STORAGE, message="ops_db failed")

    def gone(*args: Any, **options: Any) -> Any:
        raise ended

    monkeypatch.setattr("include.ops.session.Session.run", gone)
    with pytest.raises(Problem) as caught:
        run(sources[DAG])
    assert caught.value is ended


def test_lost_database_is_recorded_and_left_to_airflows_retries(
    sources: dict[str, Source], ops_db: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*args: Any, **options: Any) -> Any:
        raise psycopg.OperationalError("server closed the connection")

    monkeypatch.setattr(SCRAPE, gone)
    with pytest.raises(psycopg.OperationalError):
        run(sources[DAG])
    assert last_word(ops_db)[1] == "failed"
    assert last_word(ops_db)[3].endswith("Airflow tries it again; the log has its traceback")


def test_order_that_is_not_one_is_refused_and_recorded(
    sources: dict[str, Source], ops_db: str
) -> None:
    assert "refetch is 'yes'" in fails(sources[DAG], {"refetch": "yes"})
    assert last_word(ops_db)[1:3] == ("failed", "internal")


@pytest.mark.parametrize(
    ("key", "said"),
    [
        (None, "this run has no partition key, so no game date"),
        ("yesterday", "this run's partition key: 'yesterday' is not a date"),
        ("2024-13-45", "this run's partition key: '2024-13-45' is not a day of the calendar"),
        ("9999-12-31", "internal: the run's game date lies in the future"),
    ],
)
def test_run_without_a_game_date_ends_at_once_with_one_line(
    sources: dict[str, Source], sandbox: Sandbox, key: str | None, said: str
) -> None:
    before = len(sandbox.log())
    message = fails(sources[DAG], key=key)
    assert message.startswith(said)
    assert (len(message.splitlines()), len(sandbox.log())) == (1, before)


def test_refetch_asks_again_and_clearing_it_does_not(
    sources: dict[str, Source], sandbox: Sandbox
) -> None:
    run(sources[DAG])
    order = {"refetch": datetime.now(UTC).isoformat()}
    asked = []
    for attempt in (2, 3):
        before = len(sandbox.log())
        run(sources[DAG], order, attempt=attempt)
        asked.append(len(sandbox.log()) - before)
    assert asked == [1, 0]
