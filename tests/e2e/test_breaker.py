"""A backfill whose upstream refuses the key, on real processes: halted with one mail, probed, and
resumed by itself; live runs of the same source go on meanwhile."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.e2e.conftest import System

pytestmark = pytest.mark.slow

DAG = "bdl_box_scores"
FIRST = date(2024, 12, 2)
DATES = 24
LAST = FIRST + timedelta(days=DATES - 1)
AT_ONCE = 2
VARIABLES = {"NBA_BREAKER": "{}"}  # as it is by default

PAUSED = "SELECT is_paused FROM backfill ORDER BY id DESC LIMIT 1"
STATES = "SELECT state FROM dag_run WHERE run_type = 'backfill' AND dag_id = %s"
BREAKER = "SELECT state, flag FROM ops.breakers"


def sweep(system: System) -> None:
    """The summary's run of every five minutes, at once."""
    path = "dags/backfill_summary/dagRuns"
    run = system.api("POST", path, {"logical_date": None})["dag_run_id"]
    system.until(lambda: system.api("GET", f"{path}/{run}")["state"] in ("success", "failed"))


def test_it_is_halted_with_one_mail_probed_and_resumed_and_live_runs_go_on(
    system: System,
) -> None:
    bad = {"source": "balldontlie", "kind": "bad_key", "times": None}
    days = [str(FIRST + timedelta(days=n)) for n in range(DATES)]
    system.faults([{**bad, "day": day} for day in days])
    options = f"--max-active-runs {AT_ONCE} --unpause --detach --skip-canary"
    assert system.backfill(f"{DAG} -s {FIRST} -e {LAST} {options}")[0] == 0

    system.until(lambda: system.ops(BREAKER))
    system.until(lambda: system.mails(f"{DAG} {FIRST}..{LAST}"))
    (mail,) = system.mails(f"{DAG} {FIRST}..{LAST}")
    assert mail["subject"].startswith("[Halted]")
    assert "5 dates in a row failed alike" in mail["content"][0]["value"]
    # The fifth date opens it; beside it others were under way, and their like may have begun.
    system.until(lambda: ("running",) not in system.metadata(STATES, DAG))
    ended = [state for (state,) in system.metadata(STATES, DAG) if state == "failed"]
    assert 5 <= len(ended) <= 5 + AT_ONCE
    assert system.metadata(PAUSED) == [(True,)]

    live = "2024-10-30"
    order = {"logical_date": None, "partition_key": live}
    run = system.api("POST", f"dags/{DAG}/dagRuns", order)["dag_run_id"]
    state = f"dags/{DAG}/dagRuns/{run}"
    system.until(lambda: system.api("GET", state)["state"] == "success")
    assert system.metadata(PAUSED) == [(True,)]

    # The upstream is well again, and the breaker has cooled down.
    system.faults([])
    system.ops("UPDATE ops.breakers SET probe_at = clock_timestamp() RETURNING 1")
    system.until(lambda: (sweep(system), system.ops(BREAKER))[1] == [("closed", "same failure")])
    system.until(lambda: len(system.mails(f"{DAG} {FIRST}..{LAST}")) == 2)
    done = [state for (state,) in system.metadata(STATES, DAG)]
    assert sorted(done) == ["failed"] * len(ended) + ["success"] * (DATES - len(ended))
    assert system.metadata("SELECT max_active_runs FROM backfill ORDER BY id DESC LIMIT 1") == [
        (AT_ONCE,)
    ]
