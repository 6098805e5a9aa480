"""`airflow nba gaps`: the dates of a window that are not done by their own data, whatever the
ledger says."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from include.checks.gaps import Gap, find_gaps
from include.fold import fold
from include.reruns import word_resets
from nba_airflow import connections
from nba_airflow.cli.answer import Answer, Line, command, find_source
from nba_airflow.cli.progress import track
from nba_airflow.cli.results import list_rows, word_groups
from nba_airflow.cli.window import parse_window

if TYPE_CHECKING:
    from include.partition import DateRange
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
        find_gaps(source, dates, stores.raw, stores.warehouse), "dates of endpoints", len(dates)
    )
    found = [gap for gap in judged if gap]
    days = sorted({gap.day for gap in found})
    commands = word_resets(source.dag_id, days)
    return Answer(
        text=list(_lines(source, window, found, days, commands)),
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


def _lines(
    source: Source,
    window: DateRange,
    found: Sequence[Gap],
    days: Sequence[date],
    commands: Sequence[str],
) -> Iterator[Line]:
    if not found:
        yield Line(
            text=f"{source.dag_id}: {window}: no gaps in {len(window.days)} dates", style="green"
        )
        return
    yield Line(
        text=f"{source.dag_id}: {window}: {len(days)} of {len(window.days)} dates have gaps",
        style="bold red",
    )
    yield from (Line(text=text) for text in word_groups(found))
    dag_id, first, last = source.dag_id, window.first, window.last
    yield Line(text=f"Heal them: airflow nba repair {dag_id} -s {first} -e {last}")
    yield Line(text="or, as backfills:")
    for each in commands:
        yield Line(text=f"  {each}")
