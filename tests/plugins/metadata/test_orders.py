"""What one order starts is one batch with one mail, of however many of Airflow's backfills."""

from __future__ import annotations

import os
import signal
from datetime import date, timedelta
from typing import Any

import psycopg
import pytest

from include.ops import backfills
from include.ops.backfills import Backfill
from include.ops.batches import name_backfill
from include.partition import DateRange
from nba_airflow.fingerprints import read_fingerprint
from nba_airflow.metadata import runs
from tests.plugins.running import DAG, Airflow, backfill_command

FIRST = date(2024, 12, 2)
D = [FIRST + timedelta(days=n) for n in range(5)]


def test_what_was_ordered_is_noted_before_a_run_can_end(airflow: Airflow) -> None:
    from airflow.models.backfill import Backfill as AirflowBackfill
    from airflow.utils.platform import getuser
    from airflow.utils.session import create_session
    from sqlalchemy import func, select

    assert backfill_command(DateRange(D[0], D[1]), reason="new season") == 0
    with create_session() as session:
        newest = session.scalar(select(func.max(AirflowBackfill.id)))
    assert newest is not None
    off = dict.fromkeys(
        (
            *("run_backwards", "refetch", "rerun_failed_tasks", "reset_dagruns"),
            *("spread", "ramp", "announce", "ignore_quiet_hours"),
        ),
        False,
    )
    noted = backfills.read(airflow.ledger, [newest])
    plan = noted[newest].plan
    assert plan
    assert (plan["dag_id"], plan["dates"], plan["requests"]) == (DAG, 2, 2)
    assert noted == {
        newest: Backfill(
            backfill_id=newest,
            dag_id=DAG,
            batch_id=f"{DAG}:{newest}:0",
            stage="whole",
            started_by=getuser(),
            reason="new season",
            options={**off, "max_active_runs": 16, "conf": None, "skip_canary": True},
            plan=plan,
            fingerprint=read_fingerprint(DAG),
        )
    }


def test_ctrl_c_between_the_backfill_and_its_note_waits_for_the_note(
    airflow: Airflow, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[int] = []

    def create_and_press(*given: Any, **options: Any) -> int:
        made.append(create(*given, **options))
        os.kill(os.getpid(), signal.SIGINT)
        return made[0]

    create = runs.create
    monkeypatch.setattr(runs, "create", create_and_press)
    assert backfill_command(DateRange(D[2], D[3])) == 0
    assert backfills.read(airflow.ledger, made).keys() == {*made}
    assert set(airflow.states(D[2], D[3]).values()) == {"queued"}


def order(ledger: psycopg.Connection, backfill_id: int, first: int) -> None:
    """Notes a backfill as one of the order that began with the first."""
    noted = Backfill(
        backfill_id=backfill_id,
        dag_id=DAG,
        batch_id=name_backfill(DAG, first),
        started_by="ann",
    )
    backfills.note(ledger, noted)
    ledger.commit()


def test_backfills_of_one_order_are_one_batch_that_waits_for_the_stages_to_come(
    airflow: Airflow,
) -> None:
    first = airflow.backfill(DateRange(D[0], D[1]))
    order(airflow.ledger, first, first)
    airflow.ledger.execute(
        "INSERT INTO ops.stages (batch_id, number, stage, days) VALUES (%s, 1, 'ramp', %s)",
        (name_backfill(DAG, first), D[2:5]),
    )
    airflow.ledger.commit()
    airflow.run("complete", D[0], D[1])
    airflow.sweep()
    assert airflow.subjects() == []
    second = airflow.backfill(DateRange(D[0], D[4]))
    order(airflow.ledger, second, first)
    airflow.ledger.execute("UPDATE ops.stages SET state = 'begun'")
    airflow.ledger.commit()
    airflow.run("complete", D[2], D[3])
    airflow.run("failed", D[4])
    airflow.sweep()
    airflow.sweep()
    assert airflow.subjects() == [
        f"[1 failed] {DAG} {DateRange(D[0], D[4])}: 4 of 5 dates complete"
    ]
