"""What was measured of a source's endpoints: seconds, rows, bytes, read from the ledger."""

from __future__ import annotations

from typing import Any

import psycopg

from include.guards.pace import Pace

MAX_DATES = 200
"""Of an endpoint, the newest ones: what an upstream was like a year ago says little of today."""


def read_paces(connection: psycopg.Connection[Any], dag_id: str) -> dict[str, Pace]:
    """By endpoint, of those of which any date that asked for something was done. Seconds are at
    work, without those in which a request waited for its place in a limit."""
    rows = connection.execute(
        """
        WITH tries AS (
            SELECT *, (
                    SELECT sum(took::float) FROM jsonb_each_text(seconds) AS worked (what, took)
                    WHERE what <> 'wait'
                ) AS took,
                row_number() OVER (PARTITION BY endpoint ORDER BY ended_at DESC) AS age
            FROM ops.outcomes
            WHERE dag_id = %s AND requests > 0 AND seconds <> '{}'
                AND outcome IN ('complete', 'no_games')
        )
        SELECT endpoint,
            percentile_cont(0.5) WITHIN GROUP (ORDER BY took / requests),
            percentile_cont(0.9) WITHIN GROUP (ORDER BY took / requests),
            coalesce(sum(rows)::float / nullif(sum(games_found), 0), 0),
            sum(bytes)::float / sum(requests),
            avg(bytes_billed)::float,
            avg(bucket_writes)::float,
            avg(bucket_reads)::float,
            count(*)
        FROM tries WHERE age <= %s GROUP BY endpoint
        """,
        (dag_id, MAX_DATES),
    )
    return {
        endpoint: Pace(
            seconds=(median, slow),
            rows_per_game=a_game,
            bytes_per_request=a_request,
            billed_per_date=billed,
            writes_per_date=writes,
            reads_per_date=reads,
            dates=dates,
        )
        for endpoint, median, slow, a_game, a_request, billed, writes, reads, dates in rows
    }
