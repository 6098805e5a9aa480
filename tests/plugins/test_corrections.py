"""Corrections upstream from a load's report through the ledger to mail and command; and the flag
that asks for them."""

from __future__ import annotations

import json
import logging
from argparse import Namespace
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest

from include.checks.drift import Drift
from include.errors import ErrorClass, Problem
from include.mail.batch_report import corrections, report_of
from include.mail.report import Correction
from include.ops import batches
from include.ops.db import connect
from include.ops.outcomes import OutcomeRow, of_runs
from include.outcome import Outcome
from include.partition import Partition
from include.warehouse.local import Loaded
from nba_airflow.cli.backfill import backfill
from nba_airflow.cli.verdict import Verdict, verdict
from nba_airflow.cli.window import Window
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


def row(
    *changes: str, day: date = DAY, endpoint: str = "box_scores", total: int | None = None
) -> OutcomeRow:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    key = {
        "dag_id": DAG,
        "endpoint": endpoint,
        "day": day,
        "run_id": "r",
        "task": "load",
        "attempt": 1,
    }
    count = len(changes) if total is None else total
    return OutcomeRow(
        **key, outcome="loaded", started_at=at, ended_at=at, changes=changes, changes_total=count
    )


def test_corrections_are_gathered_per_date_and_endpoint() -> None:
    later = DAY + timedelta(days=1)
    rows = [row(AST, total=9), row(), row(PTS, day=later), row(PTS, endpoint="plays"), row(PTS)]
    assert corrections(rows) == [
        Correction(day=DAY, endpoint="box_scores", changes=(AST, PTS), total=10),
        Correction(day=later, endpoint="box_scores", changes=(PTS,), total=1),
        Correction(day=DAY, endpoint="plays", changes=(PTS,), total=1),
    ]


def test_load_that_was_killed_and_tried_again_tells_its_corrections_once() -> None:
    once = [Correction(day=DAY, endpoint="box_scores", changes=(AST,), total=1)]
    killed = replace(row(AST), outcome="fetched")
    assert corrections([killed, row(AST)]) == once  # before the rows were replaced
    assert corrections([killed, row()]) == once  # and after
    assert corrections([killed, killed, row(), row()]) == once


def test_load_that_was_killed_and_never_tried_again_has_corrected_nothing() -> None:
    killed = replace(row(AST), outcome="fetched")
    assert (
        corrections([killed, replace(row(), outcome=Outcome.FAILED)]) == corrections([killed]) == []
    )


def test_value_that_is_corrected_back_and_forth_is_told_each_time() -> None:
    (found,) = corrections([row(AST), row(PTS), row(AST)])
    assert (found.changes, found.total) == ((AST, PTS, AST), 3)


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

    window = Window(first=DAY, last=DAY)
    runs = {DAY: Run(day=DAY, run_id=f"backfill__{DAY}", state="success", backfill_id=7)}
    found = [
        verdict(DAG, window, runs, since=moment, mail_wanted=False).corrections
        for moment in opened[1:]
    ]
    assert [[(c.day, list(c.changes), c.total) for c in each] for each in found] == told[1:]


def test_verdict_names_twenty_corrections_and_counts_the_rest() -> None:
    many = tuple(f"GSW@UTA: ast {n} -> 0" for n in range(30))
    verdict = Verdict(
        dag_id=DAG,
        days={DAY: (Outcome.COMPLETE, "")},
        mail="/srv/outbox/1.eml",
        corrections=[
            Correction(day=DAY, endpoint="box_scores", changes=(AST,), total=1),
            Correction(day=DAY, endpoint="plays", changes=many, total=250),
        ],
    )
    assert verdict.text().splitlines() == [
        "1 complete",
        "Corrected upstream: 251 changes on 1 date",
        f"  2025-01-15 box_scores: {AST}",
        *(f"  2025-01-15 plays: GSW@UTA: ast {n} -> 0" for n in range(19)),
        "  and 231 more: see the logs of the load tasks",
        "Summary mail: /srv/outbox/1.eml",
    ]
    assert verdict.all_done is True
    facts = json.loads(json.dumps(verdict.facts()))
    assert facts["corrections"][0] == {
        "day": "2025-01-15",
        "endpoint": "box_scores",
        "changes": [AST],
        "total": 1,
    }
    assert (len(facts["corrections"][1]["changes"]), facts["corrections"][1]["total"]) == (30, 250)


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
