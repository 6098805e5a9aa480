"""The summary's task on a real ledger: what is wrong with one batch holds up no other's mail."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from devstack.connections import postgres_fields
from include.mail import policy
from include.ops import batches
from include.ops.db import connect
from nba_airflow import plan_vs_actual

DAG = "bdl_box_scores"
FIRST = date(2025, 1, 15)


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
    monkeypatch.setattr(policy, "POLICY", policy.Policy(group_wait=timedelta()))
    with connect(ops_db) as connection:
        connection.execute("TRUNCATE ops.batches, ops.outbox, ops.outcomes CASCADE")
        connection.commit()
        yield connection


def batch_of(db: psycopg.Connection[Any], backfill: int, runs: int) -> str:
    """An open batch of so many runs."""
    batch_id = batches.current(db, DAG, backfill).batch_id
    batches.register(
        db, batch_id, {f"run-{backfill}-{n:04}": FIRST + timedelta(days=n) for n in range(runs)}
    )
    return batch_id


class Books:
    """Airflow's count of open runs; remembers how many ids each question had."""

    def __init__(self, *open_runs: str) -> None:
        self.open_runs = open_runs
        self.asked: list[int] = []

    def get_dr_count(self, *, dag_id: str, run_ids: Sequence[str], states: Sequence[str]) -> int:
        assert (dag_id, list(states)) == (DAG, ["queued", "running"])
        self.asked.append(len(run_ids))
        return len(set(run_ids) & set(self.open_runs))


def summarise(books: Books) -> None:
    from nba_airflow.summary import SummaryOperator

    SummaryOperator(task_id="report").execute({"ti": books})


def mails(tmp_path: Path) -> int:
    return len(list((tmp_path / "outbox").glob("*.eml")))


def test_batch_of_three_thousand_runs_is_asked_about_in_parts(
    db: psycopg.Connection[Any], tmp_path: Path
) -> None:
    batch_of(db, 1, 3000)
    books = Books()
    summarise(books)
    assert books.asked == [200] * 15
    assert mails(tmp_path) == 1


def test_batch_with_one_open_run_stays_open(db: psycopg.Connection[Any], tmp_path: Path) -> None:
    batch_id = batch_of(db, 1, 450)
    books = Books("run-1-0250")
    summarise(books)
    assert books.asked == [200, 200]
    assert [each.batch_id for each in batches.unfinished(db)] == [batch_id]
    assert mails(tmp_path) == 0


def test_batch_whose_opener_died_before_its_first_run_is_thrown_away(
    db: psycopg.Connection[Any], tmp_path: Path
) -> None:
    batch_of(db, 1, 0)
    books = Books()
    summarise(books)
    assert (books.asked, batches.unfinished(db), batches.due(db), mails(tmp_path)) == (
        [],
        [],
        [],
        0,
    )


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
        summarise(Books())
    assert [each.batch_id for each in batches.due(db)] == [bad]
    assert db.execute("SELECT mail_id, state FROM ops.outbox").fetchall() == [(good, "sent")]
    db.commit()

    monkeypatch.setattr(plan_vs_actual, "add_plan_vs_actual", real)
    summarise(Books())
    assert (batches.due(db), mails(tmp_path)) == ([], 2)


def test_summary_goes_out_where_another_dag_file_is_broken(
    db: psycopg.Connection[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> Any:
        raise ImportError("dags/other.py")

    monkeypatch.setattr("nba_airflow.specs.sources", broken)
    batch_of(db, 1, 1)
    summarise(Books())
    assert mails(tmp_path) == 1
