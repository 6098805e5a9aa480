"""The failures of the last hours, grouped by what they have in common: one group per DAG and
fingerprint."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import psycopg
from psycopg.rows import class_row

LOST = "lost"
"""Class and fingerprint of runs that failed without a failure of a step: cancelled, or their worker
was killed."""


@dataclass(frozen=True, kw_only=True)
class FailureGroup:
    """Failures alike. ``failures`` counts tries, ``days`` are their dates, sorted; times are aware.

    ``message`` and ``log_url`` are the newest one's; runs that were lost have no endpoint and no
    log.
    """

    dag_id: str
    endpoint: str
    error_class: str
    fingerprint: str
    failures: int
    days: list[date]
    first_at: datetime
    last_at: datetime
    message: str
    log_url: str


_FAILURES = """
    WITH failures AS (
        SELECT dag_id, endpoint, error_class, fingerprint, day, message, log_url,
            started_at, ended_at, outcome_id
        FROM ops.outcomes WHERE error_class <> '' AND ended_at > clock_timestamp() - %(back)s
        UNION ALL
        SELECT b.dag_id, '', %(lost)s, %(lost)s, r.day,
            'ended without a word: cancelled, or its worker was lost', '',
            r.started_at, r.ended_at, 0
        FROM ops.batch_runs r JOIN ops.batches b USING (batch_id)
        WHERE r.state = 'failed' AND r.started_at IS NOT NULL
            AND r.ended_at > clock_timestamp() - %(back)s
            AND NOT EXISTS (
                SELECT 1 FROM ops.outcomes o WHERE o.dag_id = b.dag_id AND o.run_id = r.run_id
                    AND o.error_class <> ''
                    AND (b.kind = 'live' OR o.ended_at >= b.opened_at)
            )
    )
    SELECT dag_id, endpoint, error_class, fingerprint, count(*) AS failures,
        array_agg(DISTINCT day ORDER BY day) AS days,
        min(started_at) AS first_at, max(ended_at) AS last_at,
        (array_agg(message ORDER BY ended_at DESC, outcome_id DESC))[1] AS message,
        (array_agg(log_url ORDER BY ended_at DESC, outcome_id DESC))[1] AS log_url
    FROM failures GROUP BY dag_id, endpoint, error_class, fingerprint
    ORDER BY count(*) DESC, max(ended_at) DESC, dag_id, endpoint, fingerprint
"""


def failures(connection: psycopg.Connection[Any], back: timedelta) -> list[FailureGroup]:
    """Every failure of the last ``back``, also of dates that were healed since; the largest group
    first."""
    with connection.cursor(row_factory=class_row(FailureGroup)) as cursor:
        cursor.execute(_FAILURES, {"back": back, "lost": LOST})
        return cursor.fetchall()
