"""No date is counted by its own source's word while the schedule can be had: the date's task asks
for it first, once a season, whoever started the run."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from devstack.sandbox.server import Sandbox, running
from include.ops.db import connect
from include.sources.spec import Source
from tests.steps import credentials
from tests.storage.wire import between

DAG, SCHEDULE = "bdl_box_scores", "nbacom_schedule"
EVE, NEXT_OFF, DAY = date(2024, 12, 24), date(2025, 2, 14), date(2025, 1, 15)
URL = "/stats/scheduleleaguev2"


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    limits: dict[str, list[Any]] = {"balldontlie": [], "nba_stats": []}
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
    found["nba_stats"]["extra"] = {}
    for name, url in (
        ("raw_store", f"file://{tmp_path}/raw"),
        ("warehouse", f"duckdb://{tmp_path}/warehouse"),
    ):
        found[name] = {"conn_type": "generic", "extra": {"url": url}}
    for name, connection in found.items():
        monkeypatch.setenv(f"AIRFLOW_CONN_{name.upper()}", json.dumps(connection))
    with connect(ops_db) as db:
        db.execute("TRUNCATE ops.outcomes, ops.limiters, ops.limiter_requests CASCADE")
        db.execute("TRUNCATE ops.shared_failures")
    yield
    sandbox.no_faults()


def run(sources: dict[str, Source], day: date, run_type: str = "backfill") -> None:
    """The date as its task runs it."""
    from nba_airflow.operators import ScrapeOperator

    source = sources[DAG]
    made = ScrapeOperator(
        task_id="box_scores", source=source, endpoint=source.endpoint("box_scores")
    )
    dag_run = SimpleNamespace(
        partition_key=str(day),
        run_type=run_type,
        conf=None,
        run_id=f"{run_type}__{day}",
        start_date=datetime.now(UTC),
    )
    ti = SimpleNamespace(task_id="box_scores", try_number=1, log_url="")
    made.execute({"dag_run": dag_run, "ti": ti})


def ledger(ops_db: str) -> list[Any]:
    with connect(ops_db) as connection:
        return connection.execute(
            "SELECT dag_id, day, outcome, message, requests FROM ops.outcomes ORDER BY day, dag_id"
        ).fetchall()


def asked(sandbox: Sandbox, since: int) -> list[str]:
    """The paths of the requests since then."""
    return [request["path"] for request in sandbox.log()[since:]]


@pytest.mark.parametrize("run_type", ["backfill", "manual", "scheduled"])
def test_dates_that_the_source_has_no_games_of_are_counted_by_the_schedule_got_once_a_season(
    sources: dict[str, Source], sandbox: Sandbox, ops_db: str, run_type: str
) -> None:
    before = len(sandbox.log())
    run(sources, EVE, run_type)
    run(sources, NEXT_OFF, run_type)
    none = "no games on this date"
    assert ledger(ops_db) == [
        (DAG, EVE, "no_games", none, 1),
        (SCHEDULE, EVE, "no_games", none, 1),
        (DAG, NEXT_OFF, "no_games", none, 1),
        (SCHEDULE, NEXT_OFF, "no_games", none, 0),
    ]
    assert asked(sandbox, before).count(URL) == 1


def test_date_whose_source_has_lost_its_games_is_not_empty(
    sources: dict[str, Source], sandbox: Sandbox, ops_db: str
) -> None:
    from airflow.sdk.exceptions import AirflowFailException

    sandbox.faults([{"source": "balldontlie", "day": str(DAY), "kind": "empty", "times": None}])
    with pytest.raises(AirflowFailException, match="empty_unexpected"):
        run(sources, DAY)
    assert [(dag_id, outcome) for dag_id, _, outcome, _, _ in ledger(ops_db)] == [
        (DAG, "partial"),
        (SCHEDULE, "complete"),
    ]


def test_without_the_schedule_the_dates_go_by_the_sources_own_word_and_it_is_left_alone_a_while(
    sources: dict[str, Source], sandbox: Sandbox, ops_db: str
) -> None:
    sandbox.faults([{"source": "nba_stats", "kind": "block_page_403", "times": None}])
    run(sources, EVE)
    before = len(sandbox.log())
    run(sources, NEXT_OFF)
    assert URL not in asked(sandbox, before)
    own = [row[1:4] for row in ledger(ops_db) if row[0] == DAG]
    word = "no games on this date, by the source's own word"
    assert own == [(EVE, "no_games", word), (NEXT_OFF, "no_games", word)]


@pytest.mark.parametrize("run_type", ["backfill", "scheduled"])
def test_date_is_counted_by_the_schedule_which_comes_before_its_own_source(
    sources: dict[str, Source], sandbox: Sandbox, ops_db: str, run_type: str
) -> None:
    before = len(sandbox.log())
    run(sources, DAY, run_type)
    assert asked(sandbox, before) == [URL, "/v1/box_scores"]
    assert [(dag_id, outcome) for dag_id, _, outcome, _, _ in ledger(ops_db)] == [
        (DAG, "complete"),
        (SCHEDULE, "complete"),
    ]


def test_without_the_schedule_a_dates_games_are_those_of_its_sources_list(
    sources: dict[str, Source], sandbox: Sandbox
) -> None:
    sandbox.faults([{"source": "nba_stats", "kind": "block_page_403", "times": None}])
    before = len(sandbox.log())
    run(sources, DAY)
    assert [path for path in asked(sandbox, before) if path != URL] == [
        "/v1/games",
        "/v1/box_scores",
    ]


def test_what_its_try_takes_of_the_stores_is_counted_once(
    sources: dict[str, Source],
    ops_db: str,
    gcs_url: str,
    bucket: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    place = {"conn_type": "generic", "extra": {"url": f"gs://{bucket}/nba"}}
    nobody = {"conn_type": "google_cloud_platform", "extra": {"is_anonymous": True}}
    monkeypatch.setenv("AIRFLOW_CONN_RAW_STORE", json.dumps(place))
    monkeypatch.setenv("AIRFLOW_CONN_GOOGLE_CLOUD_DEFAULT", json.dumps(nobody))
    with between(gcs_url) as wire:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", wire.url)
        run(sources, EVE)
    with connect(ops_db) as connection:
        counted = connection.execute(
            "SELECT dag_id, bucket_writes + bucket_reads FROM ops.outcomes ORDER BY dag_id"
        ).fetchall()
    served = [what for what, status in wire.served if status < 300]
    assert [dag_id for dag_id, _ in counted] == [DAG, SCHEDULE]
    assert sum(operations for _, operations in counted) == len(served)
    assert min(operations for _, operations in counted) > 0
