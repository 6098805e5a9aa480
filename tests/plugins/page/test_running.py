"""The page "Running" in Airflow's own API: what it shows of a backfill, and that each action does
what it says, for who may."""

from __future__ import annotations

from datetime import date, time

import pytest

from include.ops import backfills, batches, stages
from include.ops.stages import Stage
from include.partition import DateRange, eastern_moment
from tests.plugins.page.pressing import RUNNING, D, Sign, begin, halt, press, state
from tests.plugins.running import DAG, Airflow, transaction


def test_a_backfill_is_shown_as_it_is(sign: Sign, airflow: Airflow) -> None:
    number = begin(airflow, ends_at="2024-12-10T11:00:00+00:00", seconds_per_date=30.0)
    batch_id = batches.name_backfill(DAG, number)
    stages.write(airflow.ledger, batch_id, [Stage(stage="ramp", days=D[4:6])])
    airflow.ledger.commit()
    client = sign("viewer")
    found = client.get(RUNNING).json()
    (batch,) = found["batches"]
    assert (batch["runs"], batch["ended"], batch["failed"]) == (6, 2, 1)
    assert batch["outcomes"] == {"complete": 1, "failed": 1, "under way": 1, "not begun": 1}
    assert batch["stages"] == [{"stage": "ramp", "dates": 2, "state": "to come", "why": ""}]
    rows = dict(batch["rows"])
    assert rows["Dates"] == "1 failed, 1 complete, 1 under way, 1 not begun"
    assert rows["Taken"] == "8 of 40 requests; $0.00 of $0.06 spent"
    assert rows["Stages"] == "ramp 2024-12-06..2024-12-07, to come"
    assert rows["Pace"] == "about 2 min left by the plan"
    assert rows["Ends"] == "planned 2024-12-10 11:00 UTC"
    assert [part["backfill_id"] for part in batch["backfills"]] == [number]
    page = client.get("/nba/running").text
    assert '<progress max="6" value="2"' in page
    assert "1 failed, 1 complete, 1 under way, 1 not begun" in page


def defer(dag_id: str, run_id: str, until: date) -> None:
    """The run's tasks wait until noon of the day."""
    from airflow.models.taskinstance import TaskInstance
    from airflow.models.trigger import Trigger
    from airflow.providers.standard.triggers.temporal import DateTimeTrigger
    from sqlalchemy import select

    mine = (TaskInstance.dag_id == dag_id, TaskInstance.run_id == run_id)
    with transaction() as session:
        trigger = Trigger.from_object(DateTimeTrigger(moment=eastern_moment(until, time(12))))
        session.add(trigger)
        session.flush()
        for task in session.scalars(select(TaskInstance).where(*mine)):
            task.state, task.trigger_id = "deferred", trigger.id


def test_those_put_off_first_say_until_when_and_how_many_that_is_known_of(
    sign: Sign, airflow: Airflow, monkeypatch: pytest.MonkeyPatch
) -> None:
    from nba_airflow.metadata import waiting

    monkeypatch.setattr(waiting, "MAX_MOMENTS", 2)
    airflow.backfill(DateRange(D[0], D[2]))
    airflow.start(*D[:3])
    run_ids = [run_id for day in D[:3] for run_id in airflow.run_ids(day)]
    for n, run_id in ((2, run_ids[2]), (1, run_ids[1]), (0, run_ids[0])):
        airflow.write(D[n], "quota_wait")
        defer(DAG, run_id, date(2099, 1, 1 + n))
    found = sign("viewer").get(RUNNING).json()["batches"]
    (wait,) = (wait for batch in found for wait in batch["waits"])
    assert wait == {
        "outcome": "quota_wait",
        "dates": 3,
        "known": 2,
        "first_until": "2099-01-02T17:00:00Z",
        "last_until": "2099-01-03T17:00:00Z",
        "why": "quota_wait on purpose",
    }
    (rows,) = (dict(batch["rows"]) for batch in found if batch["waits"])
    assert rows["Put off"] == (
        "3 dates quota wait, until 2099-01-02 17:00 UTC to 2099-01-03 17:00 UTC (known of 2):"
        " quota_wait on purpose"
    )


def test_another_dags_run_of_the_same_name_is_not_asked_for(airflow: Airflow) -> None:
    from nba_airflow.metadata.waiting import read_moments

    for dag_id, until in (("nbacom_schedule", D[0]), (DAG, D[1])):
        defer(dag_id, airflow.make_run(dag_id, "manual__same", str(D[0])), until)
    with transaction() as session:
        found = read_moments(session, [(DAG, "manual__same")])
    assert found == {(DAG, "manual__same"): eastern_moment(D[1], time(12))}


