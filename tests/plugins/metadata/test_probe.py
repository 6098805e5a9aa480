"""A pause while the breaker tries one date: a person's stays, one that a scheduler left behind does
not."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest

from nba_airflow.metadata.hold import hold_backfills
from tests.plugins.metadata.test_breaker import ALL, D, cool_down, fail, held, row, states, unpause
from tests.plugins.running import Airflow, transaction


@pytest.fixture
def opened(airflow: Airflow, monkeypatch: pytest.MonkeyPatch) -> int:
    """Airflow's backfill, whose breaker five dates have opened."""
    monkeypatch.delenv("NBA_BREAKER", raising=False)
    backfill = airflow.backfill(ALL, at_once=16)
    for day in D[0:5]:
        fail(airflow, day)
    return backfill


def test_what_a_person_pauses_while_a_date_is_tried_stays_paused(
    airflow: Airflow, opened: int
) -> None:
    cool_down(airflow)
    airflow.start(D[5])
    airflow.pause(opened)
    for _ in range(2):
        airflow.sweep()
        assert (row(opened), held(airflow)) == ((True, 1), [])
    airflow.write(D[5], "complete", requests=2)
    airflow.end(D[5], state="success")
    airflow.sweep()
    assert (row(opened), held(airflow)) == ((True, 16), [])
    assert states(airflow) == [("closed", "same failure")]


def test_what_a_person_pauses_and_unpauses_while_a_date_is_tried_is_held_again(
    airflow: Airflow, opened: int
) -> None:
    cool_down(airflow)
    airflow.pause(opened)
    airflow.sweep()
    unpause(opened)
    airflow.sweep()
    assert (row(opened), held(airflow)) == ((False, 1), ["breaker"])


def test_scheduler_that_died_before_it_let_a_date_be_tried_does_so_later(
    airflow: Airflow, opened: int
) -> None:
    with suppress(InterruptedError), transaction() as session:
        hold_backfills(session, datetime.now(UTC) + timedelta(minutes=16))
        raise InterruptedError
    assert (row(opened), states(airflow)) == ((True, 16), [("half open", "same failure")])
    airflow.sweep()
    assert (row(opened), held(airflow)) == ((False, 1), ["breaker"])
