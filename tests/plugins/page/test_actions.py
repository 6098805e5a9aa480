"""What the page asks and does where an order has more than the backfill that is acted on."""

from __future__ import annotations

import json
import threading

import pytest

from include.ops import backfills, stages
from include.partition import DateRange
from nba_airflow import advance
from tests.plugins.page.pressing import D, Sign, begin, find, halt, press, state
from tests.plugins.running import DAG, Airflow, backfill_command, transaction

ALL = DateRange(D[0], D[13])
AGAIN = "Run unfinished dates again"
REST = f"11 dates, {D[3]}..{D[13]}"


def begin_canary(airflow: Airflow) -> tuple[str, int]:
    """An order of all dates, whose canary is under way; its batch, and that backfill."""
    assert backfill_command(ALL, skip_canary=False) == 0
    airflow.start(*D[0:3])
    (batch_id,) = stages.read_waiting(airflow.ledger)
    (canary,) = backfills.read_orders(airflow.ledger, [batch_id])
    airflow.ledger.commit()
    return batch_id, canary.backfill_id


def end_canary(airflow: Airflow) -> None:
    """Each of its dates has all its games, and it is looked what is due before anybody has heard of
    it: nothing begins."""
    for day in D[0:3]:
        airflow.write(day, "complete", games_expected=7, games_found=7)
    airflow.lost = True
    for day in D[0:3]:
        airflow.end(day, state="success")
    airflow.lost = False
    advance.advance()
    assert sorted(airflow.states()) == [str(day) for day in D[0:3]]


def complete() -> None:
    """As Airflow does some seconds after the last end."""
    from nba_airflow.metadata.runs import complete_ended_backfills

    with transaction() as session:
        complete_ended_backfills(DAG, session)


def look(airflow: Airflow, batch_id: str) -> list[tuple[str, str, str]]:
    """The sweep, and what it does aside; how the stages stand then, and why."""
    airflow.sweep()
    for thread in threading.enumerate():
        if thread.name == advance.THREAD:
            thread.join()
    advance.advance()
    return [(each.stage, each.state, each.why) for each in stages.read(airflow.ledger, batch_id)]


def test_cancel_names_the_stages_to_come_and_leaves_them_out(sign: Sign, airflow: Airflow) -> None:
    batch_id, number = begin_canary(airflow)
    question, done = press(sign("user"), "Cancel the backfill")
    assert question["lines"][:4] == [
        "Under way, and goes on: 3 dates",
        "Cancelled before they ran: 0 dates",
        f"Left out, of stages to come: {REST}",
        f"Run later, these would take ({D[3]}..{D[13]}):",
    ]
    said = f"backfill {number} is cancelled, 11 dates of stages to come left out"
    assert (done, state(number)) == ({"said": said}, (True, True))
    end_canary(airflow)
    assert look(airflow, batch_id) == [
        ("canary", "begun", ""),
        ("whole", "left out", "cancelled by ann"),
    ]
    assert sorted(airflow.states()) == [str(day) for day in D[0:3]]
    (subject,) = airflow.subjects()
    assert subject == f"[11 not run] {DAG} {ALL}: 3 of 14 dates complete"


def test_a_stage_that_is_just_being_begun_is_not_cancelled(
    sign: Sign, airflow: Airflow, ops_db: str
) -> None:
    from include.ops.db import connect

    _, number = begin_canary(airflow)
    client = sign("user")
    with connect(ops_db) as scheduler:
        assert stages.lock(scheduler)
        answer = client.put(f"/nba/api/v1/backfills/{number}/cancel")
    assert (answer.status_code, state(number)) == (409, (False, False))


@pytest.mark.parametrize("act", ["cancel", "pause"])
def test_what_airflows_ui_has_stopped_gets_no_next_stage(airflow: Airflow, act: str) -> None:
    batch_id, number = begin_canary(airflow)
    getattr(airflow, act)(number)
    end_canary(airflow)
    complete()
    why = f"backfill {number} was cancelled, or ended while it was paused"
    assert look(airflow, batch_id) == [("canary", "begun", ""), ("whole", "left out", why)]
    assert sorted(airflow.states()) == [str(day) for day in D[0:3]]


def test_what_we_held_while_it_ended_is_followed_by_its_next_stage(airflow: Airflow) -> None:
    batch_id, number = begin_canary(airflow)
    airflow.pause(number)
    backfills.hold(airflow.ledger, number, "quiet hours", "games are under way")
    airflow.ledger.commit()
    end_canary(airflow)
    complete()
    assert look(airflow, batch_id) == [("canary", "begun", ""), ("whole", "begun", "")]


