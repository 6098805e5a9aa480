"""`airflow nba resume`: what held a connection back is lifted and named, and dates that waited for
it go on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import psycopg
import pytest

from devstack.connections import postgres_fields
from nba_airflow.cli.resume import resume
from tests.plugins import scheduling
from tests.plugins.cli.asking import DAG, Call, outcome
from tests.plugins.scheduling import Scheduler, bag_since, live_day, scheduler

DAYS = [date(2025, 1, 15) + timedelta(days=n) for n in range(3)]
UNTIL = datetime(2099, 1, 1, 12, 0, 5, tzinfo=UTC)
PAUSED = {"kind": "pause", "name": "balldontlie", "until": "2099-01-01T12:00:05+00:00"}


@pytest.fixture
def waiting(
    books: str, ops_db: str, db: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Scheduler]:
    """Three deferred dates: one waits for its upstream, one for its games, one has no outcome
    yet."""
    monkeypatch.setenv("AIRFLOW_CONN_OPS_DB", json.dumps(postgres_fields(ops_db)))
    with scheduler(bag_since(live_day(2)), DAG) as found:
        scheduling.backfill(DAG, DAYS[0], DAYS[-1])
        _defer(found)
        for day, said in zip(DAYS, ("quota_wait", "not_yet"), strict=False):
            outcome(db, day, said, run_id=_run_ids(found)[str(day)])
        yield found


def _defer(found: Scheduler) -> None:
    """As the dates' tasks do."""
    from airflow.models.taskinstance import TaskInstance
    from airflow.models.trigger import Trigger
    from airflow.providers.standard.triggers.temporal import DateTimeTrigger
    from sqlalchemy import select

    for task in found.session.scalars(select(TaskInstance).where(TaskInstance.dag_id == DAG)):
        trigger = Trigger.from_object(DateTimeTrigger(moment=UNTIL))
        found.session.add(trigger)
        found.session.flush()
        task.state, task.trigger_id, task.next_method = "deferred", trigger.id, "execute"
        task.next_kwargs = {"deferrals": 1, "spent": [2, 0]}
    found.session.commit()


def _run_ids(found: Scheduler) -> dict[str, str]:
    from airflow.models.dagrun import DagRun
    from sqlalchemy import select

    rows = found.session.execute(select(DagRun.partition_key, DagRun.run_id))
    return {key: run_id for key, run_id in rows if key}


def states(found: Scheduler) -> dict[str, str]:
    """Date -> the state of its task."""
    from airflow.models.taskinstance import TaskInstance
    from sqlalchemy import select

    found.session.expire_all()
    tasks = found.session.scalars(select(TaskInstance).where(TaskInstance.dag_id == DAG))
    return {str(task.dag_run.partition_key): str(task.state) for task in tasks}


def hold_back(db: psycopg.Connection[Any], name: str) -> None:
    db.execute("INSERT INTO ops.limiters (name, paused_until) VALUES (%s, %s)", (name, UNTIL))
    db.commit()


@pytest.mark.parametrize("name", ["balldontlie", DAG])
def test_a_pause_is_lifted_and_the_dates_that_wait_for_it_go_on(
    waiting: Scheduler, db: psycopg.Connection[Any], call: Call, name: str
) -> None:
    hold_back(db, "balldontlie")
    hold_back(db, "the_odds_api")
    assert call(resume, name=name).out == (
        "balldontlie: lifted the pause after a refusal, which held until 2099-01-01 12:00:05 UTC\n"
        "1 date that waited for it can go on now\n"
    )
    first, second, third = map(str, DAYS)
    assert states(waiting) == {first: "scheduled", second: "deferred", third: "deferred"}
    left = "SELECT name FROM ops.limiters WHERE paused_until > clock_timestamp()"
    assert db.execute(left).fetchall() == [("the_odds_api",)]


def test_it_answers_in_json_and_finds_nothing_the_second_time(
    waiting: Scheduler, db: psycopg.Connection[Any], call: Call
) -> None:
    hold_back(db, "balldontlie")
    asked = {"connections": ["balldontlie"], "exit_code": 0, "halted": []}
    first, second = (call(resume, name=DAG, json=True).facts for _ in range(2))
    assert first == {**asked, "lifted": [PAUSED], "woken": 1}
    assert second == {**asked, "lifted": [], "woken": 0}
    assert call(resume, name=DAG).out == "nothing held balldontlie back\n"


def test_a_date_that_is_woken_has_what_it_had_spent(waiting: Scheduler, call: Call) -> None:
    from airflow.models.taskinstance import TaskInstance
    from airflow.sdk.serde import deserialize
    from sqlalchemy import select

    call(resume, name=DAG)
    waiting.session.expire_all()
    woken = select(TaskInstance).where(TaskInstance.state == "scheduled")
    (task,) = waiting.session.scalars(woken)
    assert task.next_method == "execute"
    found = deserialize(task.next_kwargs)
    assert found == {"deferrals": 1, "spent": [2, 0], "event": None}


@pytest.mark.usefixtures("documented_alone")
def test_a_name_that_is_neither_is_refused_with_those_there_are(
    waiting: Scheduler, call: Call
) -> None:
    said = call(resume, name="nope")
    assert (said.code, said.out) == (2, "")
    assert said.err.startswith(
        "airflow nba resume: 'nope' is not a connection or the DAG of a source: those are"
        " balldontlie, bigdataball, nba_cdn, nba_stats, the_odds_api, bdl_box_scores, "
    )
