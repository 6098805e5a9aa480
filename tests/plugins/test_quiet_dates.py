"""Dates of a backfill that are under way when quiet hours begin: they wait for their end, without
worker, slot or request; live runs do not."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from include.guards.quiet_hours import PACIFIC
from include.ops.db import connect
from include.ops.session import Session
from include.outcome import Later, Outcome

DAG = "bdl_box_scores"
CHANGES = [date(2025, 3, 8), date(2025, 3, 9), date(2025, 11, 1), date(2025, 11, 2)]


@pytest.fixture(autouse=True)
def usual(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NBA_QUIET_HOURS", raising=False)


@pytest.fixture
def session(ops_db: str) -> Any:
    with connect(ops_db) as connection:
        connection.execute("TRUNCATE ops.game_days")
        connection.commit()
    with Session(ops_db) as found:
        yield found


def waits(session: Session, now: datetime, **conf: object) -> Later | None:
    """What the date meets at that moment."""
    from nba_airflow.guards import check_open

    try:
        check_open(session, DAG, conf, now)
    except Later as later:
        return later
    return None


@pytest.mark.parametrize("day", CHANGES)
def test_it_waits_until_23_pacific_and_no_longer(session: Session, day: date) -> None:
    begin, end = (
        datetime(day.year, day.month, day.day, hour, tzinfo=PACIFIC).astimezone(UTC)
        for hour in (18, 23)
    )
    second = timedelta(seconds=1)
    assert waits(session, begin - second) is None
    assert waits(session, end) is None
    for moment in (begin, end - second):
        later = waits(session, moment)
        assert later
        assert (later.until, later.outcome) == (end, Outcome.NOT_YET)
        assert str(later) == (f"quiet hours until {end:%Y-%m-%d %H:%M} UTC: games are under way")


def test_it_does_not_wait_on_a_date_without_games_nor_where_it_is_told_not_to(
    session: Session,
) -> None:
    evening = datetime(2025, 1, 15, 20, tzinfo=PACIFIC)
    assert waits(session, evening, ignore_quiet_hours=True) is None
    session.run(
        lambda c: c.execute("INSERT INTO ops.game_days (day, games) VALUES ('2025-01-15', 0)")
    )
    assert waits(session, evening) is None
