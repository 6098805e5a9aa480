"""What is under way, what was not sent, and how dates stand, read back from rows that the other
modules wrote."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import psycopg
import pytest

from include.ops import batches, outbox
from include.ops.db import connect
from include.ops.outcomes import OutcomeRow, record
from include.ops.status import (
    OpenBatch,
    OutcomeCount,
    UnsentMail,
    open_batches,
    outcome_counts,
    unsent_mails,
)
from include.outcome import Outcome

DAG = "bdl_box_scores"
DAY = date(2025, 1, 15)
AT = datetime(2026, 10, 1, 10, tzinfo=UTC)
RUNS = {f"backfill__{n}": DAY + timedelta(days=n) for n in range(3)}


@pytest.fixture
def db(ops_db: str) -> Iterator[psycopg.Connection[Any]]:
    with connect(ops_db) as connection:
        connection.execute("TRUNCATE ops.outcomes, ops.batches, ops.batch_runs, ops.outbox")
        connection.commit()
        yield connection


def shown(
    batch: batches.Batch, *, ended: int, failed: int, closed: datetime | None = None
) -> OpenBatch:
    return OpenBatch(
        batch_id=batch.batch_id,
        dag_id=DAG,
        kind="backfill",
        opened_at=batch.opened_at,
        closed_at=closed,
        first_day=DAY,
        last_day=DAY + timedelta(days=2),
        runs=3,
        ended=ended,
        failed=failed,
    )


def test_batch_shows_its_window_and_how_far_it_is_until_it_is_reported(
    db: psycopg.Connection[Any],
) -> None:
    batch = batches.current(db, DAG, 7)
    batches.register(db, batch.batch_id, RUNS)
    batches.mark(db, batch.batch_id, "backfill__0", "running")
    batches.mark(db, batch.batch_id, "backfill__1", "success")
    batches.mark(db, batch.batch_id, "backfill__2", "failed")
    assert open_batches(db) == [shown(batch, ended=2, failed=1)]

    batches.mark(db, batch.batch_id, "backfill__0", "success")
    assert batches.close(db, batch.batch_id)
    closed = batches.get(db, batch.batch_id)
    assert closed
    assert open_batches(db) == [shown(batch, ended=3, failed=1, closed=closed.closed_at)]

    batches.reported(db, batch.batch_id)
    assert open_batches(db) == []


def test_batches_are_told_oldest_first_also_one_without_runs(db: psycopg.Connection[Any]) -> None:
    first, second = batches.current(db, DAG, 7), batches.current(db, DAG, 8)
    assert [(b.batch_id, b.first_day, b.last_day, b.runs, b.ended) for b in open_batches(db)] == [
        (first.batch_id, None, None, 0, 0),
        (second.batch_id, None, None, 0, 0),
    ]


def test_mail_is_told_with_its_last_error_until_it_is_sent(db: psycopg.Connection[Any]) -> None:
    for name in ("refused", "late", "new"):
        outbox.put(
            db,
            outbox.Mail(
                mail_id=name, message_id=f"<{name}@nba>", subject=f"[{name}]", content=b"x"
            ),
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
    assert outcome_counts(db) == [
        OutcomeCount(dag_id=DAG, endpoint="box_scores", outcome="complete", dates=2),
        OutcomeCount(dag_id=DAG, endpoint="box_scores", outcome="failed", dates=1),
        OutcomeCount(dag_id=DAG, endpoint="plays", outcome="no_games", dates=1),
    ]


def test_only_the_newest_tries_are_counted(db: psycopg.Connection[Any]) -> None:
    for after in range(3):
        outcome = Outcome.FAILED if after == 0 else Outcome.COMPLETE
        record(db, tried("plays", after, outcome))
    assert outcome_counts(db, tries=2) == [
        OutcomeCount(dag_id=DAG, endpoint="plays", outcome="complete", dates=2)
    ]


def test_empty_tables_say_nothing(db: psycopg.Connection[Any]) -> None:
    assert (open_batches(db), unsent_mails(db), outcome_counts(db)) == ([], [], [])
