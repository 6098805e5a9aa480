"""The schedule first: a date's task puts the date into the schedule where that lacks it, before it
asks its own source. It is the schedule's own try of the date, of one
request a season, counted and noted as one of its DAG; however the date was started."""

from __future__ import annotations

import logging
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from include.checks.schedule import scheduled_games
from include.errors import Problem
from include.outcome import Later
from include.partition import Partition
from nba_airflow import connections
from nba_airflow.specs import sources
from nba_airflow.wire import reach

if TYPE_CHECKING:
    from include.ops.session import Session
    from include.sources.spec import Endpoint, Source
    from include.steps.entry import Entry
    from include.steps.job import Stores

log = logging.getLogger(__name__)

LEFT_ALONE = 600.0
"""Seconds for which a schedule that could not be had is not asked for again: the dates go on
without it, as their sources tell them."""


def ask_schedule(
    session: Session, stores: Stores, day: date, *, run_id: str, attempt: int, backfill: bool
) -> None:
    """Puts the date into the schedule. Where that cannot be had nothing has happened, which the log
    says; raises Taken while another run is at it."""
    from include.ops.leases import Taken, lease
    from include.ops.outcomes import record
    from include.ops.shared_fetches import failed_lately
    from include.steps.entry import Entry

    if (found := _find_schedule()) is None:
        return
    source, endpoint = found
    at = Partition(dag_id=source.dag_id, endpoint=endpoint.name, day=day)
    assert endpoint.shared
    early = endpoint.available_at(day) > datetime.now(UTC)
    if early or failed_lately(session, at, endpoint.shared(day), LEFT_ALONE):
        log.warning("%s cannot be had now: the date goes by its source's own word", at)
        return
    try:
        with lease(session, at):
            # Another endpoint's task of the date may have had it meanwhile.
            if scheduled_games(stores.warehouse, day) is None:
                entry = Entry(
                    at,
                    lambda row: record(session, row),
                    run_id=run_id,
                    attempt=attempt,
                    now=session.now,
                )
                _try(session, source, endpoint, entry, backfill=backfill)
    except Taken:
        raise
    except (Later, Problem) as error:
        log.warning("%s cannot be had, the date goes by its source's own word: %s", at, error)


def _find_schedule() -> tuple[Source, Endpoint] | None:
    """The source of the schedule, and its endpoint, where it is installed."""
    found = ((source, each) for source in sources().values() for each in source.endpoints)
    return next(((source, each) for source, each in found if each.is_schedule), None)


def _try(
    session: Session, source: Source, endpoint: Endpoint, entry: Entry, *, backfill: bool
) -> None:
    """Its stores are its own: what they count is noted of it, and not of the date's task too."""
    from include.steps.attempt import attempt
    from include.steps.job import Job

    at = Partition(dag_id=source.dag_id, endpoint=endpoint.name, day=entry.partition.day)
    job = Job(
        source=source,
        endpoint=endpoint,
        partition=at,
        stores=connections.stores(),
        reach=lambda: reach(session, source, endpoint, at, backfill=backfill),
    )
    with entry.recorded():
        attempt(job, entry)
