"""Plan against actual: what a batch should have taken, and what credits are left; and how far the
box-score sources agree."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from math import ceil
from typing import TYPE_CHECKING, Any

from nba_airflow import connections
from nba_airflow.compared import add_compared

if TYPE_CHECKING:
    import psycopg

    from include.mail.report import Report
    from include.sources.spec import Source

log = logging.getLogger(__name__)

PLANNED = ("backfill", "catchup")
"""Of a rerun nobody knows how much was there already; one live date is not worth a plan."""


def add_plan_vs_actual(connection: psycopg.Connection[Any], report: Report) -> Report:
    """The report with its plan and the credits left, as far as they are known: a mail goes out
    without them too."""
    from nba_airflow.specs import dag_ids, sources

    try:
        source = sources().get(report.dag_id)
        if source is None and report.dag_id in dag_ids():
            return report  # what is made of other tables asks nobody
        if source is None:
            unknown = "%s has no spec any more: its summary is without plan and credits"
            log.warning(unknown, report.dag_id)
            return report
        source = connections.as_bought(source)
        report = _add_plan(connection, source, _add_credits(connection, source, report))
        report = _add_cost(source, report)
        return add_compared(source, report)
    except Exception:  # also whatever another file in dags/ raises
        log.exception("the summary of %s is without plan or credits", report.batch_id)
        connection.rollback()
        return report


def _add_credits(connection: psycopg.Connection[Any], source: Source, report: Report) -> Report:
    """The credits left, where the source has any."""
    from include.limits.allowance import room
    from include.limits.credit_rows import balance

    today = datetime.now(UTC).date()
    left = [
        room(balance(connection, host.connection, today), host.credits, "live")
        for host in source.hosts
        if host.credits
    ]
    return replace(report, credits_left=sum(left)) if left else report


def _add_plan(connection: psycopg.Connection[Any], source: Source, report: Report) -> Report:
    """What the batch should have taken: as it was planned before it began, else as far as that can
    be said now."""
    from include.ops.backfills import read_plans

    noted = read_plans(connection, [report.batch_id])
    planned = noted.get(report.batch_id) or _plan_now(connection, source, report)
    if planned is None:
        return report
    is_paid = any(host.credits for host in source.hosts)
    return replace(
        report,
        planned_minutes=planned["minutes"],
        planned_requests=planned["requests"],
        planned_credits=planned["credits"] if is_paid else None,
        planned_cost=planned.get("dollars") or None,
        planned_operations=planned.get("operations") or None,
    )


def _add_cost(source: Source, report: Report) -> Report:
    """The dollars that it took by the price table, where there are any or were to be."""
    from include.ops.progress import Spent

    spent = Spent(
        requests=report.requests,
        credits=report.credits_used,
        bytes_billed=report.bytes_billed,
        bucket_writes=report.bucket_writes,
        bucket_reads=report.bucket_reads,
    )
    monthly = sum(host.credits.monthly for host in source.hosts if host.credits)
    cost = spent.price(monthly).once
    return replace(report, cost=cost) if cost or report.planned_cost else report


def _plan_now(
    connection: psycopg.Connection[Any], source: Source, report: Report
) -> Mapping[str, Any] | None:
    """Of a batch that nobody has planned, as if nothing had been there; None where that says
    nothing."""
    from include.guards.plan import Known, make_plan
    from include.ops.paces import read_paces
    from include.parsing.nbacom import SCHEDULE

    games = count_games(report)
    if not games or report.kind not in PLANNED or report.ran_before:
        return None
    known = Known(
        now=report.started_at,
        games=games,
        scheduled=set(connections.warehouse().days(SCHEDULE)),
        paces=read_paces(connection, source.dag_id),
    )
    return make_plan(source, known).facts()


def count_games(report: Report) -> Mapping[date, int]:
    """How many games each date has; where nobody counted, as many as the others have on average.
    Empty: none known."""
    counted = {r.day: r.games_expected for r in report.dates if r.games_expected is not None}
    if not counted:
        return {}
    average = ceil(sum(counted.values()) / len(counted))
    return {r.day: counted.get(r.day, average) for r in report.dates}
