"""Dates that share a body: one asks for it, the others get what came of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from include.errors import ErrorClass, Problem
from include.ops.db import connect
from include.ops.leases import Taken
from include.ops.session import Session
from include.ops.shared_fetches import shared_fetch
from include.partition import Partition

DATE = Partition(dag_id="nbacom_schedule", endpoint="schedule", day=date(2025, 1, 15))
OTHER = replace(DATE, day=date(2025, 1, 16))
SEASON = "2024-25"
HANG = Problem(
    error_class=ErrorClass.HANG,
    message="nba_stats: the answer is not complete after 45 s",
    source="nbacom_schedule",
    endpoint="schedule",
    day=DATE.day,
    url="https://stats.nba.com/stats/scheduleleaguev2?Season=2024-25",
    status=200,
    body_line="<html>",
    retry_at=datetime(2025, 3, 10, 12, tzinfo=UTC),
)


@pytest.fixture
def session(ops_db: str) -> Iterator[Session]:
    with connect(ops_db) as connection:
        connection.execute("TRUNCATE ops.shared_failures")
    with Session(ops_db) as session:
        yield session


def now(session: Session) -> datetime:
    ((moment,),) = session.run(lambda c: c.execute("SELECT clock_timestamp()").fetchall())
    return moment


def fail(session: Session, problem: Problem, at: Partition = DATE, group: str = SEASON) -> None:
    """One run's fetch fails so."""
    with pytest.raises(Problem) as failed, shared_fetch(session, at, group=group):
        raise problem
    assert failed.value is problem


def asks(session: Session, queued_since: datetime | None = None, group: str = SEASON) -> bool:
    """Whether another date's run, which has waited since then, asks by itself."""
    asked = False
    with (
        suppress(Problem),
        shared_fetch(session, OTHER, group=group, queued_since=queued_since),
    ):
        asked = True
    return asked


def test_who_has_waited_gets_the_failure_as_its_own(session: Session) -> None:
    queued = now(session)
    fail(session, HANG)
    with (
        pytest.raises(Problem) as shared,
        shared_fetch(session, OTHER, group=SEASON, queued_since=queued),
    ):
        pytest.fail("it asks as well")
    assert shared.value == replace(HANG, day=OTHER.day)
    assert shared.value.fingerprint == HANG.fingerprint


def test_who_comes_after_the_failure_asks_by_itself(session: Session) -> None:
    fail(session, HANG)
    assert asks(session)


def test_failure_of_another_season_is_nothing_to_it(session: Session) -> None:
    queued = now(session)
    fail(session, HANG, group="2023-24")
    assert asks(session, queued)


def test_newest_failure_counts(session: Session) -> None:
    fail(session, HANG)
    queued = now(session)
    fail(session, replace(HANG, error_class=ErrorClass.BLOCKED))
    with (
        pytest.raises(Problem, match="blocked: "),
        shared_fetch(session, OTHER, group=SEASON, queued_since=queued),
    ):
        pytest.fail("it asks as well")


def test_fetch_that_ends_well_makes_up_for_failures_before(session: Session) -> None:
    queued = now(session)
    fail(session, HANG)
    with shared_fetch(session, DATE, group=SEASON):
        pass
    assert asks(session, queued)


@pytest.mark.parametrize("error_class", [ErrorClass.SCHEMA_DRIFT, ErrorClass.STORAGE])
def test_what_is_wrong_with_one_date_or_host_is_not_shared(
    session: Session, error_class: ErrorClass
) -> None:
    queued = now(session)
    fail(session, replace(HANG, error_class=error_class))
    assert asks(session, queued)


def test_who_finds_it_being_fetched_is_put_off(
    ops_db: str, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("include.ops.leases.PATIENCE", 0.0)
    with (
        Session(ops_db, name="the first") as first,
        shared_fetch(first, DATE, group=SEASON),
        pytest.raises(Taken) as put_off,
        shared_fetch(session, OTHER, group=SEASON),
    ):
        pytest.fail("both fetch it")
    assert put_off.value.reason == (
        "another run (the first) is at work on nbacom_schedule schedule 2024-25"
    )
    assert put_off.value.until > now(session) + timedelta(seconds=20)
