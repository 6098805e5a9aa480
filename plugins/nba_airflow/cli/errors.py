"""`airflow nba errors`: what failed in the last hours, one group per cause."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator
from dataclasses import asdict
from datetime import timedelta

from include.ops.failures import FailureGroup, failures
from nba_airflow.cli.answer import Answer, Line, clock, command, ops_db, ranges
from nba_airflow.cli.window import Refused

MOST_HOURS = 24 * 366


@command("errors")
def errors(args: Namespace) -> Answer:
    """Reads the ledger; exit code 0 whatever it says."""
    hours = parse_hours(args.hours)
    with ops_db() as connection:
        groups = failures(connection, timedelta(hours=hours))
    return Answer(
        lines=[line for group in groups for line in _lines(group)]
        or [Line(text=f"no failure in the last {hours:g} hours")],
        facts={"hours": hours, "groups": [asdict(group) for group in groups]},
    )


def parse_hours(text: str) -> float:
    """``24`` -> 24.0. Raises Refused for what is no number of hours from above 0 to a year."""
    try:
        hours = float(text)
    except ValueError:
        hours = 0.0
    if not 0 < hours <= MOST_HOURS:
        raise Refused(
            f"{text!r} is no number of hours: write one above 0 and up to {MOST_HOURS}, for"
            " example 24"
        )
    return hours


def _lines(group: FailureGroup) -> Iterator[Line]:
    where = f"{group.dag_id} {group.endpoint}".strip()
    dates = f"{len(group.days)} {'date' if len(group.days) == 1 else 'dates'}"
    yield Line(
        text=f"{group.failures} x {group.error_class}: {where}, {dates} [{group.fingerprint}]",
        style="bold",
    )
    yield Line(text=f"  {ranges(group.days)}")
    yield Line(text=f"  {clock(group.first_at)} to {clock(group.last_at)}")
    yield Line(text=f"  {group.message}")
    if group.log_url:
        yield Line(text=f"  {group.log_url}")
