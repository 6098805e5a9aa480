"""`airflow nba errors`: what failed in the last hours, one group per cause."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import date, timedelta

from include.errors import Refused
from include.fold import Group
from include.ops.backfills import Hold, read_tripped
from include.ops.trends import Trend, read_open_days, read_trends
from include.reruns import word_reruns
from include.wording import clean, counted, dates, moment, period
from nba_airflow.cli.answer import Answer, Line, command, connect_ops

MAX_HOURS = 24 * 366


@command("airflow nba errors")
def errors(args: Namespace) -> Answer:
    """Reads the ledger; exit code 0 whatever it says."""
    hours = parse_hours(args.hours)
    back = timedelta(hours=hours)
    with connect_ops() as connection:
        found = read_trends(connection, back)
        open_days = read_open_days(connection, found)
        flags = read_tripped(connection)
    judged = list(zip(found, open_days, strict=True))
    lines = [line for trend, days in judged for line in _lines(trend, days, hours)]
    return Answer(
        text=[
            *(lines or [Line(text=f"no failure in the last {hours:g} hours")]),
            *(Line(text=_word_flag(*flag), style="bold red") for flag in flags),
        ],
        rows=[_row(trend.group, trend.before) for trend in found],
        facts={
            "hours": hours,
            "groups": [_describe(trend, days) for trend, days in judged],
            "red_flags": [{"dag_id": dag_id, **asdict(hold)} for dag_id, hold in flags],
        },
    )


def _describe(trend: Trend, open_days: Sequence[date]) -> dict[str, object]:
    """For -o json; ``rerun`` as the page has it, a command a line."""
    rerun = "\n".join(word_reruns(trend.group.dag_id, open_days))
    more = {"tries_before": trend.before, "open_days": open_days, "rerun": rerun}
    return asdict(trend.group) | more


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


def _lines(trend: Trend, open_days: Sequence[date], hours: float) -> Iterator[Line]:
    group = trend.group
    where = f"{group.dag_id} {group.endpoint}".strip()
    known = f" [{group.fingerprint}]" if group.fingerprint else ""
    on = counted(len(group.days), "date")
    yield Line(text=f"{group.tries} x {group.title}: {where}, {on}{known}", style="bold")
    yield Line(text=f"  {dates(group.days)}")
    yield Line(text=f"  {period(group.first_at, group.last_at)}")
    yield Line(text=f"  {trend.says} in the {hours:g} hours before")
    yield Line(text=f"  {group.message}")
    if group.log_url:
        yield Line(text=f"  {group.log_url}")
    yield from (Line(text=f"  {line}") for line in _word_again(group, open_days))


def _word_again(group: Group, open_days: Sequence[date]) -> Iterator[str]:
    """What runs those of its dates again that are not done by now, and no other."""
    if not open_days:
        yield "all of them are done by now"
        return
    yield f"{len(open_days)} not done by now; to run again:"
    yield from (f"  {command}" for command in word_reruns(group.dag_id, open_days))
