"""How far the two box-score sources agree on the dates of a backfill of one of them."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING

from nba_airflow import connections

if TYPE_CHECKING:
    from include.mail.report import Compared, Report
    from include.sources.spec import Source
    from include.warehouse.open import Warehouse

log = logging.getLogger(__name__)

MAX_SECONDS = 20.0
"""For all dates of a batch, after which the others are left to the command: the mail waits for it.
A season of 214 dates takes a second with DuckDB, on a busy machine; each date of a warehouse in the
cloud takes two queries."""


def add_compared(source: Source, report: Report) -> Report:
    """The report with what differs, where both sources have dates of it. A mail goes out without it
    too."""
    from include.checks.reconcile import TABLES

    tables = {str(endpoint.table) for endpoint in source.endpoints}
    if report.kind == "live" or tables.isdisjoint(map(str, TABLES)):
        return report
    days = sorted({result.day for result in report.dates if result.outcome.done})
    try:
        return replace(report, compared=compare(connections.warehouse(), days))
    except Exception:  # whatever is wrong with the rows
        log.exception("the summary of %s is without a comparison", report.batch_id)
        return report


def compare(
    warehouse: Warehouse, days: Iterable[date], now: Callable[[], float] = time.monotonic
) -> Compared | None:
    """What differs on the dates that both sources have, as far as the time goes; None: on none."""
    from include.checks.reconcile import reconcile_date
    from include.mail.report import Compared

    end, found = now() + MAX_SECONDS, Compared(dates=0, players=0, differences=0)
    for day in days:
        if now() > end:
            found = replace(found, left_out=found.left_out + 1)
        elif each := reconcile_date(warehouse, day):
            found = replace(
                found,
                dates=found.dates + 1,
                players=found.players + each.players,
                differences=found.differences + len(each.differences),
            )
    return found if found.dates else None
