"""Quiet hours on Airflow's own rows, by an injected clock: the backfill is paused in Airflow's
sense, its dates under way wait without worker or slot, live runs go on, it resumes by itself."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from include.ops import backfills
from include.partition import DateRange
from nba_airflow import specs
from tests.plugins.metadata.test_breaker import cool_down, fail, held, row, unpause
from tests.plugins.running import DAG, Airflow, transaction

PACIFIC = ZoneInfo("US/Pacific")
SECOND = timedelta(seconds=1)
D = [date(2024, 12, 2) + timedelta(days=n) for n in range(8)]
ALL = DateRange(D[0], D[-1])


@pytest.fixture(autouse=True)
def usual(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are as they are by default, and so is the breaker."""
    monkeypatch.delenv("NBA_BREAKER", raising=False)
    monkeypatch.delenv("NBA_QUIET_HOURS", raising=False)


def make(airflow: Airflow, **conf: object) -> int:
    """Airflow's backfill, made when nobody played."""
    from airflow.models.backfill import Backfill

    made = airflow.backfill(ALL, at_once=2)
    with transaction() as session:
        session.get(Backfill, made).dag_run_conf = conf
    return made


def look(now: datetime) -> None:
    """The sweep looks at that moment."""
    from nba_airflow.metadata.hold import hold_backfills

    with transaction() as session:
        hold_backfills(session, now)


def pause(backfill: int) -> None:
    """The UI's button."""
    from airflow.api_fastapi.core_api.routes.public.backfills import pause_backfill

    with transaction() as session:
        pause_backfill(backfill, session)


def played(airflow: Airflow, day: date, games: int) -> None:
    airflow.ledger.execute("INSERT INTO ops.game_days (day, games) VALUES (%s, %s)", (day, games))
    airflow.ledger.commit()


@pytest.mark.parametrize(
    "day", [date(2025, 3, 8), date(2025, 3, 9), date(2025, 11, 1), date(2025, 11, 2)]
)
def test_it_is_paused_from_18_to_23_pacific_on_both_sides_of_each_change_of_the_clocks(
    airflow: Airflow, day: date
) -> None:
    backfill = make(airflow)
    begin, end = (
        datetime(day.year, day.month, day.day, hour, tzinfo=PACIFIC).astimezone(UTC)
        for hour in (18, 23)
    )
    found = []
    for moment in (begin - SECOND, begin, end - SECOND, end, end + timedelta(minutes=5)):
        look(moment)
        found.append((row(backfill)[0], held(airflow)))
    quiet = (True, ["quiet hours"])
    # What holds it is forgotten once Airflow's own row has shown that it goes on.
    assert found == [(False, []), quiet, quiet, (False, ["quiet hours"]), (False, [])]


def test_a_pause_of_a_persons_right_after_them_stays(airflow: Airflow) -> None:
    backfill = make(airflow)
    look(datetime(2025, 1, 15, 20, tzinfo=PACIFIC))
    look(datetime(2025, 1, 15, 23, tzinfo=PACIFIC))
    assert row(backfill)[0] is False
    pause(backfill)
    for minutes in (1, 6):
        look(datetime(2025, 1, 15, 23, minutes, tzinfo=PACIFIC))
        assert (row(backfill)[0], held(airflow)) == (True, [])


@pytest.mark.parametrize("looks", [1, 2])
def test_a_scheduler_that_died_before_it_let_the_backfill_go_on_does_so_later(
    airflow: Airflow, looks: int
) -> None:
    from nba_airflow.metadata.hold import hold_backfills

    backfill = make(airflow)
    look(datetime(2025, 1, 15, 20, tzinfo=PACIFIC))
    with suppress(InterruptedError), transaction() as session:
        for _ in range(looks):
            hold_backfills(session, datetime(2025, 1, 15, 23, tzinfo=PACIFIC))
        raise InterruptedError
    assert (row(backfill)[0], held(airflow)) == (True, ["quiet hours"])
    look(datetime(2025, 1, 15, 23, 5, tzinfo=PACIFIC))
    assert (row(backfill)[0], held(airflow)) == (False, ["quiet hours"])
    look(datetime(2025, 1, 15, 23, 10, tzinfo=PACIFIC))
    assert (row(backfill)[0], held(airflow)) == (False, [])


