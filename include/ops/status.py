"""What the operations tables say of now: batches under way, mails that are not sent, how dates
stand by outcome."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import psycopg
from psycopg.rows import class_row, dict_row

from include.ops import batches
from include.ops.batches import BatchRun, Kind
from include.outcome import Outcome

MAX_TRIES = 1500
"""Of how many tries, the newest, the outcomes are counted: a season of every endpoint and more.
What that costs must not grow with the ledger; what older dates lack is what `gaps` is for."""


@dataclass(frozen=True, kw_only=True)
class OpenBatch:
    """A batch that is not reported yet. ``closed_at`` is None while runs are open; ``runs`` and
    the days are also of the stages to come; ``cancelled`` never ran, and are not in ``failed``;
    times are aware."""

    batch_id: str
    dag_id: str
    kind: Kind
    opened_at: datetime
    closed_at: datetime | None
    first_day: date
    last_day: date
    runs: int
    ended: int
    failed: int
    cancelled: int = 0


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


@dataclass(frozen=True, kw_only=True)
class CancelledDates:
    """Dates of a DAG that were cancelled before they ran, and of which nothing came since."""

    dag_id: str
    dates: int
    first_day: date
    last_day: date


def count_runs(
    batch_id: str,
    runs: Sequence[BatchRun],
    closed_at: datetime | None = None,
    *,
    to_come: Collection[date] = (),
) -> OpenBatch:
    """How far a batch of these runs (one at least) is, and of the dates whose stages are to
    come."""
    days = [*(run.day for run in runs), *to_come]
    return OpenBatch(
        batch_id=batch_id,
        dag_id=batches.dag_of(batch_id),
        kind=batches.kind_of(batch_id),
        opened_at=min(run.queued_at for run in runs),
        closed_at=closed_at,
        first_day=min(days),
        last_day=max(days),
        runs=len(days),
        ended=sum(run.over for run in runs),
        failed=sum(run.state == "failed" and not run.cancelled for run in runs),
        cancelled=sum(run.cancelled for run in runs),
    )


def unmailed_batches(connection: psycopg.Connection[Any]) -> list[OpenBatch]:
    """Batches that are closed and wait for their mail; oldest first."""
    return [
        count_runs(each.batch_id, batches.runs(connection, each.batch_id), each.closed_at)
        for each in batches.due(connection)
    ]


def unsent_mails(connection: psycopg.Connection[Any]) -> list[UnsentMail]:
    """Mails that nobody has accepted, oldest first."""
    names = ", ".join(UnsentMail.__dataclass_fields__)
    with connection.cursor(row_factory=class_row(UnsentMail)) as cursor:
        cursor.execute(f"SELECT {names} FROM ops.outbox WHERE state <> 'sent' ORDER BY created_at")
        return cursor.fetchall()


def unrecorded_batches(connection: psycopg.Connection[Any]) -> list[Any]:
    """batch_id and record_error of the batches whose record could not be written."""
    asked = (
        "SELECT batch_id, record_error FROM ops.batches WHERE recorded_at IS NULL AND kind <>"
        " 'live' AND record_error <> '' ORDER BY closed_at"
    )
    return connection.cursor(row_factory=dict_row).execute(asked).fetchall()


def newest_done(
    connection: psycopg.Connection[Any], endpoints: Collection[tuple[str, str]]
) -> dict[tuple[str, str], date]:
    """(DAG, endpoint) -> its newest date that was done by some try."""
    rows = connection.execute(
        "SELECT e.dag_id, e.endpoint, found.day FROM unnest(%s::text[], %s::text[]) AS e (dag_id,"
        " endpoint), LATERAL (SELECT o.day FROM ops.outcomes o WHERE o.dag_id = e.dag_id AND"
        " o.endpoint = e.endpoint AND o.outcome = ANY(%s) ORDER BY o.day DESC LIMIT 1) found",
        (
            [dag_id for dag_id, _ in endpoints],
            [endpoint for _, endpoint in endpoints],
            [str(outcome) for outcome in Outcome if outcome.done],
        ),
    )
    return {(dag_id, endpoint): day for dag_id, endpoint, day in rows}


def accepted_dates(connection: psycopg.Connection[Any], tries: int = MAX_TRIES) -> list[Any]:
    """dag_id, endpoint, day and message of the dates that stand as accepted by the newest
    ``tries``."""
    newest = (
        "WITH tries AS (SELECT * FROM ops.outcomes ORDER BY outcome_id DESC LIMIT %s) SELECT"
        " DISTINCT ON (dag_id, endpoint, day) dag_id, endpoint, day, message, outcome FROM tries"
        " ORDER BY dag_id, endpoint, day, recorded_at DESC, outcome_id DESC"
    )
    found = f"SELECT dag_id, endpoint, day, message FROM ({newest}) t WHERE outcome = 'accepted'"
    return connection.cursor(row_factory=dict_row).execute(found, (tries,)).fetchall()


def cancelled_dates(
    connection: psycopg.Connection[Any], runs: int = MAX_TRIES
) -> list[CancelledDates]:
    """Of the newest ``runs`` that failed; by DAG. They have no outcome, so that no count has
    them."""
    with connection.cursor(row_factory=class_row(CancelledDates)) as cursor:
        cursor.execute(
            "WITH failed AS (SELECT b.dag_id, r.day, r.queued_at, r.started_at FROM ops.batch_runs"
            " r JOIN ops.batches b USING (batch_id) WHERE r.state = 'failed' ORDER BY r.ended_at"
            " DESC LIMIT %s) SELECT dag_id, count(DISTINCT day) AS dates, min(day) AS first_day,"
            " max(day) AS last_day FROM failed f WHERE started_at IS NULL AND NOT EXISTS (SELECT"
            " FROM ops.outcomes o WHERE o.dag_id = f.dag_id AND o.day = f.day) AND NOT EXISTS"
            " (SELECT FROM ops.batch_runs r JOIN ops.batches b USING (batch_id) WHERE r.day = f.day"
            " AND b.dag_id = f.dag_id AND r.queued_at > f.queued_at) GROUP BY dag_id ORDER BY"
            " dag_id",
            (runs,),
        )
        return cursor.fetchall()


def outcome_counts(
    connection: psycopg.Connection[Any],
    open_runs: Collection[str],
    tries: int = MAX_TRIES,
) -> list[OutcomeCount]:
    """The dates of the newest ``tries`` by DAG, endpoint and newest outcome.

    A date that waits and has none of the ``open_runs`` waits no more: its run was ended by hand.
    """
    waiting = [str(outcome) for outcome in Outcome if outcome.waits]
    with connection.cursor(row_factory=class_row(OutcomeCount)) as cursor:
        cursor.execute(
            "WITH tries AS (SELECT dag_id, endpoint, day, run_id, outcome, recorded_at, outcome_id"
            " FROM ops.outcomes ORDER BY outcome_id DESC LIMIT %s), newest AS (SELECT DISTINCT ON"
            " (dag_id, endpoint, day) dag_id, endpoint, CASE WHEN outcome = ANY(%s) AND run_id <>"
            " ALL(%s) THEN 'not_run' ELSE outcome END AS outcome FROM tries ORDER BY dag_id,"
            " endpoint, day, recorded_at DESC, outcome_id DESC) SELECT dag_id, endpoint, outcome,"
            " count(*) AS dates FROM newest GROUP BY dag_id, endpoint, outcome"
            " ORDER BY dag_id, endpoint, outcome",
            (tries, waiting, list(open_runs)),
        )
        return cursor.fetchall()
