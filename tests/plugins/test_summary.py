"""The summary's task on a real ledger: what is wrong with one batch holds up no other's mail."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from devstack.connections import postgres_fields
from include.ops import batches
from include.ops.db import connect
from nba_airflow import plan_vs_actual
from tests.ops.written import batch_run, write

DAG = "bdl_box_scores"


@pytest.fixture
def db(
    ops_db: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[psycopg.Connection[Any]]:
    people = {"sender": "a@b.example", "recipients": ["c@d.example"]}
    found = {
        "ops_db": postgres_fields(ops_db),
        "mail": {"host": f"file://{tmp_path}/outbox", "extra": people},
    }
    for name, connection in found.items():
        monkeypatch.setenv(
            f"AIRFLOW_CONN_{name.upper()}", json.dumps({"conn_type": "generic", **connection})
        )
    with connect(ops_db) as connection:
        connection.execute("TRUNCATE ops.batches, ops.outbox, ops.outcomes CASCADE")
        connection.commit()
        yield connection


def batch_of(db: psycopg.Connection[Any], backfill: int, runs: int) -> str:
    """A closed batch of so many runs."""
    return write(db, f"{DAG}:{backfill}:0", *(batch_run(n) for n in range(runs))).batch_id


def summarise() -> None:
    from nba_airflow.summary import SummaryOperator

    SummaryOperator(task_id="report").execute({})


def mails(tmp_path: Path) -> int:
    return len(list((tmp_path / "outbox").glob("*.eml")))


def test_batch_that_cannot_be_reported_holds_up_no_other_and_is_named(
    db: psycopg.Connection[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad, good = batch_of(db, 1, 2), batch_of(db, 2, 2)
    real = plan_vs_actual.add_plan_vs_actual

    def broken(connection: Any, report: Any) -> Any:
        if report.batch_id == bad:
            connection.execute("SELECT 1 / 0")
        return real(connection, report)

    monkeypatch.setattr(plan_vs_actual, "add_plan_vs_actual", broken)
    with pytest.raises(RuntimeError, match=f"not reported, and tried again in five minutes: {bad}"):
        summarise()
    assert [each.batch_id for each in batches.due(db)] == [bad]
    assert db.execute("SELECT mail_id, state FROM ops.outbox").fetchall() == [(good, "sent")]
    db.commit()

    monkeypatch.setattr(plan_vs_actual, "add_plan_vs_actual", real)
    summarise()
    assert (batches.due(db), mails(tmp_path)) == ([], 2)


def test_summary_goes_out_where_another_dag_file_is_broken(
    db: psycopg.Connection[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> Any:
        raise ImportError("dags/other.py")

    monkeypatch.setattr("nba_airflow.specs.sources", broken)
    batch_of(db, 1, 1)
    summarise()
    assert mails(tmp_path) == 1
