"""An order of dates: the backfills of Airflow's that are made of it, a stage after the other, and
what is noted of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING, Any

import psycopg

from include.ops import backfills, stages
from include.ops.backfills import Backfill
from include.ops.batches import name_backfill
from include.ops.db import connect, unreachable
from include.partition import DateRange
from include.wording import counted
from nba_airflow import connections
from nba_airflow.metadata import runs

if TYPE_CHECKING:
    from include.errors import Problem
    from include.ops.stages import Stage


@dataclass(frozen=True, kw_only=True)
class Order:
    """What somebody wants to be done, of which DAG. ``options`` are the command's that change what
    is done, ``plan`` is what it is expected to take, ``fingerprint`` is of code and
    configuration."""

    dag_id: str
    started_by: str
    reason: str
    options: Mapping[str, Any]
    plan: Mapping[str, Any] | None
    fingerprint: str = ""


def start(order: Order, planned: Sequence[Stage]) -> str:
    """Starts the first stage and notes the others; the id of their batch, empty where runs are
    cleared alone. Raises Refused, psycopg's errors before anything is made where the ledger cannot
    be had, and Problem where it is lost afterwards."""
    with connect(connections.ops_url(), application_name="airflow nba") as ledger:
        backfills.lock_orders(ledger, order.dag_id)
        backfill_id = make(order, planned[0])
        if backfill_id is None:
            return ""
        batch_id = name_backfill(order.dag_id, backfill_id)
        try:
            note(ledger, order, planned[0], backfill_id, batch_id)
            several = [replace(planned[0], state="begun"), *planned[1:]] if planned[1:] else []
            stages.write(ledger, batch_id, several)
            ledger.commit()
        except psycopg.Error as error:
            raise _word_unnoted(order, planned, backfill_id, unreachable(error)) from error
    return batch_id


def _word_unnoted(
    order: Order, planned: Sequence[Stage], backfill_id: int, lost: Problem
) -> Problem:
    """What was started all the same, and how it goes on."""
    left = sum(len(each.days) for each in planned[1:])
    missing = f"; {counted(left, 'date')} of later stages must be ordered again" if left else ""
    begun = counted(len(planned[0].days), "date")
    message = (
        f"backfill {backfill_id} of {order.dag_id} was started with {begun}"
        f" but not noted, and is checked like one of the UI{missing}: {lost.message}"
    )
    return replace(lost, message=message)


def make(order: Order, stage: Stage, *, made: int | None = None) -> int | None:
    """Makes the stage's backfill in Airflow, unless it is ``made``, and clears what runs again; the
    backfill's id, None where no date gets a run. Raises Refused.

    What is cleared beside new dates becomes part of their backfill, so that one command sends one
    mail; what is over by now is told as it is.
    """
    backfill_id = made
    if stage.days and made is None:
        backfill_id = _create(order, stage.days)
    if stage.cleared:
        _clear(order, stage.cleared, backfill_id)
    return backfill_id


def note(
    ledger: psycopg.Connection[Any],
    order: Order,
    stage: Stage,
    backfill_id: int,
    batch_id: str,
) -> None:
    """Notes what the stage's backfill is. Does not commit."""
    noted = Backfill(
        backfill_id=backfill_id,
        dag_id=order.dag_id,
        batch_id=batch_id,
        stage=stage.stage,
        started_by=order.started_by,
        reason=order.reason,
        options=order.options,
        plan=order.plan,
        fingerprint=order.fingerprint,
    )
    backfills.write(ledger, noted)


def read_order(first: Backfill) -> Order:
    """The order of which this is the first backfill."""
    return Order(
        dag_id=first.dag_id,
        started_by=first.started_by,
        reason=first.reason,
        options=first.options,
        plan=first.plan,
        fingerprint=first.fingerprint,
    )


def _create(order: Order, days: Sequence[date]) -> int:
    from airflow.utils.session import create_session

    from nba_airflow.metadata.hold import hold_new
    from nba_airflow.metadata.ledger import Away

    with create_session() as session:
        runs.complete_ended_backfills(order.dag_id, session)
    backfill_id = runs.create(
        order.dag_id,
        DateRange(min(days), max(days)),
        max_active_runs=order.options["max_active_runs"],
        backwards=order.options["run_backwards"],
        conf=order.options["conf"],
        user=order.started_by,
    )
    # In quiet hours none of its dates is started.
    with create_session() as session, suppress(Away):
        hold_new(backfill_id, session)
    return backfill_id


def _clear(order: Order, run_ids: Sequence[str], backfill_id: int | None) -> None:
    from airflow.utils.session import create_session

    from nba_airflow.metadata.ledger import Away
    from nba_airflow.metadata.register import close_over

    # Those that were told before are another batch's.
    with create_session() as session, suppress(Away):
        close_over(session)
    again = order.options["reset_dagruns"] or order.options["refetch"]
    conf = order.options["conf"]
    with create_session() as session:
        runs.clear(
            *(order.dag_id, run_ids, session),
            only_failed=not again,
            conf=conf,
            backfill_id=backfill_id,
        )
