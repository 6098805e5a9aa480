"""`airflow nba status`: batches under way with their pace and cost, what holds them, mails that
were not sent, every limit, how the dates stand, and what needs a person."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from include.errors import Problem
from include.ops import backfills, stages
from include.ops.progress import Spent, measure_pace, read_spent
from include.ops.status import (
    OutcomeCount,
    accepted_dates,
    count_runs,
    newest_done,
    outcome_counts,
    unmailed_batches,
    unrecorded_batches,
    unsent_mails,
)
from nba_airflow import connections
from nba_airflow.cli import status_rows
from nba_airflow.cli.answer import Answer, Grid, Line, command, connect_ops
from nba_airflow.cli.status_rows import Held, UnderWay
from nba_airflow.metadata.obstacles import read_obstacles
from nba_airflow.warned import read_warnings

if TYPE_CHECKING:
    import psycopg

    from include.sources.spec import Host
    from nba_airflow.metadata.register import FoundBatch


@command("airflow nba status")
def status(args: Namespace) -> Answer:
    """Exit code 0: all is well. 1: something needs a person, and the answer says what. 2: it
    cannot be told."""
    from nba_airflow.cli.watch import watch

    return watch(read_status) if args.watch else read_status()


def read_status() -> Answer:
    """Reads the operations tables, Airflow's runs and backfills, and the connections."""
    from nba_airflow.specs import hosts

    with connect_ops() as connection:
        found, open_runs, unfinished = _read_airflow(connection)
        limits = {name: _read_connection(connection, host) for name, host in hosts().items()}
        under_way = _read_under_way(connection, found, limits)
        held = _read_held(connection, unfinished)
        warned = [
            (each.batch_id, why)
            for each in found
            for why in read_warnings(connection, each.batch_id, each.runs)
        ]
        due = unmailed_batches(connection)
        mails = unsent_mails(connection)
        unrecorded = unrecorded_batches(connection)
        counts = outcome_counts(connection, open_runs)
        newest = newest_done(connection, [(each.dag_id, each.endpoint) for each in counts])
        accepted = accepted_dates(connection)
    obstacles = read_obstacles()
    rows = [
        *status_rows.list_due(due),
        *status_rows.list_under_way(under_way),
        *status_rows.list_held(held),
        *status_rows.list_warned(warned),
        *status_rows.list_mails(mails),
        *status_rows.list_unrecorded(unrecorded),
        *(row for each in limits.values() for row in status_rows.list_limits(each)),
        *status_rows.list_dates(counts, newest),
    ]
    needs = status_rows.find_needs(
        held=held,
        mails=mails,
        unrecorded=unrecorded,
        limits=list(limits.values()),
        counts=counts,
        obstacles=obstacles,
        idle=not open_runs,
    )
    hints = [
        *obstacles,
        *status_rows.hint_at_limits(list(limits.values())),
        *status_rows.hint_at_rest(len(due) + len(under_way), mails, counts),
        *status_rows.word_accepted(accepted),
    ]
    return Answer(
        text=[
            Grid(rows=rows),
            *(Line(text=hint) for hint in hints),
            *(Line(text=f"Needs a person: {need}", style="bold red") for need in needs),
        ],
        rows=rows,
        facts={
            "batches": [*map(asdict, due), *(each.facts() for each in under_way)],
            "held": [each.facts() for each in held],
            "warnings": [{"batch_id": batch_id, "why": why} for batch_id, why in warned],
            "mails": [asdict(mail) for mail in mails],
            "unrecorded": unrecorded,
            "connections": limits,
            "outcomes": _by_dag(counts),
            "newest_done": _newest_by_dag(newest),
            "obstacles": obstacles,
            "accepted": accepted,
            "needs_a_person": needs,
            "under_way": bool(due or under_way),
        },
        code=1 if needs else 0,
    )


def _read_airflow(
    connection: psycopg.Connection[Any],
) -> tuple[list[FoundBatch], list[str], Mapping[int, tuple[str, bool]]]:
    """The batches that Airflow's rows show under way, the oldest first; the ids of the runs that
    are open; and its backfills that have not ended: id -> DAG, and whether it is paused."""
    from airflow.utils.session import create_session

    from nba_airflow.metadata.register import find_batches, read_open_runs
    from nba_airflow.metadata.unfinished import read_unfinished

    with create_session() as session:
        found = find_batches(session, connection)
        open_runs = read_open_runs(session)
        unfinished = read_unfinished(session)
    return (
        sorted(found, key=lambda each: min(r.queued_at for r in each.runs)),
        open_runs,
        unfinished,
    )


def _read_under_way(
    connection: psycopg.Connection[Any],
    found: Sequence[FoundBatch],
    limits: Mapping[str, Mapping[str, Any]],
) -> list[UnderWay]:
    """Each with its pace, what it has taken, and what was planned for it."""
    in_bucket, now = "gs" in connections.store_schemes(), datetime.now(UTC)
    spent = read_spent(connection, {each.batch_id: each.runs for each in found})
    batch_ids = [each.batch_id for each in found]
    plans = backfills.read_plans(connection, batch_ids)
    days = stages.read_to_come(connection, batch_ids)
    under_way = []
    for each in found:
        taken = spent.get(each.batch_id, Spent())
        to_come = days[each.batch_id]
        batch = count_runs(each.batch_id, each.runs, to_come=to_come)
        monthly = _credits_bought(batch.dag_id, limits)
        under_way.append(
            UnderWay(
                batch=batch,
                pace=measure_pace(each.runs, now, to_come=len(to_come)),
                spent=taken,
                operations=taken.operations * in_bucket,
                dollars=taken.price(monthly, in_bucket=in_bucket).once,
                plan=plans.get(each.batch_id, {}),
            )
        )
    return under_way


def _credits_bought(dag_id: str, limits: Mapping[str, Mapping[str, Any]]) -> int:
    """What the DAG's upstreams sell a month."""
    from nba_airflow.specs import sources

    source = sources().get(dag_id)
    bought = [limits[host.connection]["credits"] for host in source.hosts] if source else []
    return sum(each["total"] for each in bought if each)


def _read_held(
    connection: psycopg.Connection[Any], unfinished: Mapping[int, tuple[str, bool]]
) -> list[Held]:
    """The backfills that are held or paused, and why."""
    holds = backfills.read_holds(connection, list(unfinished))
    known = {hold.backfill_id for hold in holds}
    paused = "paused in Airflow, and goes on when somebody unpauses it"
    found: list[tuple[int, str, str, datetime | None]]
    found = [(hold.backfill_id, hold.kind, hold.why, hold.since) for hold in holds]
    found += [
        (backfill_id, "person", paused, None)
        for backfill_id, (_, is_paused) in unfinished.items()
        if is_paused and backfill_id not in known
    ]
    return [
        Held(dag_id=unfinished[number][0], backfill_id=number, kind=kind, why=why, since=since)
        for number, kind, why, since in found
    ]


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


def _newest_by_dag(newest: Mapping[tuple[str, str], Any]) -> dict[str, dict[str, Any]]:
    """DAG -> endpoint -> its newest date that is done."""
    found: dict[str, dict[str, Any]] = {}
    for (dag_id, endpoint), day in newest.items():
        found.setdefault(dag_id, {})[endpoint] = day
    return found
