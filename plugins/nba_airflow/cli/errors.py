"""`airflow nba errors`: what failed in the last hours, one group per cause."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator
from dataclasses import asdict
from datetime import timedelta

from include.errors import Refused
from include.fold import Group, fold
from include.ops.backfills import Hold, read_tripped
from include.ops.failures import read_failures
from include.wording import clean, counted, dates, moment, period
from nba_airflow.cli.answer import Answer, Line, command, connect_ops

MAX_HOURS = 24 * 366


@command("airflow nba errors")
def errors(args: Namespace) -> Answer:
    """Reads the ledger; exit code 0 whatever it says."""
    hours = parse_hours(args.hours)
    back = timedelta(hours=hours)
    with connect_ops() as connection:
        groups = fold(read_failures(connection, back))
        earlier = fold(read_failures(connection, 2 * back, until=back))
        flags = read_tripped(connection)
    tries = {group.cause: group.tries for group in earlier}
    found = [(group, tries.get(group.cause, 0)) for group in groups]
    lines = [line for group, before in found for line in _lines(group, before, hours)]
    return Answer(
        text=[
            *(lines or [Line(text=f"no failure in the last {hours:g} hours")]),
            *(Line(text=_word_flag(*flag), style="bold red") for flag in flags),
        ],
        rows=[_row(group, before) for group, before in found],
        facts={
            "hours": hours,
            "groups": [asdict(group) | {"tries_before": before} for group, before in found],
            "red_flags": [{"dag_id": dag_id, **asdict(hold)} for dag_id, hold in flags],
        },
    )


def _word_flag(dag_id: str, hold: Hold) -> str:
    """Which red flag holds a backfill, since when."""
    since = moment(hold.since)
    return f"Red flag: {dag_id} backfill {hold.backfill_id} halted since {since}: {hold.why}"


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


def _row(group: Group, before: int) -> dict[str, object]:
    return {
        "tries": group.tries,
        "before": before,
        "class": group.title,
        "dag": group.dag_id,
        "endpoint": group.endpoint,
        "dates": dates(group.days).replace(" ", ""),
        "fingerprint": group.fingerprint,
        "message": clean(group.message),
    }


def _lines(group: Group, before: int, hours: float) -> Iterator[Line]:
    where = f"{group.dag_id} {group.endpoint}".strip()
    known = f" [{group.fingerprint}]" if group.fingerprint else ""
    on = counted(len(group.days), "date")
    yield Line(text=f"{group.tries} x {group.title}: {where}, {on}{known}", style="bold")
    yield Line(text=f"  {dates(group.days)}")
    yield Line(text=f"  {period(group.first_at, group.last_at)}")
    yield Line(text=f"  {_word_trend(group.tries, before)} in the {hours:g} hours before")
    yield Line(text=f"  {group.message}")
    if group.log_url:
        yield Line(text=f"  {group.log_url}")


def _word_trend(now: int, before: int) -> str:
    """``new: none``, ``more: 2``, ``fewer: 5``, ``as many: 3``."""
    if not before:
        return "new: none"
    trend = ("as many", "more", "fewer")[(now > before) - (now < before)]
    return f"{trend}: {before}"
