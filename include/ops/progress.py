"""How far a batch is: its pace, what is left, and what it has taken so far."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import psycopg
from psycopg.rows import dict_row

from include.guards.prices import Amounts, Money, money
from include.ops import batches
from include.ops.batches import BatchRun
from include.outcome import Outcome
from include.wording import duration

RECENT = timedelta(minutes=10)
"""The time over which the pace is taken: what a backfill did an hour ago says little of now."""
MIN_ENDED, MIN_SECONDS = 10, 60.0
"""Once so many dates have ended, or so long has gone, their pace is told: the first ones wait for
their workers, and say nothing of those to come."""


WAITING = [str(outcome) for outcome in Outcome if outcome.waits]
_NOBODY: tuple[list[str], ...] = (WAITING, [], [], [], [], [])
_SUMS = """sum(o.requests)::int AS requests, sum(o.credits)::int AS credits,
        sum(o.bytes)::bigint AS bytes, sum(o.warehouse_jobs)::int AS warehouse_jobs,
        sum(o.bytes_billed)::bigint AS bytes_billed, count(*)::int AS tries,
        sum(o.bucket_writes)::int AS bucket_writes, sum(o.bucket_reads)::int AS bucket_reads"""
_SPENT = f"""
    SELECT w.batch_id, {_SUMS},
        count(DISTINCT o.day) FILTER (WHERE NOT w.over AND o.outcome = ANY(%s))::int AS waiting
    FROM unnest(%s::text[], %s::text[], %s::text[], %s::timestamptz[], %s::bool[])
        AS w (batch_id, dag_id, run_id, queued_at, over)
    JOIN ops.outcomes o ON o.dag_id = w.dag_id AND o.run_id = w.run_id
        AND o.ended_at >= w.queued_at
    GROUP BY w.batch_id
"""


@dataclass(frozen=True, kw_only=True)
class Pace:
    """``per_minute``: dates that ended a minute, lately; None while that says nothing yet.
    ``seconds_left`` at that pace, or ``by_plan``: None where that is not known, and at the end."""

    per_minute: float | None
    seconds_left: float | None
    by_plan: bool = False

    def word_left(self) -> str:
        """``12 min left``, ``about 6 min left by the plan``; empty where it is not known."""
        if self.seconds_left is None:
            return ""
        left = f"{duration(self.seconds_left)} left"
        return f"about {left} by the plan" if self.by_plan else left


@dataclass(frozen=True, kw_only=True)
class Spent:
    """What a batch's tries have taken. ``waiting``: dates that are put off now; ``tries``: of an
    endpoint's date."""

    requests: int = 0
    credits: int = 0
    bytes: int = 0
    warehouse_jobs: int = 0
    bytes_billed: int = 0
    bucket_writes: int = 0
    bucket_reads: int = 0
    tries: int = 0
    waiting: int = 0

    @property
    def operations(self) -> int:
        """On a bucket."""
        return self.bucket_writes + self.bucket_reads

    def price(self, monthly_credits: int) -> Money:
        """US dollars by the price table; ``monthly_credits`` of the plan that was bought."""
        amounts = Amounts(
            credits=self.credits,
            billed=self.bytes_billed,
            writes=self.bucket_writes,
            reads=self.bucket_reads,
        )
        return money(amounts, monthly_credits=monthly_credits)


_BY_MONTH = f"""
    SELECT date_trunc('month', o.ended_at AT TIME ZONE 'UTC')::date AS month, o.dag_id, {_SUMS}
    FROM ops.outcomes o WHERE o.dag_id = ANY(%s) AND o.ended_at >= %s
    GROUP BY month, o.dag_id ORDER BY month DESC, o.dag_id
"""


def find_pace(ended: int, seconds: float, *, left: int, planned: float | None) -> Pace:
    """That of so many dates which ended in these seconds, with so many ``left``. ``planned``:
    seconds a date, by the plan; None where there is none."""
    if ended < MIN_ENDED and seconds < MIN_SECONDS:
        rest = left * (planned or 0.0) or None
        return Pace(per_minute=None, seconds_left=rest, by_plan=rest is not None)
    pace = 60 * ended / max(1.0, seconds)
    return Pace(per_minute=pace, seconds_left=left / pace * 60 if pace and left else None)


def measure_pace(
    runs: Sequence[BatchRun], now: datetime, *, planned: float | None, to_come: int = 0
) -> Pace:
    """Of the runs of a batch that is under way, and so many dates that get a run later; ``planned``
    as of ``find_pace``."""
    ran = [run for run in runs if not run.cancelled]
    ended = sum(bool(run.ended_at and run.ended_at > now - RECENT) for run in ran)
    begun = min((run.started_at for run in runs if run.started_at), default=now)
    left = to_come + sum(not run.over for run in runs)
    seconds = min(RECENT, now - begun).total_seconds()
    return find_pace(ended, seconds, left=left, planned=planned)


def read_spent(
    connection: psycopg.Connection[Any], found: Mapping[str, Sequence[BatchRun]]
) -> dict[str, Spent]:
    """Batch -> what its runs have taken since they were queued, in one query."""
    # A waiting try's row is the date's last word only while its run is open.
    asked = [
        (batch_id, batches.dag_of(batch_id), run.run_id, run.queued_at, run.over)
        for batch_id, runs in found.items()
        for run in runs
    ]
    columns = map(list, zip(*asked, strict=True))
    with connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(_SPENT, (WAITING, *columns) if asked else _NOBODY).fetchall()
    return {row.pop("batch_id"): Spent(**row) for row in rows}


def read_spent_by_month(
    connection: psycopg.Connection[Any], dag_ids: Collection[str], since: datetime
) -> dict[tuple[date, str], Spent]:
    """(first of the UTC month, DAG) -> what its tries that ended ``since`` then have taken, the
    newest month first."""
    with connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(_BY_MONTH, ([*dag_ids], since)).fetchall()
    return {(row.pop("month"), row.pop("dag_id")): Spent(**row) for row in rows}
