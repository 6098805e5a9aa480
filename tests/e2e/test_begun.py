"""A backfill begun by Airflow's API, as its UI does: real processes check it before any of its
dates starts."""

from __future__ import annotations

import pytest

from tests.e2e.conftest import System

pytestmark = pytest.mark.slow

DAG = "bdl_box_scores"
STATES = "SELECT DISTINCT state FROM dag_run WHERE backfill_id = %s"
PAUSED = "SELECT is_paused FROM backfill WHERE id = %s"
OPEN = "SELECT 1 FROM backfill WHERE dag_id = %s AND completed_at IS NULL"
HELD = "SELECT why FROM ops.holds WHERE backfill_id = %s AND kind = 'preflight'"


def begin(system: System, first: str, last: str) -> int:
    system.until(lambda: not system.metadata(OPEN, DAG))
    order = {"dag_id": DAG, "from_date": f"{first}T00:00:00Z", "to_date": f"{last}T00:00:00Z"}
    return int(system.api("POST", "backfills", {**order, "run_backwards": False})["id"])


def test_one_that_fails_its_preflight_is_held_with_one_mail_until_it_is_released(system: System):
    system.api("PATCH", f"dags/{DAG}", {"is_paused": False})
    system.faults([{"source": "balldontlie", "endpoint": "box_scores", "kind": "bad_key"}])

    backfill_id = begin(system, "2024-12-09", "2024-12-10")

    system.until(lambda: [m for m in system.mails(DAG) if "[HELD]" in m["subject"]])
    assert system.metadata(STATES, backfill_id) == [("queued",)]
    assert system.metadata(PAUSED, backfill_id) == [(True,)]
    ((why,),) = system.ops(HELD, backfill_id)
    assert why.startswith("fail limits: balldontlie: key refused")

    system.faults([])
    released = system.airflow(f"nba release {backfill_id}")
    assert (released.code, released.out.splitlines()[-1][-10:]) == (0, "it goes on")
    system.until(
        lambda: [m for m in system.mails(DAG) if "2024-12-09..2024-12-10" in m["subject"]][1:]
    )
    subjects = [m["subject"] for m in system.mails(DAG) if "2024-12-09" in m["subject"]]
    assert subjects == [
        f"[HELD] {DAG} 2024-12-09..2024-12-10: its preflight failed",
        f"[OK] {DAG} 2024-12-09..2024-12-10: 2 dates complete",
    ]


def test_one_that_is_fit_goes_on_by_itself(system: System):
    backfill_id = begin(system, "2024-12-03", "2024-12-04")
    system.until(lambda: system.metadata(STATES, backfill_id) == [("success",)])
    dates = "SELECT plan->>'dates' FROM ops.backfills WHERE backfill_id = %s"
    assert system.ops(dates, backfill_id) == [("2",)]
