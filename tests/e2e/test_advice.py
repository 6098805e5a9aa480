"""What the product tells people to type is typed, as it is told and in the state in which it is
told, and does what it says."""

from __future__ import annotations

import json
import os
import re
import signal
from typing import TYPE_CHECKING

import pytest

from devstack import control

if TYPE_CHECKING:
    from tests.e2e.conftest import Finished, System

pytestmark = pytest.mark.slow

DAG = "bdl_box_scores"
DONE = {"complete", "no_games"}


@pytest.fixture(scope="module", autouse=True)
def caught_up(system: System):
    """The DAG is unpaused, and its dates of the last days have run and were reported."""
    system.catch_up(DAG)


def told_in(text: str) -> str:
    """The last command that a text tells people to type."""
    return re.findall(r"airflow (?:dags|nba) [a-z][^`\n]*", text)[-1]


def type_in(system: System, command: str) -> Finished:
    """Types a command as it is told; it must not be refused."""
    done = system.airflow(command.removeprefix("airflow "))
    assert done.code != 2, (command, done.err)
    return done


def next_mail(system: System, before: int) -> str:
    """The text of the newest mail about the DAG, once there is one more."""
    system.until(lambda: len(system.mails(DAG)) > before)
    return system.mails(DAG)[-1]["content"][0]["value"]


def outcomes(system: System, first: str, last: str) -> set[str]:
    """How the dates of the window stand by now."""
    done = system.airflow(f"dags backfill {DAG} -s {first} -e {last} --attach -o json")
    return {found["outcome"] for found in json.loads(done.out)["dates"].values()}


def test_the_mails_command_after_a_cancel(system: System):
    slow = {"source": "balldontlie", "day": "2024-12-21", "kind": "hang", "seconds": 10, "times": 1}
    system.faults([slow])
    mails = len(system.mails(DAG))
    window = "-s 2024-12-20 -e 2024-12-23"
    assert system.airflow(f"dags backfill {DAG} {window} --max-active-runs 1 --detach").code == 0
    ((backfill,),) = system.metadata("SELECT max(id) FROM backfill WHERE dag_id = %s", DAG)
    started = "SELECT 1 FROM dag_run WHERE backfill_id = %s AND state = 'running'"
    system.until(lambda: system.metadata(started, backfill))
    system.api("PUT", f"backfills/{backfill}/cancel")

    command = told_in(next_mail(system, mails))

    assert type_in(system, command).code == 0
    assert outcomes(system, "2024-12-20", "2024-12-23") <= DONE


def test_the_mails_command_after_a_key_was_repaired(system: System):
    days = [f"2024-12-{day}" for day in (10, 11, 12)]
    refused = {"source": "balldontlie", "kind": "bad_key", "times": None}
    system.faults([{**refused, "day": day} for day in days])
    mails = len(system.mails(DAG))
    assert system.airflow(f"dags backfill {DAG} -s 2024-12-10 -e 2024-12-12").code == 1
    command = told_in(next_mail(system, mails))
    system.faults([])

    assert type_in(system, command).code == 0
    assert outcomes(system, "2024-12-10", "2024-12-12") <= DONE


def test_the_commands_own_advice_after_the_scheduler_was_killed(system: System):
    system.faults([])
    words = f"dags backfill {DAG} -s 2024-12-01 -e 2024-12-05 --max-active-runs 1 --detach"
    command = told_in(system.airflow(words).out)
    os.kill(control.state(system.home)["pids"]["scheduler"], signal.SIGKILL)

    assert type_in(system, command).code == 0
    assert outcomes(system, "2024-12-01", "2024-12-05") <= DONE


def test_the_refusals_advice_for_a_paused_dag(system: System):
    system.api("PATCH", f"dags/{DAG}", {"is_paused": True})
    words = f"dags backfill {DAG} -s 2024-11-28 -e 2024-11-28"
    refused = system.airflow(words)
    assert refused.code == 2
    command = told_in(refused.err).split("`")[0]
    assert command == f"airflow dags unpause {DAG}"

    assert type_in(system, command).code == 0
    assert system.airflow(words).code == 0


def test_the_statuss_advice_while_a_source_is_paused(system: System):
    refusal = {"source": "balldontlie", "kind": "429", "retry_after": 1800, "times": 1}
    system.faults([refusal])
    window = "-s 2024-11-25 -e 2024-11-26"
    assert system.airflow(f"dags backfill {DAG} {window} --detach").code == 0
    # Yesterday's date waits as well until its games can be final.
    waiting = (
        "SELECT 1 FROM task_instance t JOIN dag_run r USING (dag_id, run_id) WHERE dag_id = %s"
        " AND t.state = 'deferred' AND r.partition_key IN ('2024-11-25', '2024-11-26')"
    )
    system.until(lambda: len(system.metadata(waiting, DAG)) == 2)
    advice = [line for line in system.airflow("nba status").out.splitlines() if "resume" in line]
    assert advice == ["To ask balldontlie again at once: airflow nba resume balldontlie"]

    done = type_in(system, told_in(advice[0]))

    assert (done.code, done.out.splitlines()[-1]) == (
        0,
        "2 dates that waited for it can go on now",
    )
    assert system.airflow(f"dags backfill {DAG} {window} --attach").code == 0


def test_the_acceptances_own_advice(system: System):
    wrong = {"source": "balldontlie", "day": "2024-11-19", "kind": "wrong_score"}
    system.faults([{**wrong, "endpoint": "box_scores"}])
    mails = len(system.mails(DAG))
    window = "-s 2024-11-18 -e 2024-11-20"
    assert system.airflow(f"dags backfill {DAG} {window}").code == 1
    (game,) = set(re.findall(r"\b[A-Z]{3}@[A-Z]{3}\b", next_mail(system, mails)))
    words = f'nba accept {DAG} 2024-11-19 --game {game} --reason "differs for ever"'
    asked = len(system.requests())

    command = told_in(system.airflow(words).out)

    assert type_in(system, command).code == 0
    assert len(system.requests()) == asked
    assert outcomes(system, "2024-11-18", "2024-11-20") == {"complete", "accepted"}
    assert "differs for ever" in next_mail(system, mails + 1)
