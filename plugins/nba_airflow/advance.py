"""In the scheduler: begins the next stage of an order when the one before was clean, and leaves the
others out when it was not.

Who ordered it may be gone by then: the stages lie in our tables. A scheduler that is killed between
Airflow's backfill and our note of it finds that backfill at the next look.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from include.errors import Refused
from include.ops import backfills, stages
from include.ops.db import connect
from include.ops.judgment import judge
from include.ops.measured import measure
from include.ops.stages import Stage
from include.partition import DateRange
from include.storage.refetch import refetch_moment
from include.wording import counted, dates
from nba_airflow import connections, orders
from nba_airflow.guards import IGNORE
from nba_airflow.metadata import runs

if TYPE_CHECKING:
    import psycopg

log = logging.getLogger(__name__)

THREAD = "nba stages"


def advance_aside() -> None:
    """As ``advance``, in a thread of its own: Airflow's sessions are per thread, and a backfill
    commits by itself, which the scheduler's own must not (3.3.2)."""
    threading.Thread(target=_advance_logged, name=THREAD, daemon=True).start()


def _advance_logged() -> None:
    try:
        advance()
    except Exception:  # whatever it is: the next sweep looks again
        log.exception("stages that are due are left to the next sweep")


def advance() -> None:
    """Begins what is due; one scheduler at a time. Raises psycopg's errors and Problem."""
    with connect(connections.ops_url(), application_name="nba stages") as ledger:
        for batch_id in sorted(stages.read_waiting(ledger)):
            if stages.lock(ledger):
                _advance(ledger, batch_id)
            ledger.commit()


def _advance(ledger: psycopg.Connection[Any], batch_id: str) -> None:
    """Begins the next stage of the order if those before are over and clean; says why not. What a
    person has stopped waits: it is resumed, or left out once it has ended."""
    known, ordered = stages.read(ledger, batch_id), backfills.read_orders(ledger, [batch_id])
    done, order = stages.begun(known), orders.read_order(ordered[0])
    window = _window(done)
    days = {day for each in done for day in each.days}
    there = _read_runs(order.dag_id, window)
    found = {day: run for day, run in there.items() if day in days}
    last = ordered[-1].backfill_id
    if any(not run.finished for run in found.values()) or runs.is_paused(last):
        return
    bad = _read_bad(ledger, order.dag_id, done, found)
    if bad and done[-1].stage != "repair":
        said = f"{counted(len(bad), 'date')} of the {done[-1].stage} not done: {dates(bad)}"
        _stop(ledger, batch_id, said)
        return
    measured = measure(ledger, order.dag_id, [run.run_id for run in found.values()])
    if done[-1].stage != "repair" and not measured.games and _may_have_games(known):
        said = f"no date of the {done[-1].stage} had a game, so that nothing was tried"
        _stop(ledger, batch_id, said)
        return
    rest = _plan_rest(order, known[len(done) :])
    order = replace(order, plan={**(order.plan or {}), "measured": measured.facts(), **rest})
    _begin(ledger, order, known[len(done)], batch_id, after=last)


def _window(done: Sequence[Stage]) -> DateRange:
    """From the first to the last date of what has begun."""
    days = [day for each in done for day in each.days]
    return DateRange(min(days), max(days))


def _read_runs(dag_id: str, window: DateRange) -> dict[Any, runs.Run]:
    from airflow.utils.session import create_session

    with create_session() as session:
        return runs.read_runs(dag_id, window, session)


def _read_bad(
    ledger: psycopg.Connection[Any], dag_id: str, done: Sequence[Stage], found: dict[Any, runs.Run]
) -> list[Any]:
    """The dates of the stages so far that are not done by the ledger."""
    from nba_airflow.specs import endpoint_names

    days = {day for each in done for day in each.days}
    mine = [run for run in runs.list_runs(_window(done), found) if run.day in days]
    judged = judge(ledger, dag_id, mine, endpoint_names(dag_id))
    return sorted({result.day for result in judged.results if not result.outcome.done})


def _plan_rest(order: orders.Order, to_come: Sequence[Stage]) -> dict[str, Any]:
    """What the dates to come take, now that the first were measured: the whole plan as ``rest``,
    and its ``seconds_per_date``. Empty where nobody can tell: the plan that was made counts on."""
    from nba_airflow.planning import read_plan

    days, conf = [day for each in to_come for day in each.days], order.options["conf"] or {}
    now = datetime.now(UTC)
    try:
        fresh = refetch_moment(conf.get("refetch"), run_began=now)
        quiet = not conf.get(IGNORE)
        plan = read_plan(
            order.dag_id,
            days,
            now=now,
            refetched=fresh,
            reruns=True,
            quiet=quiet,
            runs=order.options["max_active_runs"],
        )
    except Exception:  # whatever it is, a plan is not what dates wait for
        log.exception("%s is not planned anew, its first plan counts", order.dag_id)
        return {}
    return {"seconds_per_date": plan.seconds_per_date, "rest": plan.facts()} if plan else {}


def _may_have_games(known: Sequence[Stage]) -> bool:
    """Whether any date of the order does."""
    from nba_airflow.planning import read_has_games

    days = [day for each in known for day in each.days]
    return any(map(read_has_games(days), days))


def _begin(
    ledger: psycopg.Connection[Any],
    order: orders.Order,
    stage: Stage,
    batch_id: str,
    *,
    after: int,
) -> None:
    """Begins the stage, in the backfill that a killed scheduler has made of it, or in a new one."""
    window = DateRange(min(stage.days), max(stage.days))
    made = runs.find_made(order.dag_id, window, after)
    backfills.lock_orders(ledger, order.dag_id)
    try:
        backfill_id = orders.make(order, stage, made=made)
    except Refused as refused:
        log.warning("%s: its next stage is left to the next sweep: %s", batch_id, refused)
        return
    assert backfill_id is not None
    orders.note(ledger, order, stage, backfill_id, batch_id)
    stages.begin_next(ledger, batch_id)
    log.info("%s: %s of %s begun", batch_id, stage.stage, window)


def _stop(ledger: psycopg.Connection[Any], batch_id: str, why: str) -> None:
    """Leaves out what is to come, so that the batch is over and its mail goes out."""
    from airflow.utils.session import create_session

    from nba_airflow.metadata.ledger import Away
    from nba_airflow.metadata.register import close_over
    from nba_airflow.metadata.summary_run import start_summary

    stages.leave_out(ledger, batch_id, why)
    ledger.commit()
    log.warning("%s: what was to come is left out: %s", batch_id, why)
    try:
        with create_session() as session:
            for name in close_over(session):
                start_summary(name, session)
    except Away as away:
        log.warning("%s is closed by the next sweep: %s", batch_id, away)
