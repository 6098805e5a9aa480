"""Batches in the ledger: written whole, closed by the database's clock, reported once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from include.mail.batch_report import read_report
from include.ops import batches
from include.ops.batches import DELETED, Batch
from include.ops.db import connect
from tests.ops.written import QUEUED, batch_run, write

DAG = "bdl_box_scores"
FIRST = f"{DAG}:1:0"
LATER = timedelta(days=1)


@pytest.fixture
def db(ops_db: str) -> Iterator[psycopg.Connection[Any]]:
    with connect(ops_db) as connection:
        connection.execute("TRUNCATE ops.batches, ops.outbox CASCADE")
        connection.commit()
        yield connection


def test_batch_is_opened_when_its_first_run_was_queued_and_closed_now(
    db: psycopg.Connection[Any],
) -> None:
    before = datetime.now(UTC)
    runs = [batch_run(1, queued=QUEUED + LATER), batch_run(0, "failed")]
    batch = write(db, FIRST, *runs)
    assert batch.closed_at is not None
    assert before <= batch.closed_at <= datetime.now(UTC)
    assert batch == Batch(
        batch_id=FIRST,
        dag_id=DAG,
        kind="backfill",
        opened_at=QUEUED,
        closed_at=batch.closed_at,
        cancelled=False,
    )
    assert batches.runs(db, FIRST) == runs[::-1]


@pytest.mark.parametrize(
    ("name", "kind"),
    [("7:0", "backfill"), ("rerun:3", "rerun"), ("catchup:0", "catchup"), ("live:a__1", "live")],
)
def test_a_batch_is_of_the_kind_that_its_id_says(
    db: psycopg.Connection[Any], name: str, kind: str
) -> None:
    batch = write(db, f"{DAG}:{name}")
    assert (batch.dag_id, batch.kind) == (DAG, kind)


def test_a_run_that_failed_without_having_started_was_cancelled(
    db: psycopg.Connection[Any],
) -> None:
    runs = [batch_run(0), batch_run(1, "failed")]
    assert write(db, FIRST, *runs).cancelled is False
    assert write(db, f"{DAG}:2:0", *runs, batch_run(2, "failed", started=False)).cancelled is True
    gone = batch_run(2, DELETED, started=False)
    assert write(db, f"{DAG}:3:0", *runs, gone).cancelled is False


def test_open_batches_are_kept_until_they_are_written_anew(db: psycopg.Connection[Any]) -> None:
    runs = [batch_run(0), batch_run(1, "running")]
    write(db, FIRST, *runs, over=False)
    write(db, f"{DAG}:2:0")
    assert batches.read_open(db) == {FIRST: runs}
    batches.forget_open(db)
    assert batches.read_open(db) == {}
    assert batches.read_closed(db, [FIRST, f"{DAG}:2:0"]) == {f"{DAG}:2:0"}
    assert write(db, FIRST, batch_run(0), batch_run(1)).closed_at is not None


def test_one_of_two_schedulers_may_write(ops_db: str, db: psycopg.Connection[Any]) -> None:
    with connect(ops_db) as other:
        assert (batches.lock(db), batches.lock(other)) == (True, False)
        db.commit()
        assert batches.lock(other) is True


def test_a_run_is_told_as_often_as_it_was_queued(db: psycopg.Connection[Any]) -> None:
    again = batch_run(0, queued=QUEUED + LATER)
    write(db, FIRST, batch_run(0), batch_run(1))
    write(db, f"{DAG}:rerun:0", again)
    write(db, f"{DAG}:rerun:1", batch_run(1, queued=QUEUED + LATER), over=False)
    told = {(DAG, "backfill__0"): again.queued_at, (DAG, "backfill__1"): QUEUED}
    assert batches.read_told(db, ["backfill__0", "backfill__1", "backfill__2"]) == told
    assert batches.count_closed(db, [DAG, "other"]) == {(DAG, "rerun"): 1}


def test_a_rerun_counts_from_the_close_of_the_batch_before(db: psycopg.Connection[Any]) -> None:
    first = write(db, FIRST, batch_run(0), batch_run(1))
    second = write(db, f"{DAG}:rerun:0", batch_run(0, queued=QUEUED + LATER))
    write(db, "other:1:0", batch_run(2))
    moments = [QUEUED, QUEUED + LATER, QUEUED + 2 * LATER]
    found = [
        batches.read_since(db, DAG, {f"backfill__{n}": moment for n in range(3)})
        for moment in moments
    ]
    assert found == [
        {},
        {"backfill__0": first.closed_at, "backfill__1": first.closed_at},
        {"backfill__0": second.closed_at, "backfill__1": first.closed_at},
    ]


def test_a_closed_batch_is_due_until_it_is_reported(db: psycopg.Connection[Any]) -> None:
    early, late = write(db, f"{DAG}:2:0"), write(db, FIRST, batch_run(queued=QUEUED + LATER))
    write(db, f"{DAG}:3:0", batch_run(0, "running"), over=False)
    assert batches.due(db) == [early, late]
    batches.reported(db, early.batch_id)
    assert batches.due(db) == [late]
    assert batches.get(db, "nothing") is None


def test_the_report_and_what_it_wrote_are_committed_together(
    ops_db: str, db: psycopg.Connection[Any]
) -> None:
    write(db, FIRST)
    db.execute(
        "INSERT INTO ops.outbox (mail_id, message_id, subject, content) VALUES ('m', '<m@x>', 's',"
        " 'c')"
    )
    with connect(ops_db) as other:
        assert other.execute("SELECT count(*) FROM ops.outbox").fetchone() == (0,)
    batches.reported(db, FIRST)
    with connect(ops_db) as other:
        assert other.execute("SELECT count(*) FROM ops.outbox").fetchone() == (1,)
        assert batches.due(other) == []


@pytest.mark.parametrize(
    ("afters", "commands"),
    [
        ((0, 1, 2), ["-s 2025-01-15 -e 2025-01-17"]),
        ((0, 2), ["-s 2025-01-15 -e 2025-01-15", "-s 2025-01-17 -e 2025-01-17"]),
    ],
)
def test_mail_of_a_batch_runs_no_date_again_that_it_does_not_have(
    db: psycopg.Connection[Any], afters: tuple[int, ...], commands: list[str]
) -> None:
    runs = [batch_run(after, "failed") for after in afters]
    report = read_report(db, write(db, "bdl_box_scores:rerun:0", *runs), ["box_scores"])
    assert report.rerun_command.splitlines() == [
        f"airflow dags backfill bdl_box_scores {each} --rerun-failed-tasks -y" for each in commands
    ]
