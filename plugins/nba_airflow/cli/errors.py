"""`airflow nba errors`: what failed in the last hours, one group per cause."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator
from dataclasses import asdict
from datetime import timedelta

from include.errors import Refused
from include.fold import Group, fold
from include.ops.failures import read_failures
from include.wording import clean, counted, dates, period
from nba_airflow.cli.answer import Answer, Line, command, connect_ops

MAX_HOURS = 24 * 366


@command("airflow nba errors")
def errors(args: Namespace) -> Answer:
    """Reads the ledger; exit code 0 whatever it says."""
    hours = parse_hours(args.hours)
    with connect_ops() as connection:
        groups = fold(read_failures(connection, timedelta(hours=hours)))
    lines = [line for group in groups for line in _lines(group)]
    return Answer(
        text=lines or [Line(text=f"no failure in the last {hours:g} hours")],
        rows=[_row(group) for group in groups],
        facts={"hours": hours, "groups": [asdict(group) for group in groups]},
    )


def parse_hours(text: str) -> float:
    """``24`` -> 24.0. Raises Refused for what is not a number of hours from above 0 to a year."""
    try:
        hours = float(text)
    except ValueError:
        hours = 0.0
    if not 0 < hours <= MAX_HOURS:
        raise Refused(
            f"{text!r} is not a number of hours: write one above 0 and up to {MAX_HOURS}, for"
            " example 24"
        )
    return hours


def _row(group: Group) -> dict[str, object]:
    return {
        "tries": group.tries,
        "class": group.title,
        "dag": group.dag_id,
        "endpoint": group.endpoint,
        "dates": dates(group.days).replace(" ", ""),
        "fingerprint": group.fingerprint,
        "message": clean(group.message),
    }


def _lines(group: Group) -> Iterator[Line]:
    where = f"{group.dag_id} {group.endpoint}".strip()
    known = f" [{group.fingerprint}]" if group.fingerprint else ""
    on = counted(len(group.days), "date")
    yield Line(text=f"{group.tries} x {group.title}: {where}, {on}{known}", style="bold")
    yield Line(text=f"  {dates(group.days)}")
    yield Line(text=f"  {period(group.first_at, group.last_at)}")
    yield Line(text=f"  {group.message}")
    if group.log_url:
        yield Line(text=f"  {group.log_url}")
