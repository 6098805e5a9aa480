"""What is under way, what was not sent, and how dates stand, read back from rows that the other
modules wrote."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import psycopg
import pytest

from include.ops import batches, outbox
from include.ops.db import connect
from include.ops.outcomes import OutcomeRow, record
from include.ops.status import (
    CancelledDates,
    OpenBatch,
    OutcomeCount,
    UnsentMail,
    accepted_dates,
    cancelled_dates,
    count_runs,
    outcome_counts,
    unmailed_batches,
    unsent_mails,
)
from include.outcome import Outcome
from tests.ops.written import QUEUED, batch_run, write

DAG = "bdl_box_scores"
DAY = date(2025, 1, 15)
AT = datetime(2026, 10, 1, 10, tzinfo=UTC)


@pytest.fixture
def db(ops_db: str) -> Iterator[psycopg.Connection[Any]]:
    with connect(ops_db) as connection:
        connection.execute("TRUNCATE ops.outcomes, ops.batches, ops.batch_runs, ops.outbox")
        connection.commit()
        yield connection


def test_batch_shows_its_window_and_how_far_it_is() -> None:
    runs = [batch_run(2, "failed"), batch_run(0, "running"), batch_run(1)]
    assert count_runs(f"{DAG}:7:0", runs) == OpenBatch(
        batch_id=f"{DAG}:7:0",
        dag_id=DAG,
        kind="backfill",
        opened_at=QUEUED,
        closed_at=None,
        first_day=DAY,
        last_day=DAY + timedelta(days=2),
        runs=3,
        ended=2,
        failed=1,
    )


def test_closed_batch_is_shown_until_its_mail_is_in_the_outbox(
    db: psycopg.Connection[Any],
) -> None:
    runs = [batch_run(0), batch_run(1, "failed")]
    write(db, f"{DAG}:8:0", batch_run(2, "running"), over=False)
    batch = write(db, f"{DAG}:7:0", *runs)
    assert unmailed_batches(db) == [count_runs(batch.batch_id, runs, batch.closed_at)]
    batches.reported(db, batch.batch_id)
    assert unmailed_batches(db) == []


def test_mail_is_told_with_its_last_error_until_it_is_sent(db: psycopg.Connection[Any]) -> None:
    for name in ("refused", "late", "new"):
        outbox.put(
            db,
            outbox.Mail(
                mail_id=name, message_id=f"<{name}@nba>", subject=f"[{name}]", content=b"x"
            ),
            [DAG],
        )
        db.commit()
    refused, late = outbox.claim(db), outbox.claim(db)
    assert refused
    assert late
    outbox.not_sent(db, refused, "bad_key: SendGrid refused the key", again=False)
    outbox.not_sent(db, late, "hang: no answer", again=True)

    found = unsent_mails(db)

    assert [(m.mail_id, m.subject, m.state, m.attempts, m.last_error) for m in found] == [
        ("refused", "[refused]", "failed", 1, "bad_key: SendGrid refused the key"),
        ("late", "[late]", "pending", 1, "hang: no answer"),
        ("new", "[new]", "pending", 0, ""),
    ]
    assert type(found[0]) is UnsentMail
    assert found[1].next_try_at > found[1].created_at
    outbox.sent(db, "late", "accepted")
    assert [m.mail_id for m in unsent_mails(db)] == ["refused", "new"]


def tried(endpoint: str, after: int, outcome: Outcome, attempt: int = 1) -> OutcomeRow:
    """A try of the date that many days after DAY."""
    return OutcomeRow(
        dag_id=DAG,
        endpoint=endpoint,
        day=DAY + timedelta(days=after),
        run_id="r",
        phase="audit",
        attempt=attempt,
        outcome=outcome,
        started_at=AT,
        ended_at=AT,
    )


def test_each_date_counts_once_by_its_newest_outcome(db: psycopg.Connection[Any]) -> None:
    for endpoint, after, attempt, outcome in (
        ("box_scores", 0, 1, "failed"),
        ("box_scores", 0, 2, "complete"),
        ("box_scores", 1, 1, "complete"),
        ("box_scores", 1, 2, "failed"),
        ("box_scores", 2, 1, "failed"),
        ("box_scores", 2, 2, "complete"),
        ("plays", 0, 1, "no_games"),
    ):
        record(db, tried(endpoint, after, Outcome(outcome), attempt))
    assert outcome_counts(db, []) == [
        OutcomeCount(dag_id=DAG, endpoint="box_scores", outcome="complete", dates=2),
        OutcomeCount(dag_id=DAG, endpoint="box_scores", outcome="failed", dates=1),
        OutcomeCount(dag_id=DAG, endpoint="plays", outcome="no_games", dates=1),
    ]


def test_dates_that_were_cancelled_before_they_ran_are_told_until_something_comes_of_them(
    db: psycopg.Connection[Any],
) -> None:
    ran, never = batch_run(0, "failed"), [batch_run(n, "failed", started=False) for n in (1, 2, 3)]
    write(db, f"{DAG}:7:0", ran, *never)
    assert cancelled_dates(db) == [
        CancelledDates(
            dag_id=DAG,
            dates=3,
            first_day=DAY + timedelta(days=1),
            last_day=DAY + timedelta(days=3),
        )
    ]
    assert cancelled_dates(db, runs=1)[0].dates == 1
    # One was done by a run of another batch, another waits in one.
    record(db, tried("box_scores", 1, Outcome.COMPLETE, 1))
    again = batch_run(3, "queued", started=False, queued=QUEUED + timedelta(hours=2))
    write(db, f"{DAG}:8:0", again, over=False)
    assert [(each.dates, each.first_day) for each in cancelled_dates(db)] == [
        (1, DAY + timedelta(days=2))
    ]


def test_try_that_waited_and_was_written_last_says_how_its_date_stands(
    db: psycopg.Connection[Any],
) -> None:
    accepted = replace(tried("box_scores", 0, Outcome.ACCEPTED), message="for ever")
    record(db, replace(accepted, outcome=Outcome.QUOTA_WAIT))
    record(db, replace(tried("box_scores", 0, Outcome.FAILED), run_id="other"))
    assert accepted_dates(db) == []
    record(db, accepted)
    named = {"dag_id": DAG, "endpoint": "box_scores"}
    assert outcome_counts(db, []) == [OutcomeCount(**named, outcome="accepted", dates=1)]
    assert accepted_dates(db) == [{**named, "day": DAY, "message": "for ever"}]


def test_date_whose_run_is_not_open_any_more_does_not_wait(db: psycopg.Connection[Any]) -> None:
    for after, run_id in enumerate(("open", "ended", "ended")):
        row = OutcomeRow(
            dag_id=DAG,
            endpoint="plays",
            day=DAY + timedelta(days=after),
            run_id=run_id,
            phase="fetch",
            attempt=1,
            outcome=Outcome.QUOTA_WAIT,
            started_at=AT,
            ended_at=AT,
        )
        record(db, row)
    assert outcome_counts(db, ["open"]) == [
        OutcomeCount(dag_id=DAG, endpoint="plays", outcome="not_run", dates=2),
        OutcomeCount(dag_id=DAG, endpoint="plays", outcome="quota_wait", dates=1),
    ]


def test_only_the_newest_tries_are_counted(db: psycopg.Connection[Any]) -> None:
    for after in range(3):
        outcome = Outcome.FAILED if after == 0 else Outcome.COMPLETE
        record(db, tried("plays", after, outcome))
    assert outcome_counts(db, [], tries=2) == [
        OutcomeCount(dag_id=DAG, endpoint="plays", outcome="complete", dates=2)
    ]


def test_empty_tables_say_nothing(db: psycopg.Connection[Any]) -> None:
    assert (unmailed_batches(db), unsent_mails(db), outcome_counts(db, [])) == ([], [], [])
