"""What the operations tables say of now: batches under way, mails that are not sent, how dates
stand by outcome."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import psycopg
from psycopg.rows import class_row

MAX_TRIES = 1500
"""Of how many tries, the newest, the outcomes are counted: a season of every endpoint and more.
What that costs must not grow with the ledger; what older dates lack is what `gaps` is for."""


@dataclass(frozen=True, kw_only=True)
class OpenBatch:
    """A batch that is not reported yet. ``closed_at`` is None while runs are open; times are aware.

    ``first_day`` and ``last_day`` are None for a batch without runs.
    """

    batch_id: str
    dag_id: str
    kind: str
    opened_at: datetime
    closed_at: datetime | None
    first_day: date | None
    last_day: date | None
    runs: int
    ended: int
    failed: int


@dataclass(frozen=True, kw_only=True)
class UnsentMail:
    """A mail in the outbox: ``pending`` is tried again at ``next_try_at``, ``failed`` is kept and
    not tried again."""

    mail_id: str
    subject: str
    state: str
    attempts: int
    created_at: datetime
    next_try_at: datetime
    last_error: str


@dataclass(frozen=True, kw_only=True)
class OutcomeCount:
    """How many dates of an endpoint have this outcome by their newest row."""

    dag_id: str
    endpoint: str
    outcome: str
    dates: int


def open_batches(connection: psycopg.Connection[Any]) -> list[OpenBatch]:
    """Batches that are open, or wait for their mail; oldest first."""
    with connection.cursor(row_factory=class_row(OpenBatch)) as cursor:
        cursor.execute(
            "SELECT b.batch_id, b.dag_id, b.kind, b.opened_at, b.closed_at, min(r.day) AS"
            " first_day, max(r.day) AS last_day, count(r.run_id) AS runs, count(*) FILTER (WHERE"
            " r.ended_at IS NOT NULL) AS ended, count(*) FILTER (WHERE r.state = 'failed') AS"
            " failed FROM ops.batches b LEFT JOIN ops.batch_runs r USING (batch_id) WHERE"
            " b.reported_at IS NULL GROUP BY b.batch_id ORDER BY b.opened_at"
        )
        return cursor.fetchall()


def unsent_mails(connection: psycopg.Connection[Any]) -> list[UnsentMail]:
    """Mails that nobody has accepted, oldest first."""
    names = ", ".join(UnsentMail.__dataclass_fields__)
    with connection.cursor(row_factory=class_row(UnsentMail)) as cursor:
        cursor.execute(f"SELECT {names} FROM ops.outbox WHERE state <> 'sent' ORDER BY created_at")
        return cursor.fetchall()


def outcome_counts(
    connection: psycopg.Connection[Any], tries: int = MAX_TRIES
) -> list[OutcomeCount]:
    """The dates of the newest ``tries`` by DAG, endpoint and newest outcome."""
    with connection.cursor(row_factory=class_row(OutcomeCount)) as cursor:
        cursor.execute(
            "WITH tries AS (SELECT dag_id, endpoint, day, outcome, outcome_id FROM ops.outcomes"
            " ORDER BY outcome_id DESC LIMIT %s), newest AS (SELECT DISTINCT ON (dag_id, endpoint,"
            " day) dag_id, endpoint, outcome FROM tries ORDER BY dag_id, endpoint, day, outcome_id"
            " DESC) SELECT dag_id, endpoint, outcome, count(*) AS dates FROM newest GROUP BY"
            " dag_id, endpoint, outcome ORDER BY dag_id, endpoint, outcome",
            (tries,),
        )
        return cursor.fetchall()