def test_only_the_failed_dates_that_were_asked_for_run_again(sign: Sign, airflow: Airflow) -> None:
    begin(airflow)
    client = sign("user")
    question = client.get(find(client, AGAIN)).json()
    airflow.write(D[2], "failed", requests=5)
    airflow.end(D[2])
    answer = client.request(question["method"], question["address"])
    said = f"by now others are not done: {D[1]}..{D[2]}; ask again"
    assert (answer.status_code, answer.json()) == (409, {"detail": said})
    assert airflow.states(D[1], D[2]) == {str(D[1]): "failed", str(D[2]): "failed"}
    _, done = press(client, AGAIN)
    assert done == {"said": f"2 dates run again: {D[1]}..{D[2]}"}


def test_dates_of_a_paused_backfill_run_again_once_it_is_resumed(
    sign: Sign, airflow: Airflow
) -> None:
    number = begin(airflow)
    airflow.pause(number)
    question, done = press(sign("user"), AGAIN)
    waits = f"They stay queued until backfill {number} is resumed"
    assert question["lines"][-1] == waits
    assert done == {"said": f"1 date run again: {D[1]}; {waits}"}
    assert airflow.startable() == set()


def test_no_date_of_a_paused_dag_runs_again(sign: Sign, airflow: Airflow) -> None:
    from airflow.models.dag import DagModel

    begin(airflow)
    client = sign("user")
    ask = find(client, AGAIN)
    with transaction() as session:
        session.get_one(DagModel, DAG).is_paused = True
    answer = client.get(ask)
    with transaction() as session:
        session.get_one(DagModel, DAG).is_paused = False
    said = f"{DAG} is paused, its runs would stay queued: run `airflow dags unpause {DAG}` first"
    assert (answer.status_code, answer.text.split(", or add")[0]) == (409, f'{{"detail":"{said}')


@pytest.mark.parametrize("action", ["pause", "cancel"])
def test_what_cannot_be_planned_can_be_stopped(
    sign: Sign, airflow: Airflow, monkeypatch: pytest.MonkeyPatch, action: str
) -> None:
    number = begin(airflow)
    away = json.dumps({"conn_type": "generic", "extra": {"url": "ftp://x"}})
    monkeypatch.setenv("AIRFLOW_CONN_RAW_STORE", away)
    answer = sign("user").get(f"/nba/api/v1/backfills/{number}/questions/{action}")
    assert answer.status_code == 200, answer.text
    *_, dated, cost = answer.json()["lines"]
    assert dated == f"Run later, these would take ({D[3]}):"
    assert cost.startswith("What they take cannot be told: ")
    assert "ftp" in cost


def test_what_the_preflight_holds_too_stays_paused_when_it_is_resumed(
    sign: Sign, airflow: Airflow
) -> None:
    number = begin(airflow)
    halt(airflow, number)
    backfills.hold(airflow.ledger, number, "preflight", "no key")
    airflow.ledger.commit()
    _, done = press(sign("user"), "Resume at once")
    closed = "1 breaker closed, 0 pauses lifted, 0 dates woken"
    assert (done, state(number)) == ({"said": f"{closed}; it stays paused: no key"}, (True, False))


def test_what_holds_the_cleared_dates_of_a_backfill_that_has_ended_is_ended_on_the_page_too(
    sign: Sign, airflow: Airflow
) -> None:
    number = begin(airflow)
    airflow.write(D[2], "complete", requests=3)
    airflow.end(D[2], state="success")
    airflow.cancel(number)
    airflow.clear(D[1])
    halt(airflow, number)
    question, done = press(sign("user"), "Resume at once")
    assert question["lines"][0] == "0 dates under way, 1 date not begun"
    closed = "1 breaker closed, 0 pauses lifted, 0 dates woken"
    assert (done, state(number)) == ({"said": closed}, (False, True))
    assert airflow.startable() == {str(D[1])}
    cancelled = sign("user").put(f"/nba/api/v1/backfills/{number}/cancel")
    assert (cancelled.status_code, cancelled.json()) == (
        409,
        {"detail": f"backfill {number} has ended: its cleared dates go on"},
    )


def test_a_backfill_of_another_teams_dag_is_not_found(sign: Sign, airflow: Airflow) -> None:
    from airflow.models.backfill import Backfill
    from airflow.models.dag import DagModel
    from sqlalchemy import update

    number = begin(airflow)
    with transaction() as session:
        session.merge(DagModel(dag_id="theirs", bundle_name="dags-folder"))
        session.execute(update(Backfill).where(Backfill.id == number).values(dag_id="theirs"))
    client = sign("admin")
    at = f"/nba/api/v1/backfills/{number}"
    found = [client.get(f"{at}/questions/pause")]
    found += [client.put(f"{at}/{act}") for act in ("release", "resume", "cancel")]
    assert [each.status_code for each in found] == [404] * 4
    assert {each.text for each in found} == {
        f'{{"detail":"backfill {number} is not one of game dates"}}'
    }
    assert state(number) == (False, False)
