"""The failures of the last hours, one a try; which of them are alike is for `fold` to say."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import psycopg
from psycopg.rows import dict_row

from include.outcome import Outcome
from include.results import DateResult

FUTURE = timedelta(days=-1)
"""The clock of who wrote it may be ahead of the database's."""

# statement_timestamp() and not clock_timestamp(), which is volatile and rules an index out.
_FAILURES = """
    WITH failures AS (
        SELECT dag_id, endpoint, outcome, error_class, fingerprint, day, message, log_url,
            started_at AS first_at, ended_at AS last_at, outcome_id
        FROM ops.outcomes WHERE error_class <> '' AND ended_at > statement_timestamp() - %(back)s
            AND ended_at <= statement_timestamp() - %(until)s
        UNION ALL
        SELECT b.dag_id, coalesce(last.endpoint, ''), 'lost', '', '', r.day,
            coalesce(last.message, 'ended without a word: cancelled, or its worker was lost'),
            coalesce(last.log_url, ''), r.started_at, r.ended_at, 0
        FROM ops.batch_runs r JOIN ops.batches b USING (batch_id)
        LEFT JOIN LATERAL (
            SELECT o.endpoint, o.message, o.log_url FROM ops.outcomes o
            WHERE o.dag_id = b.dag_id AND o.run_id = r.run_id AND o.outcome = 'lost'
                AND o.ended_at >= r.queued_at
            ORDER BY o.outcome_id DESC LIMIT 1
        ) last ON true
        WHERE r.state = 'failed' AND r.started_at IS NOT NULL
            AND r.ended_at > statement_timestamp() - %(back)s
            AND r.ended_at <= statement_timestamp() - %(until)s
            AND NOT EXISTS (
                SELECT 1 FROM ops.outcomes o WHERE o.dag_id = b.dag_id AND o.run_id = r.run_id
                    AND o.error_class <> ''
                    AND o.ended_at >= r.queued_at
            )
    )
    SELECT dag_id, endpoint, outcome, error_class, fingerprint, day, message, log_url,
        first_at, last_at
    FROM failures ORDER BY last_at, outcome_id
"""


def read_failures(
    connection: psycopg.Connection[Any], back: timedelta, *, until: timedelta = FUTURE
) -> list[DateResult]:
    """Every failed try from ``back`` ago to ``until`` ago, oldest first, also of dates that were
    healed since; and every run that was lost, with what its killed try had come to."""
    with connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(_FAILURES, {"back": back, "until": until}).fetchall()
    return [DateResult(**{**row, "outcome": Outcome(row["outcome"])}) for row in rows]
