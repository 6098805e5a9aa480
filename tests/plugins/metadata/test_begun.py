"""A backfill that was begun in the UI or by the API: held before any date starts, checked, and let
go on or told in one mail."""

from __future__ import annotations

import json
from argparse import Namespace
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from getpass import getuser
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from devstack.connections import upstreams
from devstack.sandbox.server import Sandbox, running
from include.ops import backfills
from include.ops.db import connect
from include.partition import DateRange
from nba_airflow.check_begun import check_begun
from nba_airflow.cli.release import release
from nba_airflow.metadata import begun
from nba_airflow.metadata.begun import _check
from tests.plugins.running import DAG, Airflow, backfill_command, transaction
from tests.plugins.scheduling import DAGS, write_processes

DAY = date(2025, 1, 15)
ALL = DateRange(DAY, DAY + timedelta(days=2))


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with running(tmp_path_factory.mktemp("sandbox")) as found:
        yield found


@pytest.fixture
def checks(
    airflow: Airflow, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[list[int]]:
    """The backfills whose checks were begun; each is made by the test, in its own process."""
    fields = upstreams(sandbox.url, tmp_path)["balldontlie"]
    monkeypatch.setenv("AIRFLOW_CONN_BALLDONTLIE", json.dumps(fields))
    found: list[int] = []
    monkeypatch.setattr(begun, "_check", found.append)
    begun.KNOWN.clear()
    with transaction() as session:
        session.execute(text("TRUNCATE job"))
        write_processes(session)
    airflow.ledger.execute("TRUNCATE ops.holds, ops.backfills")
    airflow.ledger.commit()
    yield found
    sandbox.no_faults()


def paused(backfill_id: int) -> bool:
    with transaction() as session:
        mine = text("SELECT is_paused FROM backfill WHERE id = :id")
        return bool(session.execute(mine, {"id": backfill_id}).scalar_one())


def holds(airflow: Airflow, backfill_id: int) -> list[str]:
    found = backfills.read_holds(airflow.ledger, [backfill_id])
    airflow.ledger.commit()
    return [f"{hold.kind}: {hold.why}" for hold in found]


def let_go(capfd: pytest.CaptureFixture[str], backfill_id: int) -> tuple[Any, str, str]:
    """Exit code and output of `airflow nba release`."""
    capfd.readouterr()
    with pytest.raises(SystemExit) as ended:
        release(Namespace(backfill_id=backfill_id, json=False, output="table"))
    return (ended.value.code, *capfd.readouterr())


def begin(airflow: Airflow) -> int:
    """A backfill of the UI, of which the scheduler has just started two dates."""
    backfill_id = airflow.backfill(ALL, met=False)
    airflow.start(DAY, DAY + timedelta(days=1))
    return backfill_id


def test_no_date_of_it_starts_before_it_is_checked(airflow: Airflow, checks: list[int]) -> None:
    backfill_id = begin(airflow)
    assert checks == [backfill_id]
    assert {*airflow.states().values()} == {"queued"}
    assert (paused(backfill_id), airflow.startable()) == (True, set())
    assert holds(airflow, backfill_id) == [f"preflight: {begun.CHECKING}"]


def test_one_that_our_command_notes_while_it_is_met_is_not_held(
    airflow: Airflow, checks: list[int], ops_db: str
) -> None:
    backfill_id = airflow.backfill(ALL, met=False)
    read = backfills.read
    noted = backfills.Backfill(
        backfill_id=backfill_id,
        dag_id=DAG,
        batch_id=f"{DAG}:{backfill_id}:0",
        started_by="somebody",
    )
    with connect(ops_db) as command, pytest.MonkeyPatch.context() as patch:
        backfills.lock_orders(command, DAG)

        def read_and_end(connection: Any, ids: Any) -> Any:
            """The command ends its order just after what is known was read."""
            patch.setattr(backfills, "read", read)
            found = read(connection, ids)
            backfills.write(command, noted)
            command.commit()
            return found

        patch.setattr(backfills, "read", read_and_end)
        airflow.start(DAY)
    assert (checks, holds(airflow, backfill_id)) == ([], [])


def test_one_that_is_fit_goes_on(airflow: Airflow, checks: list[int]) -> None:
    backfill_id = begin(airflow)
    (checked,) = backfills.read_all_holds(airflow.ledger, [backfill_id])
    airflow.ledger.commit()
    assert (checked.why, check_begun(backfill_id)) == (begun.CHECKING, [])
    assert backfills.read_all_holds(airflow.ledger, [backfill_id]) == []
    noted = backfills.read(airflow.ledger, [backfill_id])[backfill_id]
    assert (noted.started_by, noted.plan and noted.plan["dates"]) == ("somebody", 3)
    assert (paused(backfill_id), holds(airflow, backfill_id)) == (False, [])
    airflow.start(DAY)
    assert airflow.states(DAY) == {str(DAY): "running"}
    assert (checks, airflow.subjects()) == ([backfill_id], [])


def test_the_check_is_a_process_of_its_own(
    airflow: Airflow, checks: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    backfill_id = begin(airflow)
    monkeypatch.setenv("PYTHONPATH", f"{DAGS.parent}:{DAGS.parent}/plugins")
    assert _check(backfill_id).wait(180) == 0
    assert (paused(backfill_id), holds(airflow, backfill_id)) == (False, [])


def test_a_turn_of_the_scheduler_itself_starts_no_date_of_it(
    airflow: Airflow, checks: list[int]
) -> None:
    from airflow.executors.base_executor import BaseExecutor
    from airflow.jobs.job import Job
    from airflow.jobs.scheduler_job_runner import SchedulerJobRunner
    from airflow.listeners.listener import get_listener_manager

    from nba_airflow import listener

    known = get_listener_manager().pm
    unknown = not known.is_registered(listener)
    if unknown:
        known.register(listener)
    backfill_id = airflow.backfill(ALL, met=False)
    with transaction() as session:
        runner = SchedulerJobRunner(job=Job(), executors=[BaseExecutor()])
        for _ in range(2):
            runner._start_queued_dagruns(session)
            session.commit()
    if unknown:
        known.unregister(listener)
    assert (checks, paused(backfill_id)) == ([backfill_id], True)
    assert airflow.states() == {str(day): "queued" for day in ALL.days}


def test_one_that_fails_stays_paused_with_one_mail_until_it_is_released(
    airflow: Airflow,
    checks: list[int],
    sandbox: Sandbox,
    capfd: pytest.CaptureFixture[str],
) -> None:
    backfill_id = begin(airflow)
    sandbox.faults([{"kind": "bad_key"}])
    why = (
        "fail limits: balldontlie: key refused, or its tier lacks this endpoint: check the"
        " connection's key and the account's plan [401]"
    )
    assert [*map(str, check_begun(backfill_id))] == [why]
    check_begun(backfill_id)  # by a scheduler that did not know
    airflow.summarise()
    airflow.sweep()
    assert (paused(backfill_id), holds(airflow, backfill_id)) == (True, [f"preflight: {why}"])
    assert airflow.subjects() == [f"[HELD] {DAG} {ALL}: its preflight failed"]
    assert f"airflow nba release {backfill_id}" in airflow.mails()[0].get_content()

    code, out, _ = let_go(capfd, backfill_id)
    assert (code, out.endswith(": it goes on\n")) == (0, True)
    noted = backfills.read(airflow.ledger, [backfill_id])[backfill_id]
    assert noted.options == {"released_by": getuser()}
    assert (paused(backfill_id), holds(airflow, backfill_id)) == (False, [])
    ever = backfills.read_all_holds(airflow.ledger, [backfill_id])
    assert [hold.why for hold in ever] == [why]
    airflow.start(DAY)
    assert airflow.states(DAY) == {str(DAY): "running"}
    assert let_go(capfd, backfill_id) == (
        2,
        "",
        f"airflow nba release: the preflight does not hold backfill {backfill_id}\n",
    )


def test_one_that_cannot_be_planned_stays_paused_with_one_mail(
    airflow: Airflow, checks: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    backfill_id = begin(airflow)
    nonsense = {"conn_type": "generic", "extra": {"url": "nonsense"}}
    with monkeypatch.context() as patch:
        patch.setenv("AIRFLOW_CONN_RAW_STORE", json.dumps(nonsense))
        patch.setenv("PYTHONPATH", f"{DAGS.parent}:{DAGS.parent}/plugins")
        assert _check(backfill_id).wait(180) == 0
        found = [*map(str, check_begun(backfill_id))]  # by a scheduler that did not know
    assert found[0].startswith("fail scope: connection raw_store names no store")
    airflow.summarise()
    airflow.sweep()
    assert holds(airflow, backfill_id) == [f"preflight: {'; '.join(found)}"]
    assert (paused(backfill_id), airflow.subjects()) == (
        True,
        [f"[HELD] {DAG} {ALL}: its preflight failed"],
    )


def test_one_that_was_released_while_it_was_checked_is_not_told_as_held(
    airflow: Airflow, checks: list[int], sandbox: Sandbox, capfd: pytest.CaptureFixture[str]
) -> None:
    backfill_id = begin(airflow)
    sandbox.faults([{"kind": "bad_key"}])
    assert let_go(capfd, backfill_id)[0] == 0
    check_begun(backfill_id)
    airflow.summarise()
    airflow.sweep()
    assert (paused(backfill_id), airflow.subjects()) == (False, [])


@pytest.mark.parametrize("unknown", [987, 2**31, 10**20])
def test_unknown_backfill_is_not_released(
    checks: list[int], capfd: pytest.CaptureFixture[str], unknown: int
) -> None:
    assert let_go(capfd, unknown) == (
        2,
        "",
        f"airflow nba release: no backfill {unknown} is under way: `airflow nba status` shows"
        " those\n",
    )


def test_commands_own_backfill_is_not_held(airflow: Airflow, checks: list[int]) -> None:
    assert backfill_command(ALL) == 0
    airflow.start(DAY)
    assert (airflow.states(DAY), checks) == ({str(DAY): "running"}, [])


def test_one_that_is_being_noted_is_let_on(airflow: Airflow, checks: list[int]) -> None:
    with airflow.ledger.transaction():
        backfills.lock_orders(airflow.ledger, DAG)
        begin(airflow)
    assert (airflow.states(DAY), checks) == ({str(DAY): "running"}, [])


OTHERS = """
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG
from pendulum import datetime

with DAG("others", schedule="@daily", start_date=datetime(2025, 1, 1), catchup=False):
    EmptyOperator(task_id="something")
"""


def test_backfill_of_another_team_is_left_alone(
    airflow: Airflow, checks: list[int], tmp_path: Path
) -> None:
    from airflow.dag_processing.dagbag import DagBag, sync_bag_to_db
    from airflow.models.dagrun import DagRun
    from airflow.utils.state import DagRunState
    from sqlalchemy import select

    from nba_airflow import listener

    (tmp_path / "others.py").write_text(OTHERS)
    with transaction() as session:
        sync_bag_to_db(DagBag(tmp_path / "others.py"), "dags-folder", None, session=session)
    backfill_id = replace(airflow, dag_id="others").backfill(ALL, met=False)
    with transaction() as session:
        run = session.scalars(select(DagRun).where(DagRun.backfill_id == backfill_id)).first()
        assert run
        run.set_state(DagRunState.RUNNING)
        listener.on_dag_run_running(dag_run=run, msg="")
        assert run.state == "running"
    assert (checks, paused(backfill_id), holds(airflow, backfill_id)) == ([], False, [])


def test_check_that_died_is_begun_again(airflow: Airflow, checks: list[int]) -> None:
    backfill_id = begin(airflow)
    begun.check_due()
    assert checks == [backfill_id]
    airflow.ledger.execute("UPDATE ops.holds SET since = since - interval '4 minutes'")
    airflow.ledger.commit()
    airflow.sweep()
    airflow.sweep()
    assert checks == [backfill_id, backfill_id]
