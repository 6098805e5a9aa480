"""What a mail says is what Airflow's rows and the ledger say when its batch closes, whatever was
heard of it."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import Any

import psycopg
import pytest

from include import failpoints
from include.ops import db
from include.partition import DateRange
from tests.plugins.running import DAG, Airflow, Killed, backfill_command

FIRST = date(2024, 12, 2)
D = [FIRST + timedelta(days=n) for n in range(8)]
FIVE = DateRange(D[0], D[4])


def test_runs_that_ended_before_anything_was_heard_belong_to_the_batch(airflow: Airflow) -> None:
    airflow.backfill(FIVE)
    airflow.lost = True
    airflow.run("failed", D[0], D[1])
    airflow.lost = False
    airflow.run("complete", *D[2:5])
    airflow.summarise()
    assert airflow.subjects() == [f"[2 failed] {DAG} {FIVE}: 3 of 5 dates complete"]


def test_end_that_was_not_heard_is_neither_lost_nor_failed(airflow: Airflow) -> None:
    airflow.backfill(FIVE)
    airflow.run("complete", D[0])
    airflow.start(*D[1:5])
    airflow.lost = True
    airflow.end(D[1], "complete")
    airflow.lost = False
    for day in D[2:5]:
        airflow.end(day, "complete")
    airflow.summarise()
    assert airflow.subjects() == [f"[OK] {DAG} {FIVE}: 5 dates complete"]


def test_start_that_was_not_heard_is_not_a_cancel(airflow: Airflow) -> None:
    airflow.backfill(FIVE)
    airflow.lost = True
    airflow.start(*D[0:5])
    airflow.lost = False
    for day in D[0:4]:
        airflow.end(day, "failed")
    airflow.lost = True
    airflow.end(D[4], "failed")
    airflow.wait_a_minute()
    airflow.sweep()
    assert airflow.subjects() == [f"[5 failed] {DAG} {FIVE}: 0 of 5 dates complete"]


def test_backfill_of_which_nothing_was_heard_is_told_by_the_sweep(airflow: Airflow) -> None:
    airflow.lost = True
    backfill = airflow.backfill(FIVE)
    airflow.run("complete", D[0])
    airflow.run("partial", D[1])
    airflow.start(D[2])
    airflow.cancel(backfill)
    airflow.end(D[2], "complete")
    airflow.sweep()
    assert airflow.subjects() == [
        f"[Cancelled] {DAG} {FIVE}: 2 of 5 dates complete, 1 incomplete, 2 cancelled"
    ]
    airflow.sweep()
    assert len(airflow.mails()) == 1


def test_events_are_lost_on_order_and_no_others(
    airflow: Airflow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(failpoints.LOST, "1:100")
    airflow.backfill(FIVE)
    airflow.run("complete", *D[0:5])
    airflow.sweep()
    airflow.summarise()
    assert airflow.subjects() == []
    monkeypatch.setenv(failpoints.LOST, "1:0")
    airflow.sweep()
    assert airflow.subjects() == [f"[OK] {DAG} {FIVE}: 5 dates complete"]


@pytest.mark.parametrize("commit", range(1, 7))
def test_scheduler_that_is_killed_while_it_closes_a_cancelled_batch_does_not_forget_the_cancel(
    airflow: Airflow, monkeypatch: pytest.MonkeyPatch, commit: int
) -> None:
    backfill = airflow.backfill(FIVE)
    airflow.start(D[0])
    airflow.cancel(backfill)
    real, commits = psycopg.Connection.commit, []

    def die(connection: psycopg.Connection[Any]) -> None:
        real(connection)
        if connection is not airflow.ledger:
            commits.append(connection)
            if len(commits) == commit:
                connection.close()
                raise Killed

    airflow.write(D[0], "complete")
    with monkeypatch.context() as patch:
        patch.setattr(db.BoundedConnection, "commit", die)
        try:
            airflow.end(D[0], state="success")
            airflow.sweep()
        except Killed:
            pass
    if airflow.states()[str(D[0])] == "running":
        airflow.end(D[0], state="success")
    airflow.wait_for_claims()
    airflow.sweep()
    airflow.summarise()
    assert airflow.subjects() == [f"[Cancelled] {DAG} {FIVE}: 1 of 5 dates complete, 4 cancelled"]


def test_clear_over_the_dates_of_two_backfills_is_one_batch(airflow: Airflow) -> None:
    for dates in (DateRange(D[0], D[2]), DateRange(D[3], D[4])):
        airflow.backfill(dates)
        airflow.run("failed", *dates.days)
        airflow.summarise()
    airflow.clear(*FIVE.days)
    airflow.run("complete", *FIVE.days)
    airflow.summarise()
    airflow.sweep()
    assert airflow.subjects()[2:] == [f"[OK] {DAG} {FIVE}: 5 dates complete, 5 recovered"]
    first, _, last = airflow.mails()
    assert last["In-Reply-To"] == first["Message-ID"]


def test_mail_that_is_made_late_tells_what_was_true_when_its_batch_closed(
    airflow: Airflow,
) -> None:
    three = DateRange(D[0], D[2])
    airflow.backfill(three)
    airflow.run("complete", D[0], D[1])
    airflow.run("failed", D[2])
    airflow.clear(D[2])  # the summary is paused meanwhile, or waits for a worker
    airflow.run("complete", D[2])
    airflow.sweep()
    assert airflow.subjects() == [
        f"[1 failed] {DAG} {three}: 2 of 3 dates complete",
        f"[OK] {DAG} {D[2]}: 1 date complete, 1 recovered",
    ]
    first, _ = airflow.mails()
    body = first.get_body(("plain",))
    assert body
    assert "failed on purpose" in body.get_content()


@pytest.mark.parametrize("ahead", [-timedelta(minutes=5), timedelta(minutes=5)])
def test_worker_whose_clock_is_wrong_changes_no_mail(airflow: Airflow, ahead: timedelta) -> None:
    at = datetime.now(UTC) + ahead
    airflow.backfill(DateRange(D[0], D[1]))
    for outcome in ("failed", "complete"):
        for day in D[0:2]:
            airflow.start(day)
            airflow.write(day, outcome, requests=3, started_at=at, ended_at=at)
            airflow.end(day, state="failed" if outcome == "failed" else "success")
        airflow.sweep()
        airflow.clear(D[0], D[1])
    assert airflow.subjects() == [
        f"[2 failed] {DAG} {DateRange(D[0], D[1])}: 0 of 2 dates complete",
        f"[OK] {DAG} {DateRange(D[0], D[1])}: 2 dates complete, 2 recovered",
    ]
    found = [
        re.search(r"Requests +(\d+)", m.get_body(("plain",)).get_content()) for m in airflow.mails()
    ]
    assert [each[1] for each in found] == ["6", "6"]


def test_command_that_runs_dates_again_beside_new_ones_sends_one_mail(airflow: Airflow) -> None:
    for dates in (DateRange(D[0], D[1]), DateRange(D[2], D[2])):
        airflow.backfill(dates)
        airflow.run("failed", *dates.days)
        airflow.summarise()
    assert backfill_command(FIVE, rerun_failed_tasks=True) == 0
    airflow.run("complete", *FIVE.days)
    airflow.summarise()
    airflow.sweep()
    assert airflow.subjects()[2:] == [f"[OK] {DAG} {FIVE}: 5 dates complete, 3 recovered"]


def test_command_that_runs_again_what_nobody_has_told_yet_leaves_its_mail_as_it_was(
    airflow: Airflow,
) -> None:
    airflow.lost = True
    airflow.backfill(DateRange(D[0], D[1]))
    airflow.run("failed", D[0], D[1])
    airflow.lost = False
    backfill_command(DateRange(D[0], D[2]), rerun_failed_tasks=True)
    airflow.run("complete", *D[0:3])
    airflow.sweep()
    assert airflow.subjects() == [
        f"[2 failed] {DAG} {DateRange(D[0], D[1])}: 0 of 2 dates complete",
        f"[OK] {DAG} {DateRange(D[0], D[2])}: 3 dates complete, 2 recovered",
    ]


def test_alert_of_a_live_run_tells_what_it_has_used(airflow: Airflow) -> None:
    airflow.trigger(str(D[0]))
    airflow.start(D[0])
    airflow.write(D[0], "failed", requests=3, credits=20)
    airflow.end(D[0])
    airflow.summarise()
    (mail,) = airflow.mails()
    body = mail.get_body(("plain",))
    assert body is not None
    used = re.findall(r"(Requests|Credits) +(\d+)", body.get_content())
    assert used == [("Requests", "3"), ("Credits", "20")]


@pytest.mark.parametrize("first", [0, 1])
def test_two_runs_of_one_date_that_are_cleared_together_are_one_batch(
    airflow: Airflow, first: int
) -> None:
    one = DateRange(D[0], D[0])
    airflow.backfill(one)
    airflow.run("failed", D[0])
    airflow.trigger(str(D[0]))
    airflow.run("failed", D[0])
    airflow.summarise()
    airflow.sweep()
    told = airflow.subjects()
    both = airflow.run_ids(D[0])
    airflow.clear_runs(*both)
    for run_id in both:
        airflow.move_run(run_id, "running")
    airflow.write(D[0], "complete")
    for run_id in (both[first], both[1 - first]):
        airflow.move_run(run_id, "success")
        airflow.summarise()
        airflow.sweep()
    assert airflow.subjects()[len(told) :] == [f"[OK] {DAG} {D[0]}: 1 date complete, 1 recovered"]
