"""What a dashboard shows of the whole installation: totals, read from our tables in one place.
Tasks come and go, and counters of many processes do not add up; these are numbers as they stand."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, get_args

import psycopg

from include.ops import batches
from include.ops.backfills import HoldKind
from include.ops.status import count_runs, outcome_counts

LAST_DAY = "ended_at > clock_timestamp() - interval '24 hours'"


@dataclass(frozen=True, kw_only=True)
class Gauge:
    """A number as it stands; docs/metrics.md says what each one means."""

    name: str
    value: float
    tags: Mapping[str, str] = field(default_factory=dict)


def read_gauges(connection: psycopg.Connection[Any], open_runs: Collection[str]) -> list[Gauge]:
    """All of them; what they cost does not grow with the ledger. ``open_runs``: the ids of the runs
    that are queued or running."""
    return [
        *_dates(connection, open_runs),
        *_requests(connection),
        *_limiters(connection),
        *_credits(connection),
        *_batches(connection),
        *_mails(connection),
        *_holds(connection),
    ]


def _dates(connection: psycopg.Connection[Any], open_runs: Collection[str]) -> Iterator[Gauge]:
    for count in outcome_counts(connection, open_runs):
        tags = {"dag_id": count.dag_id, "endpoint": count.endpoint, "outcome": count.outcome}
        yield Gauge(name="nba.dates", value=count.dates, tags=tags)


def _requests(connection: psycopg.Connection[Any]) -> Iterator[Gauge]:
    rows = connection.execute(
        f"SELECT dag_id, endpoint, sum(requests) FROM ops.outcomes WHERE {LAST_DAY}"
        " GROUP BY dag_id, endpoint ORDER BY dag_id, endpoint"
    )
    for dag_id, endpoint, requests in rows:
        tags = {"dag_id": dag_id, "endpoint": endpoint}
        yield Gauge(name="nba.requests_last_day", value=float(requests), tags=tags)


def _limiters(connection: psycopg.Connection[Any]) -> Iterator[Gauge]:
    rows = connection.execute(
        "SELECT split_part(name, '@', 1), sum(refused_total), sum(waited_total),"
        " coalesce(max(extract(epoch FROM CASE WHEN paused_until > clock_timestamp() THEN"
        " paused_until - clock_timestamp() END)), 0) FROM ops.limiters GROUP BY 1 ORDER BY 1"
    )
    for connection_id, refused, waited, paused in rows:
        tags = {"connection": connection_id}
        yield Gauge(name="nba.refusals", value=float(refused), tags=tags)
        yield Gauge(name="nba.waited_seconds", value=float(waited), tags=tags)
        yield Gauge(name="nba.paused_seconds", value=float(paused), tags=tags)


def _credits(connection: psycopg.Connection[Any]) -> Iterator[Gauge]:
    """Of this month. What is left is known once the upstream has told its total, or that nothing
    is left."""
    rows = connection.execute(
        "SELECT account, billed + open_live + open_backfill, CASE WHEN exhausted_under > 0 THEN 0"
        " WHEN upstream_total IS NOT NULL"
        " THEN greatest(0, upstream_total - billed - open_live - open_backfill) END"
        " FROM ops.credit_months WHERE month = date_trunc('month', clock_timestamp())::date"
        " ORDER BY account"
    )
    for account, spent, left in rows:
        tags = {"connection": account}
        yield Gauge(name="nba.credits_spent", value=float(spent), tags=tags)
        if left is not None:
            yield Gauge(name="nba.credits_left", value=float(left), tags=tags)


def _batches(connection: psycopg.Connection[Any]) -> Iterator[Gauge]:
    for batch_id, runs in batches.read_open(connection).items():
        counted = count_runs(batch_id, runs)
        tags = {"dag_id": counted.dag_id, "kind": counted.kind}
        yield Gauge(name="nba.batch_dates", value=counted.runs, tags=tags)
        yield Gauge(name="nba.batch_dates_ended", value=counted.ended, tags=tags)
        yield Gauge(name="nba.batch_dates_failed", value=counted.failed, tags=tags)


def _mails(connection: psycopg.Connection[Any]) -> Iterator[Gauge]:
    rows = connection.execute("SELECT count(*) FROM ops.outbox WHERE state <> 'sent'")
    ((unsent,),) = rows.fetchall()
    yield Gauge(name="nba.mails_unsent", value=unsent)


def _holds(connection: psycopg.Connection[Any]) -> Iterator[Gauge]:
    """Backfills that are kept paused, of every kind of hold, also where there are none."""
    rows = connection.execute(
        "SELECT kinds.kind, count(h.kind) FROM unnest(%s::text[]) AS kinds (kind) LEFT JOIN"
        " ops.holds h USING (kind) GROUP BY 1 ORDER BY 1",
        ([*get_args(HoldKind)],),
    )
    for kind, held in rows:
        yield Gauge(name="nba.backfills_held", value=held, tags={"kind": kind})