def test_looks_of_one_transaction_that_is_committed_let_it_go_on(airflow: Airflow) -> None:
    from nba_airflow.metadata.hold import hold_backfills

    backfill = make(airflow)
    look(datetime(2025, 1, 15, 20, tzinfo=PACIFIC))
    with transaction() as session:
        for _ in range(3):
            hold_backfills(session, datetime(2025, 1, 15, 23, tzinfo=PACIFIC))
            session.flush()
        session.commit()
        hold_backfills(session, datetime(2025, 1, 15, 23, tzinfo=PACIFIC))
    assert (row(backfill)[0], held(airflow)) == (False, [])


def test_it_is_paused_beside_a_broken_file_of_somebody_elses(
    airflow: Airflow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken.py").write_text("import not_there\nSOURCE = not_there.SOURCE\n")
    monkeypatch.setattr(specs, "DAGS", tmp_path)
    backfill = make(airflow)
    found = []
    for hour in (20, 23):
        with suppress(ImportError):
            look(datetime(2025, 1, 15, hour, tzinfo=PACIFIC))
        found.append((row(backfill)[0], held(airflow)))
    assert found == [(True, ["quiet hours"]), (False, ["quiet hours"])]


@pytest.mark.parametrize(("games", "paused"), [(0, False), (3, True)])
def test_schedule_says_whether_it_is_paused(airflow: Airflow, games: int, paused: bool) -> None:
    for month in (1, 7):  # a date that it does not know is assumed by its month
        played(airflow, date(2025, month, 15), games)
        backfill = make(airflow)
        look(datetime(2025, month, 15, 20, tzinfo=PACIFIC))
        assert row(backfill)[0] is paused
        airflow.cancel(backfill)


@pytest.mark.parametrize(("month", "paused"), [(1, True), (7, False)])
def test_unknown_date_has_games_in_the_months_of_a_season(
    airflow: Airflow, month: int, paused: bool
) -> None:
    backfill = make(airflow)
    look(datetime(2025, month, 15, 20, tzinfo=PACIFIC))
    assert row(backfill)[0] is paused


def test_no_run_is_started_and_left_waiting_and_live_runs_go_on(airflow: Airflow) -> None:
    make(airflow)
    airflow.trigger("2024-10-01")
    assert airflow.startable() == {*map(str, D), "2024-10-01"}
    look(datetime(2025, 1, 15, 20, tzinfo=PACIFIC))
    assert airflow.startable() == {"2024-10-01"}


def test_it_may_be_ignored(airflow: Airflow) -> None:
    backfill = make(airflow, ignore_quiet_hours=True)
    look(datetime(2025, 1, 15, 20, tzinfo=PACIFIC))
    assert (row(backfill)[0], held(airflow)) == (False, [])


def test_dag_may_have_its_own_or_none(airflow: Airflow, monkeypatch: pytest.MonkeyPatch) -> None:
    backfill = make(airflow)
    at = datetime(2025, 1, 15, 17, 45, tzinfo=PACIFIC)
    found = []
    for stated in ("null", '{"begin": "17:30"}', "5"):
        monkeypatch.setenv("NBA_QUIET_HOURS", f'{{"{DAG}": {stated}}}')
        look(at)
        found.append(row(backfill)[0])
    assert found == [False, True, False]  # what cannot be read is as if nothing were stated


def test_what_a_person_has_paused_stays_paused(airflow: Airflow) -> None:
    backfill = make(airflow)
    airflow.pause(backfill)
    for hour in (20, 23):
        look(datetime(2025, 1, 15, hour, tzinfo=PACIFIC))
        assert (row(backfill)[0], held(airflow)) == (True, [])


def test_what_a_person_unpauses_in_them_is_paused_again(airflow: Airflow) -> None:
    backfill = make(airflow)
    look(datetime(2025, 1, 15, 20, tzinfo=PACIFIC))
    unpause(backfill)
    look(datetime(2025, 1, 15, 20, 5, tzinfo=PACIFIC))
    assert row(backfill)[0]
    look(datetime(2025, 1, 15, 23, tzinfo=PACIFIC))
    assert not row(backfill)[0]


def test_their_end_does_not_start_what_a_preflight_or_a_breaker_holds(airflow: Airflow) -> None:
    backfill = make(airflow)
    backfills.hold(airflow.ledger, backfill, "preflight", "no bucket")
    airflow.ledger.commit()
    for hour, kinds in ((20, ["preflight", "quiet hours"]), (23, ["preflight"])):
        look(datetime(2025, 1, 15, hour, tzinfo=PACIFIC))
        assert (row(backfill)[0], held(airflow)) == (True, kinds)


def test_probe_waits_for_their_end(airflow: Airflow, monkeypatch: pytest.MonkeyPatch) -> None:
    backfill = make(airflow)
    with monkeypatch.context() as off:
        off.setenv("NBA_QUIET_HOURS", '{"*": null}')
        for day in D[0:5]:
            fail(airflow, day)
    tomorrow = datetime.now(PACIFIC).date() + timedelta(days=1)
    played(airflow, tomorrow, 3)
    at = datetime(tomorrow.year, tomorrow.month, tomorrow.day, 20, tzinfo=PACIFIC)
    look(at)
    assert (row(backfill)[0], held(airflow)) == (True, ["breaker", "quiet hours"])
    look(at + timedelta(hours=3))
    assert row(backfill) == (False, 1)


def test_scheduler_that_died_at_their_end_lets_the_probe_go_later(
    airflow: Airflow, monkeypatch: pytest.MonkeyPatch
) -> None:
    from nba_airflow.metadata.hold import hold_backfills

    backfill = make(airflow)
    with monkeypatch.context() as off:
        off.setenv("NBA_QUIET_HOURS", '{"*": null}')
        for day in D[0:5]:
            fail(airflow, day)
        cool_down(airflow)
    assert row(backfill) == (False, 1)
    look(datetime(2025, 1, 15, 20, tzinfo=PACIFIC))
    assert (row(backfill), held(airflow)) == ((True, 1), ["breaker", "quiet hours"])
    with suppress(InterruptedError), transaction() as session:
        hold_backfills(session, datetime(2025, 1, 15, 23, tzinfo=PACIFIC))
        raise InterruptedError
    look(datetime(2025, 1, 15, 23, 5, tzinfo=PACIFIC))
    assert row(backfill) == (False, 1)
    look(datetime(2025, 1, 15, 23, 10, tzinfo=PACIFIC))
    assert (row(backfill), held(airflow)) == ((False, 1), ["breaker"])


def test_backfill_that_is_made_in_them_does_not_begin(
    airflow: Airflow, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow.models.backfill import Backfill
    from sqlalchemy import select

    from tests.plugins.running import backfill_command

    now = datetime.now(PACIFIC)
    begin, end = (f"{now + timedelta(hours=n):%H:%M}" for n in (-1, 1))
    monkeypatch.setenv("NBA_QUIET_HOURS", json.dumps({"*": {"begin": begin, "end": end}}))
    today = now.date()
    for n in (-1, 0, 1):
        played(airflow, today + timedelta(days=n), 1)
    assert backfill_command(ALL) == 0
    with transaction() as session:
        assert list(session.scalars(select(Backfill.is_paused))) == [True]
    assert held(airflow) == ["quiet hours"]