def test_dates_that_wait_say_until_when(sign: Sign, airflow: Airflow) -> None:
    begin(airflow)
    airflow.write(D[2], "quota_wait")
    (run_id,) = airflow.run_ids(D[2])
    defer(DAG, run_id, date(2099, 1, 1))
    (batch,) = sign("viewer").get(RUNNING).json()["batches"]
    assert batch["outcomes"] == {"complete": 1, "failed": 1, "quota_wait": 1, "not begun": 1}
    (wait,) = batch["waits"]
    assert wait == {
        "outcome": "quota_wait",
        "dates": 1,
        "known": 1,
        "first_until": "2099-01-01T17:00:00Z",
        "last_until": "2099-01-01T17:00:00Z",
        "why": "quota_wait on purpose",
    }
    said = "1 date quota wait, until 2099-01-01 17:00 UTC: quota_wait on purpose"
    assert dict(batch["rows"])["Put off"] == said


def test_the_calendar_shows_a_date_as_waiting_until_its_run_is_ended_by_hand(
    sign: Sign, airflow: Airflow
) -> None:
    begin(airflow)
    airflow.write(D[2], "quota_wait")
    client, found = sign("viewer"), list[str]()
    for act in (lambda: None, lambda: airflow.mark(D[2], "failed")):
        act()
        cells = client.get("/nba/api/v1/calendar").json()["dags"][DAG]
        found += [cell["outcome"] for cell in cells if cell["day"] == str(D[2])]
    assert found == ["quota_wait", "not_run"]


def test_a_viewer_has_no_button_and_is_refused(sign: Sign, airflow: Airflow) -> None:
    number = begin(airflow)
    client = sign("viewer")
    page = client.get("/nba/running").text
    assert (page.count("<progress"), page.count("data-ask")) == (1, 0)
    at = f"/nba/api/v1/backfills/{number}"
    of_batch = f"/nba/api/v1/dags/{DAG}/batches/{batches.name_backfill(DAG, number)}"
    asked = [
        client.get(f"{at}/questions/cancel"),
        client.put(f"{at}/release"),
        client.put(f"{at}/resume"),
        client.get(f"{of_batch}/questions/rerun"),
        client.put(f"{of_batch}/rerun"),
        client.put(f"/api/v2/backfills/{number}/cancel"),
    ]
    assert [answer.status_code for answer in asked] == [403] * 6
    assert state(number) == (False, False)
    assert airflow.states()[str(D[1])] == "failed"


def test_no_action_is_a_post_which_another_site_could_send(sign: Sign, airflow: Airflow) -> None:
    number = begin(airflow)
    client = sign("admin")
    of_batch = f"dags/{DAG}/batches/{batches.name_backfill(DAG, number)}"
    acts = [f"backfills/{number}/release", f"backfills/{number}/resume", f"{of_batch}/rerun"]
    sent = [client.post(f"/nba/api/v1/{act}").status_code for act in acts]
    assert (sent, airflow.states()[str(D[1])]) == ([405] * 3, "failed")


def test_nobody_is_told_or_acts_without_signing_in(sign: Sign, airflow: Airflow) -> None:
    number = begin(airflow)
    client = sign("admin")
    client.cookies.clear()
    assert client.get(RUNNING).status_code == 401
    assert client.put(f"/nba/api/v1/backfills/{number}/resume").status_code == 401


def test_pause_resume_and_cancel_act_through_airflow_below_a_path(
    sign: Sign, airflow: Airflow
) -> None:
    number = begin(airflow)
    client = sign("user", root="/team")
    question, _ = press(client, "Pause")
    assert question["title"] == f"Pause backfill {number} of {DAG}?"
    assert question["address"] == f"/team/api/v2/backfills/{number}/pause"
    assert question["lines"][:3] == [
        "Under way, and goes on: 1 date",
        "Waits: 1 date",
        "Run later, these would take (2024-12-05):",
    ]
    (cost,) = (each for each in question["lines"] if " about " in each and " rows " in each)
    assert cost == "1 request, about 196 rows and 47.5 kB, which cost nothing"
    assert state(number) == (True, False)
    press(client, "Resume")
    assert state(number) == (False, False)
    question, _ = press(client, "Cancel the backfill")
    assert question["lines"][:3] == [
        "Under way, and goes on: 1 date",
        "Cancelled before they ran: 1 date",
        "Run later, these would take (2024-12-05):",
    ]
    measured = "(box_scores: nothing measured yet, by what the spec declares)"
    assert question["lines"][-1].endswith(f" of work {measured}")
    assert state(number) == (True, True)
    assert airflow.states()[str(D[3])] == "failed"
    assert airflow.states()[str(D[2])] == "running"


def test_failed_dates_run_again_in_their_own_runs(sign: Sign, airflow: Airflow) -> None:
    begin(airflow)
    client = sign("user")
    question, done = press(client, "Run unfinished dates again")
    assert question["title"] == f"Run 1 unfinished date of {DAG} again?"
    assert question["lines"][0] == str(D[1])
    assert done == {"said": f"1 date run again: {D[1]}"}
    assert airflow.states(D[0], D[1]) == {str(D[0]): "success", str(D[1]): "queued"}
    assert len(airflow.run_ids(D[1])) == 1
    assert "Run unfinished dates again" not in client.get("/nba/running").text


def test_cancelled_dates_are_not_called_failed(sign: Sign, airflow: Airflow) -> None:
    begin(airflow)
    press(sign("user"), "Cancel the backfill")
    airflow.run("complete", D[2])
    airflow.sweep()
    (ended,) = sign("user").get(RUNNING).json()["ended"]
    assert ended["rows"] == [["Not done", f"2 dates: {D[1]}, {D[3]}"]]
    assert [each["label"] for each in ended["actions"]] == ["Run unfinished dates again"]


