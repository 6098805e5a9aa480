"""An order of dates: how Airflow's backfills are made of it, and what is noted of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from include.ops import backfills
from include.ops.backfills import Backfill
from include.ops.batches import name_backfill
from include.ops.db import connect
from include.partition import DateRange
from nba_airflow import connections
from nba_airflow.metadata import runs


@dataclass(frozen=True, kw_only=True)
class Order:
    """What somebody wants to be done, of which DAG. ``options`` are the command's that change what
    is done, ``conf`` is given to the runs, ``plan`` is what it is expected to take."""

    dag_id: str
    started_by: str
    reason: str
    options: Mapping[str, Any]
    conf: Mapping[str, Any] | None
    plan: Mapping[str, Any] | None


def start(order: Order, window: DateRange) -> int:
    """Makes Airflow's backfill of the window and notes it; its id. Raises Refused, and psycopg's
    errors before anything is made where the ledger cannot be had."""
    from airflow.utils.session import create_session

    with connect(connections.ops_url(), application_name="airflow nba") as ledger:
        with create_session() as session:
            runs.complete_ended_backfills(order.dag_id, session)
        backfill_id = _create(order, window)
        backfills.write(ledger, _describe(order, backfill_id))
        ledger.commit()
    return backfill_id


def _create(order: Order, window: DateRange) -> int:
    return runs.create(
        order.dag_id,
        window,
        max_active_runs=order.options["max_active_runs"],
        backwards=order.options["run_backwards"],
        conf=order.conf,
    )


def _describe(order: Order, backfill_id: int) -> Backfill:
    """What is noted of a backfill of the order."""
    return Backfill(
        backfill_id=backfill_id,
        dag_id=order.dag_id,
        batch_id=name_backfill(order.dag_id, backfill_id),
        started_by=order.started_by,
        reason=order.reason,
        options={**order.options, "conf": order.conf},
        plan=order.plan,
    )
