"""`airflow nba status`: batches under way, mails that were not sent, every limit, and how the dates
stand."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from itertools import groupby
from typing import TYPE_CHECKING, Any

from include.errors import Problem
from include.ops.status import (
    OpenBatch,
    OutcomeCount,
    UnsentMail,
    open_batches,
    outcome_counts,
    unsent_mails,
)
from include.outcome import Outcome
from include.wording import counted, moment
from nba_airflow import connections
from nba_airflow.cli.answer import Answer, Line, command, ops_db

if TYPE_CHECKING:
    import psycopg

    from include.sources.spec import Host


@command("status")
def status(args: Namespace) -> Answer:
    """Reads the operations tables and the connections; exit code 0 whatever they say."""
    from nba_airflow.specs import hosts

    with ops_db() as connection:
        batches, mails = open_batches(connection), unsent_mails(connection)
        found = [_connection(connection, host) for host in hosts().values()]
        counts = outcome_counts(connection)
    return Answer(
        lines=[
            *_batch_lines(batches),
            *_mail_lines(mails),
            *_connection_lines(found),
            *_date_lines(counts),
        ],
        facts={
            "batches": [asdict(batch) for batch in batches],
            "mails": [asdict(mail) for mail in mails],
            "connections": {each["connection"]: each for each in found},
            "outcomes": _by_dag(counts),
        },
    )


def _connection(connection: psycopg.Connection[Any], host: Host) -> dict[str, Any]:
    from include.limits.state import limiter_states

    facts: dict[str, Any] = {
        "connection": host.connection,
        "problem": "",
        "limiters": [],
        "credits": None,
    }
    try:
        host = connections.tier(host)
    except Problem as problem:
        return {**facts, "problem": problem.message}
    facts["limiters"] = [
        asdict(state) for state in limiter_states(connection, host.connection, host.windows)
    ]
    if host.credits:
        facts["credits"] = _credits(connection, host)
    return facts


def _credits(connection: psycopg.Connection[Any], host: Host) -> dict[str, Any]:
    """In credits of this UTC month: ``left`` is for live runs, ``left_for_backfills`` what those
    may use now."""
    from include.limits.allowance import room, room_today, total
    from include.limits.credits import balance

    assert host.credits
    today = datetime.now(UTC).date()
    month = balance(connection, host.connection, today)
    backfills = (
        room_today(month, host.credits, today)
        if host.credits.spread
        else room(month, host.credits, "backfill")
    )
    return {
        "month": month.month,
        "total": total(month, host.credits),
        "used": month.billed,
        "reserved": month.open_live + month.open_backfill,
        "left": room(month, host.credits, "live"),
        "left_for_backfills": backfills,
        "live_reserve": host.credits.live_reserve,
    }


def _by_dag(counts: Sequence[OutcomeCount]) -> dict[str, dict[str, dict[str, int]]]:
    """DAG -> endpoint -> outcome -> dates."""
    found: dict[str, dict[str, dict[str, int]]] = {}
    for each in counts:
        found.setdefault(each.dag_id, {}).setdefault(each.endpoint, {})[each.outcome] = each.dates
    return found


def _batch_lines(batches: Sequence[OpenBatch]) -> Iterator[Line]:
    yield Line(text="Batches", style="bold")
    for batch in batches:
        state = "its mail is due" if batch.closed_at else f"since {moment(batch.opened_at)}"
        failed = f", {batch.failed} failed" if batch.failed else ""
        yield Line(
            text=(
                f"  {batch.dag_id} {batch.kind} {batch.first_day}..{batch.last_day}: {batch.ended}"
                f" of {batch.runs} ended{failed}, {state}"
            )
        )
    if not batches:
        yield Line(text="  none under way")


def _mail_lines(mails: Sequence[UnsentMail]) -> Iterator[Line]:
    yield Line(text="Mails not sent", style="bold")
    for mail in mails:
        tries = counted(mail.attempts, "try", "tries")
        again = f"next at {moment(mail.next_try_at)}" if mail.state == "pending" else "given up"
        yield Line(
            text=f"  {mail.subject} ({tries}, {again})",
            style="red" if mail.state == "failed" else "yellow",
        )
        if mail.last_error:
            yield Line(text=f"    {mail.last_error}")
    if not mails:
        yield Line(text="  none")
    elif any(mail.state == "failed" for mail in mails):
        yield Line(text="  When the cause is repaired: airflow nba repair --mails")


def _connection_lines(found: Sequence[Mapping[str, Any]]) -> Iterator[Line]:
    yield Line(text="Connections", style="bold")
    for each in found:
        if each["problem"]:
            yield Line(text=f"  {each['connection']}: {each['problem']}", style="red")
        for state in each["limiters"]:
            windows = ", ".join(
                f"{w['used']} of {w['limit']} requests / {w['seconds']:g} s"
                for w in state["windows"]
            )
            paused = (
                f"; paused until {moment(state['paused_until'], seconds=True)}"
                if state["paused_until"]
                else ""
            )
            refusals = f"; {state['refusals']} refusals to make up for" if state["refusals"] else ""
            cooldown = (
                f"; cooldown after failures until {moment(state['cooldown_until'], seconds=True)}"
                if state["cooldown_until"]
                else ""
            )
            yield Line(
                text=f"  {state['name']}: {windows}{paused}{refusals}{cooldown}",
                style="yellow" if paused or cooldown else "",
            )
        if credits := each["credits"]:
            yield Line(
                text=(
                    f"    credits of {credits['month']:%Y-%m}: {credits['used']} of"
                    f" {credits['total']} used, {credits['reserved']} reserved, {credits['left']}"
                    f" left; backfills may use {credits['left_for_backfills']} now,"
                    f" {credits['live_reserve']} are kept for live runs"
                ),
                style="yellow" if not credits["left"] else "",
            )


def _date_lines(counts: Sequence[OutcomeCount]) -> Iterator[Line]:
    yield Line(text="Dates by their newest outcome", style="bold")
    for (dag_id, endpoint), members in groupby(
        counts, key=lambda each: (each.dag_id, each.endpoint)
    ):
        outcomes = sorted(members, key=lambda each: (not Outcome(each.outcome).done, -each.dates))
        yield Line(
            text=(
                f"  {dag_id} {endpoint}:"
                f" {', '.join(f'{each.dates} {each.outcome}' for each in outcomes)}"
            )
        )
    if not counts:
        yield Line(text="  none yet (were the ledger's rows lost? airflow nba repair --ledger)")