def test_one_that_is_cancelled_ends_and_can_be_neither_resumed_nor_cancelled(
    sign: Sign, airflow: Airflow
) -> None:
    number = begin(airflow)
    client = sign("user")
    press(client, "Cancel the backfill")
    found = client.get(RUNNING).json()
    (batch,), title = found["batches"], f"Backfill {number}: cancelled, 1 date is still ending"
    (part,) = batch["backfills"]
    assert (part["title"], part["paused"], part["rows"], part["actions"]) == (title, False, [], [])
    assert (found["said"], batch["held"]) == ("1 batch under way", False)
    assert (batch["ended"], batch["failed"], batch["cancelled"]) == (3, 1, 1)
    assert batch["title"].endswith(": 3 of 4 ended; 1 failed; 1 cancelled")
    assert f"<h3>{title}</h3>" in client.get("/nba/running").text


def test_failed_dates_of_a_backfill_that_has_ended_run_again(sign: Sign, airflow: Airflow) -> None:
    begin(airflow)
    airflow.run("complete", D[2], D[3])
    airflow.sweep()
    client = sign("user")
    found = client.get(RUNNING).json()
    assert (found["batches"], [each["failed"] for each in found["ended"]]) == ([], [[str(D[1])]])
    press(client, "Run unfinished dates again")
    assert airflow.states(D[1]) == {str(D[1]): "queued"}
    found = client.get(RUNNING).json()
    assert (len(found["batches"]), found["ended"]) == (1, [])


def test_what_the_preflight_holds_is_released(sign: Sign, airflow: Airflow) -> None:
    number = begin(airflow)
    airflow.pause(number)
    backfills.hold(airflow.ledger, number, "preflight", "no key")
    airflow.ledger.commit()
    client = sign("user")
    _, done = press(client, "Release")
    assert done == {"said": "it goes on"}
    assert state(number) == (False, False)
    (noted,) = backfills.read(airflow.ledger, [number]).values()
    assert noted.options == {"released_by": "ann"}
    again = client.put(f"/nba/api/v1/backfills/{number}/release")
    assert (again.status_code, again.json()["detail"]) == (
        409,
        f"the preflight does not hold backfill {number}",
    )


def test_what_its_breaker_has_halted_is_resumed(
    sign: Sign, airflow: Airflow, monkeypatch: pytest.MonkeyPatch
) -> None:
    from include.ops import breakers

    number = begin(airflow)
    halt(airflow, number)
    monkeypatch.setenv("NBA_BREAKER", "")
    client = sign("user")
    (batch,) = client.get(RUNNING).json()["batches"]
    rows = dict(batch["backfills"][0]["rows"])
    assert rows["Breaker"].endswith("same failure, 5 alike; 0 probes failed so far")
    assert set(rows) == {"Breaker", "Its rules"}
    assert rows["Its rules"].startswith(
        "more than 20% failed of the last 50 dates, when 10 have ended;"
    )
    _, done = press(client, "Resume at once")
    assert done == {"said": "1 breaker closed, 0 pauses lifted, 0 dates woken"}
    assert state(number) == (False, False)
    assert breakers.read_not_closed(airflow.ledger) == []
    (batch,) = client.get(RUNNING).json()["batches"]
    (part,) = batch["backfills"]
    assert (part["paused"], part["rows"]) == (False, [])


@pytest.mark.parametrize("by", ["breaker", "person"])
def test_while_it_is_held_nobody_is_told_when_it_ends(
    sign: Sign, airflow: Airflow, by: str
) -> None:
    planned = "2024-12-10T11:00:00+00:00"
    number = begin(airflow, ends_at=planned, seconds_per_date=30.0)
    {"breaker": halt, "person": Airflow.pause}[by](airflow, number)
    (batch,) = sign("viewer").get(RUNNING).json()["batches"]
    assert (batch["held"], batch["seconds_left"], batch["by_plan"]) == (True, None, False)
    rows = dict(batch["rows"])
    assert (rows["Pace"], rows["Ends"]) == ("held", "held, planned 2024-12-10 11:00 UTC")


def test_quiet_hours_end_by_themselves(sign: Sign, airflow: Airflow) -> None:
    number = begin(airflow)
    airflow.pause(number)
    backfills.hold(airflow.ledger, number, "quiet hours", "games are under way")
    airflow.ledger.commit()
    (batch,) = sign("user").get(RUNNING).json()["batches"]
    (part,) = batch["backfills"]
    assert [each["label"] for each in part["actions"]] == ["Cancel the backfill"]


@pytest.mark.parametrize(
    ("path", "status"), [("999/questions/pause", 409), ("1/questions/delete", 422)]
)
def test_what_is_not_there_cannot_be_acted_on(
    sign: Sign, airflow: Airflow, path: str, status: int
) -> None:
    answer = sign("admin").get(f"/nba/api/v1/backfills/{path}")
    assert answer.status_code in (status, 404)
