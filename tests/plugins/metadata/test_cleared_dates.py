"""Dates of a completed backfill that are only cleared are under its breaker as well: Airflow keeps
them as the backfill's runs, and starts none of them while it is paused."""

from __future__ import annotations

from argparse import Namespace
from datetime import UTC, datetime, timedelta

import pytest

from tests.plugins.metadata.test_breaker import (
    ALL,
    DAG,
    DOWN,
    D,
    cool_down,
    fail,
    held,
    pass_,
    row,
    states,
    text_of,
)
from tests.plugins.running import Airflow, transaction

FAILED = {**DOWN, "fingerprint": "of long ago"}


def complete(airflow: Airflow) -> None:
    """All runs of the backfill have ended and are reported; its scheduler has noted that two hours
    ago, before the cool-downs of the breaker that these tests put into the past."""
    from airflow.models.backfill import Backfill
    from sqlalchemy import update

    airflow.summarise()
    noted = datetime.now(UTC) - timedelta(hours=2)
    with transaction() as session:
        session.execute(update(Backfill).values(completed_at=noted))
    airflow.sweep()


@pytest.fixture
def completed(airflow: Airflow, monkeypatch: pytest.MonkeyPatch) -> int:
    """Airflow's backfill of twenty dates, of which the last twelve failed one by one."""
    monkeypatch.delenv("NBA_BREAKER", raising=False)
    backfill = airflow.backfill(ALL, at_once=16)
    for day in D[0:8]:
        pass_(airflow, day)
    airflow.start(*D[8:])
    for day in D[8:]:
        airflow.write(day, "failed", **FAILED)
        airflow.end(day)
    complete(airflow)
    return backfill


def test_fifth_cleared_date_in_a_row_that_fails_alike_stops_the_rest_with_one_mail(
    airflow: Airflow, completed: int
) -> None:
    airflow.clear(*D[8:])
    airflow.sweep()
    for day in D[8:12]:
        fail(airflow, day)
    assert (row(completed), states(airflow)) == ((False, 16), [])
    fail(airflow, D[12])
    assert (row(completed), states(airflow)) == ((True, 16), [("open", "same failure")])
    assert (held(airflow), airflow.startable()) == (["breaker"], set())
    for _ in range(2):
        airflow.summarise()
        airflow.sweep()
        assert (row(completed), airflow.startable()) == ((True, 16), set())
    rest = f"{D[8]}..{D[-1]}"
    assert airflow.subjects()[1:] == [
        f"[Halted] {DAG} {rest}: 0 of 12 dates complete, 5 failed, 7 not run"
    ]
    assert "same failure" in text_of(airflow.mails()[1])


def test_good_probe_lets_the_cleared_dates_go_on_and_they_have_their_one_summary(
    airflow: Airflow, completed: int
) -> None:
    airflow.clear(*D[8:])
    airflow.sweep()
    for day in D[8:13]:
        fail(airflow, day)
    airflow.sweep()
    cool_down(airflow)
    assert (row(completed), states(airflow)) == ((False, 1), [("half open", "same failure")])
    airflow.start(D[13])
    assert airflow.startable() == set()
    airflow.write(D[13], "complete", requests=2)
    airflow.end(D[13], state="success")
    assert (row(completed), states(airflow)) == ((False, 16), [("closed", "same failure")])
    for day in D[14:]:
        pass_(airflow, day)
    airflow.summarise()
    airflow.sweep()
    assert (states(airflow), row(completed)) == ([], (False, 16))
    assert [subject.split("]")[0] for subject in airflow.subjects()[1:]] == [
        "[Halted",
        "[5 failed",
    ]


def test_bad_probe_keeps_the_cleared_dates_held(airflow: Airflow, completed: int) -> None:
    airflow.clear(*D[8:])
    for day in D[8:13]:
        fail(airflow, day)
    cool_down(airflow)
    fail(airflow, D[13])
    airflow.sweep()
    assert (row(completed), states(airflow)) == ((True, 1), [("open", "same failure")])


def test_resume_lets_the_cleared_dates_go_on(
    airflow: Airflow, completed: int, capsys: pytest.CaptureFixture[str]
) -> None:
    from nba_airflow.cli.resume import resume

    airflow.clear(*D[8:])
    for day in D[8:13]:
        fail(airflow, day)
    with pytest.raises(SystemExit) as ended:
        resume(Namespace(name=DAG, output="table", json=False))
    assert (ended.value.code, f"backfill {completed} of {DAG}" in capsys.readouterr().out) == (
        0,
        True,
    )
    assert row(completed) == (False, 16)
    assert airflow.startable() == {str(day) for day in D[13:]}


def test_what_was_reported_before_does_not_count(airflow: Airflow, completed: int) -> None:
    airflow.clear(D[18], D[19])
    airflow.sweep()
    fail(airflow, D[18])
    assert (row(completed), states(airflow)) == ((False, 16), [])
    fail(airflow, D[19])
    complete(airflow)
    airflow.clear(*D[10:15])
    for day in D[10:14]:
        fail(airflow, day)
    airflow.sweep()
    assert (row(completed), states(airflow)) == ((False, 16), [])
    assert airflow.startable() == {str(D[14])}


def test_breaker_that_was_open_when_it_was_completed_holds_no_cleared_date(
    airflow: Airflow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NBA_BREAKER", raising=False)
    backfill = airflow.backfill(ALL)
    for day in D[0:5]:
        fail(airflow, day)
    airflow.sweep()
    cool_down(airflow)
    airflow.start(D[5])
    airflow.cancel(backfill)
    airflow.write(D[5], "failed", **DOWN)
    airflow.end(D[5])
    airflow.clear(*D[6:])
    airflow.sweep()
    assert (row(backfill), airflow.startable()) == ((False, 16), {str(day) for day in D[6:]})


def test_status_tells_what_holds_the_cleared_dates(airflow: Airflow, completed: int) -> None:
    from nba_airflow.under_way import read_airflow, read_held

    airflow.clear(*D[8:])
    for day in D[8:13]:
        fail(airflow, day)
    _, _, unfinished = read_airflow(airflow.ledger)
    (told,) = read_held(airflow.ledger, unfinished)
    assert (told.dag_id, told.backfill_id, told.kind) == (DAG, completed, "breaker")
