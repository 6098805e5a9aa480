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
    accepted_dates,
    count_runs,
    outcome_counts,
    unmailed_batches,
    unsent_mails,
)
from include.outcome import Outcome
from include.partition import DateRange
from include.wording import clean, counted, moment
from nba_airflow import connections
from nba_airflow.cli.answer import Answer, Grid, Line, Row, command, connect_ops
from nba_airflow.metadata.obstacles import read_obstacles

if TYPE_CHECKING:
    import psycopg

    from include.sources.spec import Host


ACCEPTED = "accepted: {dag_id} {endpoint} {day}: {message}"


@command("airflow nba status")
def status(args: Namespace) -> Answer:
    """Reads the operations tables and the connections; exit code 0 whatever they say."""
    from nba_airflow.specs import hosts

    with connect_ops() as connection:
        batches, open_runs = _read_batches(connection)
        mails = unsent_mails(connection)
        found = [_read_connection(connection, host) for host in hosts().values()]
        counts = outcome_counts(connection, open_runs)
        accepted = accepted_dates(connection)
    obstacles = read_obstacles()
    rows = [
        *_batch_rows(batches),
        *_mail_rows(mails),
        *(row for each in found for row in _limit_rows(each)),
        *_date_rows(counts),
    ]
    hints = _hints(batches, mails, counts)
    return Answer(
        text=[
            Grid(rows=rows),
            *(Line(text=hint) for hint in (*obstacles, *_held_back(found), *hints)),
            *(Line(text=ACCEPTED.format(**each)) for each in accepted),
        ],
        rows=rows,
        facts={
            "batches": [asdict(batch) for batch in batches],
            "mails": [asdict(mail) for mail in mails],
            "connections": {each["connection"]: each for each in found},
            "outcomes": _by_dag(counts),
            "obstacles": obstacles,
            "accepted": accepted,
        },
    )


def _read_batches(connection: psycopg.Connection[Any]) -> tuple[list[OpenBatch], list[str]]:
    """The batches that are closed and wait for their mail, then those that Airflow's rows show
    under way; and the ids of the runs that are open."""
    from airflow.utils.session import create_session

    from nba_airflow.metadata.register import find_batches, read_open_runs

    with create_session() as session:
        found = find_batches(session, connection)
        open_runs = read_open_runs(session)
    under_way = [count_runs(each.batch_id, each.runs) for each in found]
    under_way.sort(key=lambda each: each.opened_at)
    return [*unmailed_batches(connection), *under_way], open_runs


def _read_connection(connection: psycopg.Connection[Any], host: Host) -> dict[str, Any]:
    """Its limiters and credits; or what is wrong with it, so that the others are shown all the
    same."""
    from include.limits.state import limiter_states

    facts: dict[str, Any] = {
        "connection": host.connection,
        "problem": "",
        "limiters": [],
        "credits": None,
    }
    try:
        host, _ = connections.reached(host)
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
    from include.limits.credit_rows import balance

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


def _batch_rows(batches: Sequence[OpenBatch]) -> Iterator[Row]:
    for batch in batches:
        name = f"{batch.dag_id} {batch.kind} {DateRange(batch.first_day, batch.last_day)}"
        parts = [f"{batch.ended} of {batch.runs} ended"]
        if batch.failed:
            parts.append(f"{batch.failed} failed")
        parts.append("its mail is due" if batch.closed_at else f"since {moment(batch.opened_at)}")
        yield _row("batch", name, parts)


def _mail_rows(mails: Sequence[UnsentMail]) -> Iterator[Row]:
    for mail in mails:
        tries = counted(mail.attempts, "try", "tries")
        if mail.state == "failed":
            state, style = f"given up after {tries}", "red"
        else:
            state, style = f"next try at {moment(mail.next_try_at)}, after {tries}", "yellow"
        yield _row("mail", mail.subject, [state, mail.last_error], style)


def _limit_rows(connection: Mapping[str, Any]) -> Iterator[Row]:
    """What a connection's limiters hold, and its credits; or what is wrong with it."""
    if connection["problem"]:
        yield _row("limit", connection["connection"], [connection["problem"]], "red")
    for state in connection["limiters"]:
        parts = [
            f"{w['used']} of {w['limit']} requests / {w['seconds']:g} s" for w in state["windows"]
        ]
        if state["paused_until"]:
            parts.append(f"paused until {moment(state['paused_until'], seconds=True)}")
        if state["refusals"]:
            parts.append(f"{counted(state['refusals'], 'refusal')} to make up for")
        if state["cooldown_until"]:
            until = moment(state["cooldown_until"], seconds=True)
            parts.append(f"cooldown after failures until {until}")
        held_up = state["paused_until"] or state["cooldown_until"]
        yield _row("limit", state["name"], parts, "yellow" if held_up else "")
    if credits := connection["credits"]:
        parts = [
            f"{credits['used']} of {credits['total']} used",
            f"{credits['reserved']} reserved",
            f"{credits['left']} left",
            f"backfills may use {credits['left_for_backfills']} now",
            f"{credits['live_reserve']} are kept for live runs",
        ]
        name = f"{connection['connection']} {credits['month']:%Y-%m}"
        yield _row("credits", name, parts, "" if credits["left"] else "yellow")


def _date_rows(counts: Sequence[OutcomeCount]) -> Iterator[Row]:
    """The dates of each endpoint by their newest outcome, good ones first."""
    done = {outcome for outcome in Outcome if outcome.done}
    for (dag_id, endpoint), members in groupby(counts, lambda each: (each.dag_id, each.endpoint)):
        found = sorted(members, key=lambda each: (each.outcome not in done, -each.dates))
        yield _row(
            "dates", f"{dag_id} {endpoint}", [f"{each.dates} {each.outcome}" for each in found]
        )


def _row(what: str, name: str, parts: Sequence[str], style: str = "") -> Row:
    state = "; ".join(clean(part) for part in parts if part)
    return {"what": what, "name": clean(name), "state": Line(text=state, style=style)}


def _held_back(found: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """How connections are asked again that are paused or in cooldown."""
    for each in found:
        if any(state["paused_until"] or state["cooldown_until"] for state in each["limiters"]):
            name = each["connection"]
            yield f"To ask {name} again at once: airflow nba resume {name}"


def _hints(
    batches: Sequence[OpenBatch], mails: Sequence[UnsentMail], counts: Sequence[OutcomeCount]
) -> Iterator[str]:
    yield (
        f"{counted(len(batches), 'batch', 'batches')} under way,"
        f" {counted(len(mails), 'mail')} not sent"
    )
    if any(mail.state == "failed" for mail in mails):
        yield "When the cause of a given-up mail is repaired: airflow nba repair --mails"
    if not counts:
        yield "No date has an outcome yet. Were the ledger's rows lost? airflow nba repair --ledger"
