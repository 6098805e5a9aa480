"""Live dates that are not done by the time that their source declares: people are told once, and
nobody has to look."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import pytest

from include.partition import EASTERN
from include.sources.spec import Source
from tests.plugins.running import DAG, Airflow, transaction

DAY = date(2026, 11, 10)


@pytest.fixture
def late(airflow: Airflow, sources: dict[str, Source]) -> Iterator[Airflow]:
    """The other sources are paused; nothing is known to be late."""
    set_paused(True, *(sources.keys() - {DAG}))
    airflow.ledger.execute("TRUNCATE ops.late_dates")
    airflow.ledger.commit()
    yield airflow
    set_paused(False, *sources)


def set_paused(is_paused: bool, *dag_ids: str) -> None:
    from airflow.models.dag import DagModel

    with transaction() as session:
        for dag_id in dag_ids:
            session.get_one(DagModel, dag_id).is_paused = is_paused


def at(hour: int, minute: int = 0, *, days_on: int = 1) -> datetime:
    """US/Eastern wall clock on a day after DAY."""
    moment = datetime(DAY.year, DAY.month, DAY.day, hour, minute, tzinfo=EASTERN)
    return (moment + timedelta(days=days_on)).astimezone(UTC)


def look_for_late(now: datetime) -> None:
    """What the scheduler does when a summary starts."""
    from nba_airflow.metadata.freshness import note_late

    with transaction() as session:
        note_late(session, now)


def look(airflow: Airflow, now: datetime) -> list[str]:
    """The sweep looks, half an hour passes, and the summary runs; the subjects of what told of
    late dates."""
    from nba_airflow.summary import SummaryOperator

    look_for_late(now)
    airflow.ledger.execute("UPDATE ops.late_dates SET noticed_at = noticed_at - interval '31 min'")
    airflow.ledger.commit()
    SummaryOperator(task_id="report").execute({"ti": airflow})
    return [subject for subject in airflow.subjects() if subject.startswith("[LATE]")]


def live_runs(airflow: Airflow, *states: str) -> None:
    """The live runs of DAY and the dates before it, newest first, in these states."""
    for days, state in enumerate(states):
        day = DAY - timedelta(days=days)
        airflow.make_run(DAG, f"live__{day}", str(day))
        airflow.move(str(day), "running")
        airflow.move(str(day), state)


def test_date_that_is_not_done_by_its_time_is_told_once(late: Airflow) -> None:
    live_runs(late, "running", "success", "success", "success")
    assert look(late, at(17, 59)) == []
    told = [f"[LATE] {DAG} {DAY}"]
    assert look(late, at(18)) == told
    assert look(late, at(18, 5)) == told
    assert look(late, at(18, days_on=3)) == [*told, f"[LATE] {DAG} 2026-11-11..2026-11-12"]


def test_date_whose_run_was_never_made_is_told_and_one_that_failed_only_as_failed(
    late: Airflow,
) -> None:
    live_runs(late, "failed", "success")
    assert look(late, at(18)) == [f"[LATE] {DAG} {DAY - timedelta(days=2)}"]
    mail = late.mails()[-1]
    assert "its run is not made" in mail.get_content()


def test_date_that_is_done_before_people_are_told_is_not_told(late: Airflow) -> None:
    live_runs(late, "running", "success", "success")
    look_for_late(at(18))
    late.move(str(DAY), "success")
    assert look(late, at(18, 5)) == []


def test_dag_that_somebody_has_paused_is_not_asked(late: Airflow) -> None:
    set_paused(True, DAG)
    assert look(late, at(18)) == []


def test_only_dates_since_the_first_live_one_can_be_late(sources: dict[str, Source]) -> None:
    from nba_airflow.metadata.freshness import due_days

    first = sources[DAG].live_since
    moment = datetime(first.year, first.month, first.day, 23, tzinfo=EASTERN)
    assert due_days(sources[DAG], moment) == []
    assert due_days(sources[DAG], moment + timedelta(days=2)) == [
        first,
        first + timedelta(days=1),
    ]


def test_every_source_gives_its_dates_time_until_they_count_as_late(
    sources: dict[str, Source],
) -> None:
    for source in sources.values():
        assert all(e.late_at(DAY) <= source.fresh_at(DAY) for e in source.endpoints)
