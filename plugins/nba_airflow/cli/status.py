"""`airflow nba status`: batches under way with their pace and cost, what holds them, mails that
were not sent, every limit, how the dates stand, and what needs a person."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from include.ops.status import (
    OutcomeCount,
    accepted_dates,
    cancelled_dates,
    newest_done,
    outcome_counts,
    unmailed_batches,
    unrecorded_batches,
    unsent_mails,
)
from nba_airflow.cli import status_rows
from nba_airflow.cli.answer import Answer, Grid, Line, command, connect_ops
from nba_airflow.limits import read_limits
from nba_airflow.metadata.obstacles import read_obstacles
from nba_airflow.under_way import (
    find_held_batches,
    read_airflow,
    read_held,
    read_under_way,
)
from nba_airflow.warned import read_warnings


@command("airflow nba status")
def status(args: Namespace) -> Answer:
    """Exit code 0: all is well. 1: something needs a person, and the answer says what. 2: it
    cannot be told."""
    from nba_airflow.cli.watch import watch

    return watch(read_status) if args.watch else read_status()


def read_status() -> Answer:
    """Reads the operations tables, Airflow's runs and backfills, and the connections."""
    from nba_airflow.specs import hosts

    # What the ledger has, with what Airflow has under way.
    with connect_ops() as connection:
        found, open_runs, unfinished = read_airflow(connection)
        limits = {name: read_limits(connection, host) for name, host in hosts().items()}
        held = read_held(connection, unfinished)
        stopped = find_held_batches(connection, unfinished, held)
        under_way = read_under_way(connection, found, stopped)
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
        cancelled = cancelled_dates(connection)
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
        *status_rows.list_cancelled(cancelled),
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
    above = [
        *status_rows.hint_at_limits(list(limits.values())),
        *status_rows.hint_at_dates(held, counts, idle=not open_runs),
    ]
    below = [*status_rows.hint_at_rest(mails, counts)]
    told = [
        *obstacles,
        *above,
        status_rows.word_sum(len(due) + len(under_way), mails),
        *below,
        *status_rows.word_accepted(accepted),
    ]
    return Answer(
        text=[
            Grid(rows=rows),
            *(Line(text=each) for each in told),
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
            "cancelled": [*map(asdict, cancelled)],
            "newest_done": _newest_by_dag(newest),
            "obstacles": obstacles,
            "accepted": accepted,
            "hints": [*above, *below],
            "needs_a_person": needs,
            "under_way": bool(due or under_way),
        },
        code=1 if needs else 0,
    )


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
