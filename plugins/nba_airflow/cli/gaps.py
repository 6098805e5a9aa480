"""`airflow nba gaps`: the dates of a window that are not done by their own data, whatever the
ledger says."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from include.checks.gaps import Gap, find_gaps
from include.fold import fold
from include.partition import DateRange
from include.reruns import word_resets
from include.wording import counted
from nba_airflow import connections
from nba_airflow.cli.answer import Answer, Line, command, find_source
from nba_airflow.cli.progress import track
from nba_airflow.cli.results import list_rows, word_groups
from nba_airflow.cli.window import parse_window

if TYPE_CHECKING:
    from include.sources.spec import Source


@command("airflow nba gaps")
def gaps(args: Namespace) -> Answer:
    """Reads raw store and warehouse, date by date; exit code 1 if something is missing."""
    now = datetime.now(UTC)
    window = parse_window(args.start_date, args.end_date, now)
    source = connections.chosen(find_source(args.dag_id))
    stores = connections.stores()
    dates = list_due(source, window, now)
    judged = track(
        find_gaps(source, dates, stores.raw, stores.warehouse), "endpoints' dates", len(dates)
    )
    found = [gap for gap in judged if gap]
    days = sorted({gap.day for gap in found})
    commands = word_resets(source.dag_id, days)
    under_way = _word_under_way(source.dag_id, window) if found else ""
    return Answer(
        text=list(_lines(source, window, found, days, commands, under_way)),
        rows=list_rows(found),
        facts={
            "dag_id": source.dag_id,
            "first": window.first,
            "last": window.last,
            "dates": len(window.days),
            "days": days,
            "gaps": [
                {
                    "endpoint": group.endpoint,
                    "outcome": group.outcome,
                    "message": group.message,
                    "days": group.days,
                }
                for group in fold(found)
            ],
            "missing": [
                {"endpoint": g.endpoint, "day": g.day, "games": g.missing}
                for g in found
                if g.missing
            ],
            "faults": [
                {"endpoint": gap.endpoint, "day": gap.day, "fault": gap.fault} for gap in found
            ],
            "commands": commands,
            "under_way": under_way,
        },
        code=1 if found else 0,
    )


def list_due(source: Source, window: DateRange, now: datetime) -> list[tuple[str, date]]:
    """(endpoint, date) of everything in the window that can be final by now, in date order."""
    return [
        (endpoint.name, day)
        for day in window.days
        for endpoint in source.endpoints
        if now >= endpoint.available_at(day)
    ]


def _word_under_way(dag_id: str, window: DateRange) -> str:
    """Which backfill of the DAG still runs dates of the window; empty: none does, or Airflow's own
    database cannot be asked, without which the rest can be told."""
    from airflow.utils.session import create_session
    from sqlalchemy.exc import SQLAlchemyError

    from nba_airflow.metadata.runs import find_active_backfill, read_runs

    with suppress(SQLAlchemyError), create_session() as session:
        active = find_active_backfill(dag_id, session)
        runs = read_runs(dag_id, window, session).values() if active else ()
        left = [run for run in runs if run.backfill_id == active.id and not run.finished]
        if left:
            of = DateRange(active.from_date.date(), active.to_date.date())
            dates = counted(len(left), "date")
            return f"Backfill {active.id} ({of}) is under way: {dates} of these not ended yet"
    return ""


# What is wrong, then what to type about it.
def _lines(
    source: Source,
    window: DateRange,
    found: Sequence[Gap],
    days: Sequence[date],
    commands: Sequence[str],
    under_way: str,
) -> Iterator[Line]:
    if not found:
        dates = counted(len(window.days), "date")
        yield Line(text=f"{source.dag_id}: {window}: no gaps in {dates}", style="green")
        return
    yield Line(
        text=f"{source.dag_id}: {window}: {len(days)} of {len(window.days)} dates have gaps",
        style="bold red",
    )
    # A date that has not had its turn yet is a gap as well: that is said before the commands.
    if under_way:
        yield Line(text=under_way, style="yellow")
    yield from (Line(text=text) for text in word_groups(found))
    dag_id, first, last = source.dag_id, window.first, window.last
    yield Line(text=f"Heal them: airflow nba repair {dag_id} -s {first} -e {last}")
    yield Line(text="or, as backfills:")
    for each in commands:
        yield Line(text=f"  {each}")
