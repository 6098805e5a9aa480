"""Corrections upstream from a load's report through the ledger to mail and command; and the flag
that asks for them."""

from __future__ import annotations

import json
from argparse import Namespace
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from devstack.connections import postgres_fields
from include.checks.drift import Drift
from include.mail.batch_report import read_report
from include.ops import batches
from include.ops.db import connect
from include.ops.outcomes import OutcomeRow, record
from include.outcome import Outcome
from include.partition import DateRange
from nba_airflow.cli.backfill import backfill
from nba_airflow.cli.verdict import reach_verdict
from nba_airflow.metadata.runs import Run
from tests.ops.written import DAY, QUEUED, batch_run, write

DAG = "bdl_box_scores"
RUN = f"backfill__{DAY}"
AST = "GSW@UTA, Stephen Curry, GSW, player_id 115: ast 6 -> 7"
PTS = "GSW@UTA, Stephen Curry, GSW, player_id 115: pts 20 -> 22"


@pytest.fixture
def db(ops_db: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[psycopg.Connection[Any]]:
    monkeypatch.setenv("AIRFLOW_CONN_OPS_DB", json.dumps(postgres_fields(ops_db)))
    with connect(ops_db) as connection:
        connection.execute("TRUNCATE ops.outcomes, ops.batches, ops.batch_runs")
        connection.commit()
        yield connection


# --- what mail and command make of it


def ran(db: psycopg.Connection[Any], number: int, drift: Drift | None) -> batches.Batch:
    """A batch of the date's one run, which is loaded and audited."""
    now = datetime.now(UTC)
    told = OutcomeRow(
        dag_id=DAG,
        endpoint="box_scores",
        day=DAY,
        run_id=RUN,
        attempt=number,
        phase="audit",
        outcome=Outcome.COMPLETE,
        started_at=now,
        ended_at=now,
    )
    if drift:
        told = replace(told, changes=drift.changes, changes_total=drift.total)
    record(db, told)
    queued = QUEUED + timedelta(days=number)
    return write(db, f"{DAG}:rerun:{number}", batch_run(0, queued=queued, run_id=RUN))


def test_mail_and_command_tell_the_corrections_of_their_own_runs_only(
    db: psycopg.Connection[Any],
) -> None:
    told, found = [], []
    for number, drift in enumerate((None, Drift(changes=(AST,), total=1), None)):
        batch = ran(db, number, drift)
        report = read_report(db, batch, [])
        run = Run(day=DAY, run_id=RUN, state="success", backfill_id=7, queued_at=report.started_at)
        verdict = reach_verdict(DAG, DateRange(DAY, DAY), {DAY: run}, awaited=())
        for each, said in ((told, report), (found, verdict)):
            each.append([(c.day, list(c.changes), c.total) for c in said.corrections])
    assert told == found == [[], [(DAY, [AST], 1)], []]


# --- the flag


def test_refetch_is_refused_where_nothing_is_started(capsys: pytest.CaptureFixture[str]) -> None:
    args = Namespace(
        dag_id=DAG,
        start_date="2025-01-15",
        end_date="2025-01-15",
        conf=None,
        refetch=True,
        attach=True,
        announce=False,
    )
    with pytest.raises(SystemExit) as ended:
        backfill(args)
    assert ended.value.code == 2
    assert (
        capsys.readouterr().err
        == "airflow dags backfill: --attach starts nothing, so nothing would be fetched again:"
        " leave --refetch out\n"
    )
