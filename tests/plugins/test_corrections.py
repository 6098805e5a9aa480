"""Corrections upstream from a load's report through the ledger to mail and command; and the flag
that asks for them."""

from __future__ import annotations

import json
import logging
from argparse import Namespace
from collections.abc import Iterator
from datetime import date
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest

from include.checks.drift import Drift
from include.errors import ErrorClass, Problem
from include.mail.batch_report import report_of
from include.ops import batches
from include.ops.db import connect
from include.ops.outcomes import of_runs
from include.partition import DateRange, Partition
from include.warehouse.local import Loaded
from nba_airflow.cli.backfill import backfill
from nba_airflow.cli.verdict import verdict
from nba_airflow.metadata.runs import Run
from nba_airflow.report import Report

DAG = "bdl_box_scores"
DAY = date(2025, 1, 15)
AST = "GSW@UTA, Stephen Curry, GSW, player_id 115: ast 6 -> 7"
PTS = "GSW@UTA, Stephen Curry, GSW, player_id 115: pts 20 -> 22"


@pytest.fixture
def db(ops_db: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[psycopg.Connection[Any]]:
    monkeypatch.setenv(
        "AIRFLOW_CONN_OPS_DB", json.dumps({"conn_type": "generic", "extra": {"url": ops_db}})
    )
    with connect(ops_db) as connection:
        connection.execute("TRUNCATE ops.outcomes, ops.batches, ops.batch_runs")
        connection.commit()
        yield connection


def report(task: str = "load", *, day: date = DAY, attempt: int = 1) -> Report:
    ti = SimpleNamespace(task_id=f"box_scores.{task}", try_number=attempt, log_url="")
    run = SimpleNamespace(run_id=f"backfill__{day}")
    return Report(Partition(dag_id=DAG, endpoint="box_scores", day=day), {"ti": ti, "dag_run": run})  # type: ignore[typeddict-item]


def recorded(db: psycopg.Connection[Any], day: date = DAY) -> list[tuple[str, str, list[str], int]]:
    """(outcome, message, changes, their number) of each row of the date."""
    rows = of_runs(db, DAG, [f"backfill__{day}"])
    db.commit()
    return [(row.outcome, row.message, list(row.changes), row.changes_total) for row in rows]


# --- what a load writes


def test_load_writes_its_corrections_before_the_rows_are_replaced_and_with_its_outcome(
    db: psycopg.Connection[Any], caplog: pytest.LogCaptureFixture
) -> None:
    loading = report()
    with caplog.at_level(logging.INFO, logger="nba_airflow.report"):
        loading.corrected(Drift(changes=(AST, PTS), total=5))
    assert recorded(db) == [("fetched", "changes upstream: 5, not loaded yet", [AST, PTS], 5)]
    assert caplog.messages == [f"corrected upstream, changes: 5\n{AST}\n{PTS}\nand 3 more"]
    loading.loaded(Loaded(rows=384, bytes=1, changed=True))
    assert recorded(db) == [("loaded", "384 rows, replaced, changes upstream: 5", [AST, PTS], 5)]


def test_load_that_fails_has_corrected_nothing(db: psycopg.Connection[Any]) -> None:
    loading = report()
    loading.corrected(Drift(changes=(AST,), total=1))
    loading.failed(Problem(error_class=ErrorClass.STORAGE, message="the disk is full"))
    assert recorded(db) == [("failed", "the disk is full", [], 0)]


def test_load_without_corrections_says_nothing_of_them(db: psycopg.Connection[Any]) -> None:
    report().loaded(Loaded(rows=384, bytes=1, changed=False))
    assert recorded(db) == [("loaded", "384 rows, already the same", [], 0)]


# --- what mail and command make of it


def ran(db: psycopg.Connection[Any], number: int, drift: Drift | None) -> batches.Batch:
    """A batch of the date's one run, which is loaded and audited."""
    batch = batches.current(db, DAG, 7)
    batches.register(db, batch.batch_id, {f"backfill__{DAY}": DAY})
    loading = report(attempt=number)
    if drift:
        loading.corrected(drift)
    loading.loaded(Loaded(rows=384, bytes=1, changed=True))
    db.execute(
        "INSERT INTO ops.outcomes (dag_id, endpoint, day, run_id, task, attempt, outcome,"
        " started_at) VALUES (%s, 'box_scores', %s, %s, 'audit', %s, 'complete', now())",
        (DAG, DAY, f"backfill__{DAY}", number),
    )
    batches.mark(db, batch.batch_id, f"backfill__{DAY}", "success")
    batches.close(db, batch.batch_id)
    found = batches.get(db, batch.batch_id)
    assert found
    return found


def test_mail_and_command_tell_the_corrections_of_their_own_runs_only(
    db: psycopg.Connection[Any],
) -> None:
    opened, told = [], []
    for number, drift in enumerate((None, Drift(changes=(AST,), total=1), None)):
        batch = ran(db, number, drift)
        opened.append(batch.opened_at)
        told.append([(c.day, list(c.changes), c.total) for c in report_of(db, batch).corrections])
    assert told == [[], [(DAY, [AST], 1)], []]

    window = DateRange(DAY, DAY)
    runs = {DAY: Run(day=DAY, run_id=f"backfill__{DAY}", state="success", backfill_id=7)}
    found = [
        verdict(DAG, window, runs, since=moment, mail_wanted=False).corrections
        for moment in opened[1:]
    ]
    assert [[(c.day, list(c.changes), c.total) for c in each] for each in found] == told[1:]


# --- the flag


def test_refetch_is_refused_where_nothing_is_started(capsys: pytest.CaptureFixture[str]) -> None:
    args = Namespace(
        dag_id=DAG,
        start_date="2025-01-15",
        end_date="2025-01-15",
        conf=None,
        refetch=True,
        attach=True,
    )
    with pytest.raises(SystemExit) as ended:
        backfill(args)
    assert ended.value.code == 2
    assert (
        capsys.readouterr().err
        == "airflow dags backfill: --attach starts nothing, so nothing would be fetched again:"
        " leave --refetch out\n"
    )
