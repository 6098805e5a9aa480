"""A real ledger and stores in a folder, for commands that run without Airflow."""

from __future__ import annotations

import json
from argparse import Namespace
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import psycopg
import pytest

from devstack.connections import postgres_fields
from include.ops.db import connect
from include.outcome import Outcome
from include.partition import Partition
from include.sources.spec import Source
from include.steps.job import Stores
from include.steps.load import load
from include.storage import raw
from include.storage.local import LocalStore
from include.warehouse.local import LocalWarehouse
from tests.plugins.cli.asking import DAG, DAY, Call, Said

NOWHERE = "http://127.0.0.1:9"
"""Where an upstream is that does not answer; nobody listens at that port."""
OUTBOX = {"conn_type": "generic", "extra": {"sender": "a@b.example", "recipients": ["c@d.example"]}}
FIXTURE = Path(__file__).parents[2] / "fixtures" / DAG / f"box_scores.{DAY}.json"


@pytest.fixture
def call(capfd: pytest.CaptureFixture[str]) -> Call:
    """Runs a command's entry with arguments as Airflow's parser gives them."""

    def run(entry: Callable[[Namespace], None], **arguments: Any) -> Said:
        given = {
            "json": False,
            "output": "table",
            "dag_id": None,
            "ledger": False,
            "mails": False,
            "tables": False,
            "update": False,
            "start_date": None,
            "end_date": None,
            "dry_run": False,
            "reason": "",
            "hours": "24",
            "watch": False,
            **arguments,
        }
        with pytest.raises(SystemExit) as ended:
            entry(Namespace(**given))
        out, err = capfd.readouterr()
        return Said(code=int(ended.value.code or 0), out=out, err=err)

    return run


@pytest.fixture
def stores(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, ops_db: str, sources: dict[str, Source]
) -> Stores:
    """Connections as an installation has them; the stores are below a folder of the test.

    The specs come first: Airflow says on stdout that it is being tested when it is first imported.
    """
    urls = {
        "raw_store": f"file://{tmp_path}/raw",
        "warehouse": f"duckdb://{tmp_path}/warehouse",
    }
    for name, url in urls.items():
        monkeypatch.setenv(
            f"AIRFLOW_CONN_{name.upper()}",
            json.dumps({"conn_type": "generic", "extra": {"url": url}}),
        )
    monkeypatch.setenv("AIRFLOW_CONN_OPS_DB", json.dumps(postgres_fields(ops_db)))
    for name in {host.connection for source in sources.values() for host in source.hosts}:
        monkeypatch.setenv(
            f"AIRFLOW_CONN_{name.upper()}",
            json.dumps({"conn_type": "http", "host": NOWHERE, "password": "very-secret"}),
        )
    monkeypatch.setenv(
        "AIRFLOW_CONN_MAIL", json.dumps(OUTBOX | {"host": f"file://{tmp_path}/mail"})
    )
    return Stores(
        raw=LocalStore(tmp_path / "raw"), warehouse=LocalWarehouse(tmp_path / "warehouse")
    )


@pytest.fixture
def db(ops_db: str) -> Iterator[psycopg.Connection[Any]]:
    tables = (
        "outcomes, batches, batch_runs, outbox, limiters, limiter_windows, limiter_requests,"
        " credit_months"
    )
    with connect(ops_db) as connection:
        connection.execute(f"TRUNCATE {tables}, address_health")
        connection.commit()
        yield connection


@pytest.fixture
def done(stores: Stores, sources: dict[str, Source]) -> Callable[[date], None]:
    """Puts a date of Ball Don't Lie into raw store and warehouse, as its tasks leave it."""

    def put(day: date) -> None:
        endpoint = sources[DAG].endpoint("box_scores")
        at = Partition(dag_id=DAG, endpoint="box_scores", day=day)
        body = FIXTURE.read_bytes().replace(str(DAY).encode(), str(day).encode())
        stored = raw.put_body(
            stores.raw, at, item="all", role="data", body=body, url="", status=200, suffix="json"
        )
        manifest = raw.Manifest(
            dag_id=DAG,
            endpoint="box_scores",
            day=str(day),
            outcome=Outcome.COMPLETE,
            message="1 of 1 games",
            expected_from="listing",
            games_expected=1,
            games_found=1,
            missing=(),
            requests=2,
            credits=0,
            objects=(stored,),
            finished_at="2025-01-17T11:00:00.000+00:00",
        )
        raw.write_manifest(stores.raw, at, manifest)
        load(endpoint, at, stores)

    return put
