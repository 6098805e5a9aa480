"""`python -m nba_airflow.check_begun ID`: plans and checks a backfill that was not begun by our
command; lets it go on, or keeps it paused and has it told in one mail."""

from __future__ import annotations

import sys
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from include.errors import Problem
from include.guards.plan_words import refuse
from include.guards.preflight import Finding, Start, failed, failures
from include.ops import backfills, outbox
from include.ops.backfills import Backfill
from include.ops.batches import name_backfill
from include.ops.db import connect
from include.partition import DateRange
from nba_airflow import connections

if TYPE_CHECKING:
    from include.guards.plan import Plan

MAX_ID = 2**31 - 1
"""Airflow numbers its backfills in four bytes: Postgres refuses to look for a larger number."""


def check_begun(backfill_id: int) -> list[Finding]:
    """What failed, also that it cannot be planned; nothing where the backfill goes on. Writes the
    verdict."""
    from include.mail.held import make_held_mail
    from nba_airflow.cli.preflight import check

    made = read_backfill(backfill_id)
    window = DateRange(made.from_date.date(), made.to_date.date())
    plan, unplanned = _plan(made.dag_id, window, made.max_active_runs)
    refusal = refuse(plan, spread=False) if plan else ""
    start = Start(
        dag_id=made.dag_id, window=window, backfill_id=backfill_id, plan=plan, refusal=refusal
    )
    found = [*unplanned, *failures(check(start))]
    with connect(connections.ops_url(), application_name="nba check") as ledger:
        backfills.note(ledger, as_noted(made, plan))
        if found:
            why = "; ".join(map(str, found))
            # Who has released it meanwhile knows what they do.
            if backfills.say_why(ledger, backfill_id, "preflight", why):
                mail = make_held_mail(made.dag_id, window, backfill_id, found)
                outbox.put(ledger, mail, [made.dag_id])
        else:
            let_go(ledger, backfill_id)
        ledger.commit()
    if found:
        _start_summary(backfill_id)
    return found


def _plan(dag_id: str, window: DateRange, runs: int) -> tuple[Plan | None, list[Finding]]:
    """The plan where there is one, or why it cannot be made."""
    from nba_airflow.planning import read_plan

    try:
        return read_plan(dag_id, window.days, now=datetime.now(UTC), runs=runs), []
    except Problem as problem:
        return None, [replace(failed(problem.message), check="scope")]


def read_backfill(backfill_id: int) -> Any:
    """Airflow's row. Raises Refused where there is none, or it is over and no date of it runs
    again."""
    from airflow.models.backfill import Backfill as Made
    from airflow.utils.session import create_session
    from sqlalchemy import or_, select

    from include.errors import Refused
    from nba_airflow.metadata.runs import has_open_runs

    under_way = or_(Made.completed_at.is_(None), has_open_runs())
    with create_session() as session:
        mine = select(Made).where(Made.id == backfill_id, under_way)
        made = session.scalar(mine) if backfill_id <= MAX_ID else None
    if made is None:
        raise Refused(f"no backfill {backfill_id} is under way: `airflow nba status` shows those")
    return made


def as_noted(made: Any, plan: Plan | None) -> Backfill:
    """What is noted of a backfill that Airflow made without us."""
    return Backfill(
        backfill_id=made.id,
        dag_id=made.dag_id,
        batch_id=name_backfill(made.dag_id, made.id),
        started_by=made.triggering_user_name or "",
        plan=plan.facts() if plan else None,
    )


def let_go(ledger: Any, backfill_id: int) -> bool:
    """Ends the hold; whether the backfill goes on, which nothing else holds then."""
    from airflow.models.backfill import Backfill as Made
    from airflow.utils.session import create_session

    free = backfills.lift(ledger, backfill_id, "preflight")
    if free:
        with create_session() as session:
            session.get_one(Made, backfill_id).is_paused = False
    return free


def _start_summary(backfill_id: int) -> None:
    """Which sends the mail."""
    from airflow.utils.session import create_session

    from nba_airflow.metadata.summary_run import start_summary

    with create_session() as session:
        start_summary(f"preflight:{backfill_id}", session)


if __name__ == "__main__":
    check_begun(int(sys.argv[1]))
