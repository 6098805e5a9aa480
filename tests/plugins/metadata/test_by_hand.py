"""Whatever is done to a run by hand, mail, command and status say what was counted."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from include.partition import DateRange
from tests.plugins.running import Airflow, backfill_command, transaction

DAG = "nbacom_box_scores"
FIRST = date(2024, 12, 2)
TWO = DateRange(FIRST, FIRST + timedelta(days=1))
BOX, PLAYS = "box_scores", "play_by_play"


@pytest.fixture
def nbacom(airflow: Airflow, monkeypatch: pytest.MonkeyPatch) -> Airflow:
    """A backfill of two dates with two endpoints each, of which the second is complete."""
    airflow.dag_id = DAG
    airflow.backfill(TWO)
    airflow.start(*TWO.days)
    for endpoint in (BOX, PLAYS):
        airflow.write(TWO.last, "complete", endpoint=endpoint)
    airflow.end(TWO.last, state="success")
    return airflow


def told(airflow: Airflow, capsys: pytest.CaptureFixture[str]) -> tuple[str, str, int]:
    """The mail's subject without its window, the command's first line, and its exit code."""
    airflow.summarise()
    airflow.sweep()
    capsys.readouterr()
    code = backfill_command(TWO, dag_id=DAG, attach=True)
    (subject,) = airflow.subjects()
    return subject.replace(f" {DAG} {TWO}", ""), capsys.readouterr().out, code


def test_marked_success_with_an_endpoint_that_never_ran_is_not_counted(
    nbacom: Airflow, capsys: pytest.CaptureFixture[str]
) -> None:
    nbacom.write(TWO.first, "complete", endpoint=BOX)
    nbacom.mark(TWO.first, "success")
    subject, said, code = told(nbacom, capsys)
    assert (subject, code) == ("[1 not run]: 1 of 2 dates complete", 1)
    line = f"  not_run {PLAYS}: {TWO.first}: not counted: marked success by hand"
    assert said.splitlines()[:2] == ["1 complete, 1 not_run", line]


def test_marked_success_without_any_row_is_not_called_lost(
    nbacom: Airflow, capsys: pytest.CaptureFixture[str]
) -> None:
    nbacom.mark(TWO.first, "success")
    subject, said, code = told(nbacom, capsys)
    assert (subject, code) == ("[1 not run]: 1 of 2 dates complete", 1)
    line = f"  not_run: {TWO.first}: not counted: marked success by hand"
    assert said.splitlines()[:2] == ["1 complete, 1 not_run", line]


def test_marked_failed_although_it_was_counted_is_complete(
    nbacom: Airflow, capsys: pytest.CaptureFixture[str]
) -> None:
    for endpoint in (BOX, PLAYS):
        nbacom.write(TWO.first, "complete", endpoint=endpoint)
    nbacom.mark(TWO.first, "failed")
    subject, said, code = told(nbacom, capsys)
    assert (subject, code) == ("[OK]: 2 dates complete", 0)
    assert said.splitlines()[0] == "2 complete"


def test_marked_failed_while_it_waited_is_not_waiting_any_more(
    nbacom: Airflow, capsys: pytest.CaptureFixture[str]
) -> None:
    nbacom.write(TWO.first, "complete", endpoint=BOX)
    nbacom.write(TWO.first, "quota_wait", endpoint=PLAYS, message="for credits")
    nbacom.mark(TWO.first, "failed")
    subject, said, code = told(nbacom, capsys)
    assert (subject, code) == ("[1 not run]: 1 of 2 dates complete", 1)
    line = (
        f"  not_run {PLAYS}: {TWO.first}: not counted: marked failed by hand while it waited: for"
        " credits"
    )
    assert said.splitlines()[:2] == ["1 complete, 1 not_run", line]
    assert standing(nbacom)[PLAYS] == {"complete": 1, "not_run": 1}


def test_run_that_was_deleted_leaves_what_was_counted(
    nbacom: Airflow, capsys: pytest.CaptureFixture[str]
) -> None:
    for endpoint in (BOX, PLAYS):
        nbacom.write(TWO.first, "complete", endpoint=endpoint)
    nbacom.delete(TWO.first)
    subject, said, code = told(nbacom, capsys)
    assert (subject, code) == ("[OK]: 2 dates complete", 0)
    assert said.splitlines()[0] == "2 complete"


def test_run_that_was_deleted_before_it_was_counted_is_named(
    nbacom: Airflow, capsys: pytest.CaptureFixture[str]
) -> None:
    nbacom.delete(TWO.first)
    subject, said, code = told(nbacom, capsys)
    assert (subject, code) == ("[1 not run]: 1 of 2 dates complete", 1)
    line = f"  not_run: {TWO.first}: the date has no run"
    assert said.splitlines()[:2] == ["1 complete, 1 not_run", line]


def test_run_with_a_key_that_is_not_a_date_holds_up_no_mail(
    nbacom: Airflow, capsys: pytest.CaptureFixture[str]
) -> None:
    for key in ("2024-13-45", "yesterday"):
        nbacom.trigger(key)
        nbacom.move(key, "running")
        nbacom.move(key, "failed")
    for endpoint in (BOX, PLAYS):
        nbacom.write(TWO.first, "complete", endpoint=endpoint)
    nbacom.end(TWO.first, state="success")
    assert told(nbacom, capsys)[0] == "[OK]: 2 dates complete"


def test_run_of_a_future_date_has_a_mail_of_its_own_and_changes_no_other(nbacom: Airflow) -> None:
    future = date(9999, 12, 31)
    nbacom.trigger(str(future))
    nbacom.move(str(future), "running")
    for endpoint in (BOX, PLAYS):
        nbacom.write(future, "failed", endpoint=endpoint)
    nbacom.move(str(future), "failed")
    for endpoint in (BOX, PLAYS):
        nbacom.write(TWO.first, "complete", endpoint=endpoint)
    nbacom.end(TWO.first, state="success")
    nbacom.summarise()
    assert nbacom.subjects() == [
        f"[1 failed] {DAG} 9999-12-31: 0 of 1 date complete",
        f"[OK] {DAG} {TWO}: 2 dates complete",
    ]
    assert backfill_command(TWO, dag_id=DAG, attach=True) == 0


def test_rerun_command_of_the_mail_runs_what_was_marked_good(nbacom: Airflow) -> None:
    nbacom.mark(TWO.first, "success")
    nbacom.summarise()
    assert backfill_command(TWO, dag_id=DAG, rerun_failed_tasks=True) == 0
    assert nbacom.states() == {str(TWO.first): "queued", str(TWO.last): "success"}
    nbacom.start(TWO.first)
    for endpoint in (BOX, PLAYS):
        nbacom.write(TWO.first, "complete", endpoint=endpoint)
    nbacom.end(TWO.first, state="success")
    nbacom.summarise()
    assert nbacom.subjects()[1:] == [f"[OK] {DAG} {TWO.first}: 1 date complete"]


def standing(airflow: Airflow) -> dict[str, dict[str, int]]:
    """Endpoint -> outcome -> dates, as `airflow nba status` counts them."""
    from include.ops.status import outcome_counts
    from nba_airflow.metadata.register import read_open_runs

    with transaction() as session:
        open_runs = read_open_runs(session)
    found: dict[str, dict[str, int]] = {}
    for each in outcome_counts(airflow.ledger, open_runs):
        found.setdefault(each.endpoint, {})[each.outcome] = each.dates
    return found
