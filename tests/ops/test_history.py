"""What the ledger is asked costs as much with twelve seasons in it as with two: counted in blocks
that Postgres reads."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import psycopg
import pytest

from include.mail import batch_report
from include.ops import announcements, batches, mails, outbox, outcomes, progress, status, trends
from include.ops.db import connect

FIRST = date(2014, 10, 1)
RUNS = [f"backfill__{FIRST + timedelta(days=n)}" for n in range(7)]

# Of each season 365 dates of five DAGs with two endpoints each, every eighth tried twice, in
# batches of a week that are reported by a mail each. The newest date ended now.
_FILL = """
    TRUNCATE ops.outcomes, ops.batches, ops.batch_runs, ops.outbox;
    INSERT INTO ops.batches
        (batch_id, dag_id, kind, opened_at, closed_at, cancelled, reported_at, recorded_at,
         announced_at)
    SELECT format('dag_%s:%s:0', g, w), 'dag_' || g, 'backfill', ended, ended, false, ended, ended,
        ended
    FROM generate_series(1, {seasons} * 52) w, generate_series(1, 5) g,
        LATERAL (SELECT now() - make_interval(weeks => {seasons} * 52 - w) AS ended) AS at;
    INSERT INTO ops.batch_runs (batch_id, run_id, day, state, queued_at, started_at, ended_at)
    SELECT batch_id, 'backfill__' || day, day, CASE WHEN n = 0 THEN 'failed' ELSE 'success' END,
        opened_at, opened_at, closed_at
    FROM ops.batches, generate_series(0, 6) n, LATERAL (
        SELECT date '{first}' + (split_part(batch_id, ':', 2)::int - 1) * 7 + n AS day
    ) AS of_run;
    INSERT INTO ops.outcomes (
        dag_id, endpoint, day, run_id, attempt, phase, outcome, error_class, started_at, ended_at
    )
    SELECT dag_id, 'endpoint_' || e, day, run_id, t, 'audit',
        CASE WHEN t = 1 AND state = 'failed' THEN 'failed' ELSE 'complete' END,
        CASE WHEN t = 1 AND state = 'failed' THEN 'hang' ELSE '' END, started_at, ended_at
    FROM ops.batch_runs JOIN (SELECT batch_id, dag_id FROM ops.batches) AS b USING (batch_id),
        generate_series(1, 2) e, generate_series(1, 2) t WHERE t = 1 OR state = 'failed'
    ORDER BY day;
    INSERT INTO ops.outbox (mail_id, message_id, subject, content, state, created_at, about)
    SELECT batch_id, batch_id, 's', convert_to(repeat('x', 3000), 'utf8'), 'sent', opened_at,
        ARRAY[dag_id]
    FROM ops.batches;
    INSERT INTO ops.batches (batch_id, dag_id, kind, opened_at, cancelled)
    VALUES ('dag_1:0:0', 'dag_1', 'backfill', now(), false);
    INSERT INTO ops.outbox (mail_id, message_id, subject, content)
    VALUES ('dag_1:0:0', 'new', 's', 'x');
    ANALYZE
"""

Db = psycopg.Connection[Any]
ASKED: dict[str, Callable[[Db], object]] = {
    "status, dates": lambda db: status.outcome_counts(db, []),
    "status, batches": status.unmailed_batches,
    "status, mails": status.unsent_mails,
    "errors": lambda db: trends.read_trends(db, timedelta(hours=24)),
    "a batch's mail, its rows": lambda db: outcomes.of_runs(db, "dag_1", RUNS),
    "a batch's mail, its dates": lambda db: outcomes.read_newest(
        db, "dag_1", [FIRST + timedelta(days=n) for n in range(7)]
    ),
    "a batch's mail, its runs": lambda db: batches.runs(db, "dag_1:1:0"),
    "a batch's mail, the one before": lambda db: batch_report._first_mail(db, _a_batch(db)),
    "a look, what is open": batches.read_open,
    "a look, since when": batches.last_look,
    "a look, what was told": lambda db: batches.read_told(db, RUNS),
    "a look, what is closed": lambda db: batches.read_closed(db, ["dag_1:1:0", "dag_1:0:0"]),
    "a look, its number": lambda db: batches.count_closed(db, ["dag_1"]),
    "a rerun, since when": lambda db: batches.read_since(
        db, "dag_1", dict.fromkeys(RUNS, datetime.now(UTC))
    ),
    "the sweep, to be reported": batches.due,
    "the sweep, to be recorded": lambda db: batches.unrecorded(db, 20),
    "the sweep, to be announced": lambda db: announcements.read_ended(db, 20),
    "a record, its batches": lambda db: batches.read_of_days(
        db, "dag_1", [FIRST + timedelta(days=n) for n in range(7)]
    ),
    "the outbox, next": outbox.claim,
    "the page, money": lambda db: progress.read_spent_by_month(
        db, ["dag_1"], datetime.now(UTC) - timedelta(days=180)
    ),
    "the page, mails": lambda db: mails.list_mails(db, ["dag_1"]),
    "the page, mails of a date": lambda db: mails.list_of_date(db, "dag_1", FIRST),
    "the outbox, given up": outbox.try_again,
}


def _a_batch(db: Db) -> batches.Batch:
    found = batches.get(db, "dag_1:1:0")
    assert found
    return found


class Counting(psycopg.Cursor[Any]):
    """Adds up the blocks that each statement reads, which is run once more for it and taken back
    then."""

    blocks = 0

    def execute(self, query: Any, params: Any = None, **options: Any) -> Counting:
        with self.connection.transaction(force_rollback=True):
            cursor = psycopg.Cursor(self.connection)
            cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {query}", params)
            (([plan],),) = cursor.fetchall()
        Counting.blocks += plan["Plan"]["Shared Hit Blocks"] + plan["Plan"]["Shared Read Blocks"]
        return super().execute(query, params, **options)


def blocks(url: str, ask: Callable[[Db], object]) -> int:
    """How many blocks the question reads."""
    with connect(url) as connection:
        connection.cursor_factory = Counting
        Counting.blocks = 0
        ask(connection)
    return Counting.blocks


@pytest.fixture(scope="module")
def costs(ops_db: str) -> dict[str, tuple[int, int]]:
    """Question -> blocks with two seasons and with twelve."""
    found: list[dict[str, int]] = []
    for seasons in (2, 12):
        with connect(ops_db) as connection:
            connection.execute(_FILL.format(seasons=seasons, first=FIRST))
        found.append({name: blocks(ops_db, ask) for name, ask in ASKED.items()})
    return {name: (found[0][name], found[1][name]) for name in ASKED}


LIMITED = {"the page, mails": mails.MAX_LOOKED_AT + 10}
"""Those that look at so many rows, the newest, and at fewer blocks where there are not as many."""


@pytest.mark.parametrize("question", ASKED)
def test_twelve_seasons_cost_what_two_do(costs: dict[str, tuple[int, int]], question: str) -> None:
    two, twelve = costs[question]
    # A larger index is a level deeper for each row that is looked up.
    most = max(1.3 * two + 5, LIMITED.get(question, 0))
    assert twelve <= most, f"{two} blocks with two seasons, {twelve} with twelve"
