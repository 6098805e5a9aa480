"""The breaker on Airflow's own rows: it opens within the stated count, in Airflow's sense, with one
mail; a probe resumes it; what a person has paused or unpaused is theirs."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from email.message import EmailMessage
from itertools import count
from typing import Any

import pytest

from include.ops import backfills
from include.ops.backfills import Backfill
from include.partition import DateRange
from nba_airflow.metadata.hold import hold_backfills
from nba_airflow.metadata.ledger import LEDGER, SLOW
from tests.plugins.running import DAG, Airflow, Killed, transaction

FIRST = date(2024, 12, 2)
D = [FIRST + timedelta(days=n) for n in range(20)]
ALL = DateRange(D[0], D[-1])
DOWN: Mapping[str, Any] = {"error_class": "upstream_down", "fingerprint": "down", "requests": 2}
HALTED = f"[Halted] {DAG} {ALL}: 0 of 20 dates complete"


def fail(airflow: Airflow, day: date, **more: Any) -> None:
    """The date's run starts and fails, of one cause if nothing else is said."""
    airflow.start(day)
    airflow.write(day, "failed", **{**DOWN, **more})
    airflow.end(day)


def pass_(airflow: Airflow, day: date, **more: Any) -> None:
    airflow.start(day)
    airflow.write(day, "complete", **{"requests": 2, **more})
    airflow.end(day, state="success")


def row(backfill: int) -> tuple[bool, int]:
    """Airflow's own: is_paused, max_active_runs."""
    from airflow.models.backfill import Backfill

    with transaction() as session:
        found = session.get(Backfill, backfill)
        return bool(found.is_paused), found.max_active_runs


def unpause(backfill: int) -> None:
    """The UI's button."""
    from airflow.api_fastapi.core_api.routes.public.backfills import unpause_backfill

    with transaction() as session:
        unpause_backfill(backfill, session)


def states(airflow: Airflow) -> list[tuple[str, str]]:
    """(state, flag) of the breakers."""
    found = airflow.ledger.execute("SELECT state, flag FROM ops.breakers").fetchall()
    airflow.ledger.commit()
    return found


def held(airflow: Airflow) -> list[str]:
    found = airflow.ledger.execute("SELECT kind FROM ops.holds ORDER BY kind").fetchall()
    airflow.ledger.commit()
    return [kind for (kind,) in found]


def cool_down(airflow: Airflow) -> None:
    """The moment of the next probe has come, and the sweep sees it."""
    airflow.ledger.execute(
        "UPDATE ops.breakers SET probe_at = clock_timestamp() - interval '1 second',"
        " opened_at = opened_at - interval '1 hour'"
    )
    airflow.ledger.commit()
    airflow.sweep()


@pytest.fixture(autouse=True)
def usual(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its thresholds are as they are by default."""
    monkeypatch.delenv("NBA_BREAKER", raising=False)


@pytest.fixture
def order(airflow: Airflow) -> int:
    """Airflow's backfill of twenty dates, planned with half a second each."""
    backfill = airflow.backfill(ALL, at_once=16)
    noted = Backfill(
        backfill_id=backfill,
        dag_id=DAG,
        batch_id=f"{DAG}:{backfill}:0",
        started_by="ann",
        plan={"seconds_per_date": 0.5},
    )
    backfills.write(airflow.ledger, noted)
    airflow.ledger.commit()
    return backfill


# --- each flag, with the number of dates after which it holds


def _errors(airflow: Airflow, n: int) -> None:
    if n in (3, 6, 9):
        fail(airflow, D[n], fingerprint=str(n))
    else:
        pass_(airflow, D[n])


def _alike(airflow: Airflow, n: int) -> None:
    fail(airflow, D[n])


def _refused(airflow: Airflow, n: int) -> None:
    fail(airflow, D[n], error_class="not_entitled", fingerprint=str(n))


def _refusing(airflow: Airflow, n: int) -> None:
    airflow.ledger.execute(
        "INSERT INTO ops.limiters (name, refusals) VALUES ('balldontlie', %s) ON CONFLICT (name) DO"
        " UPDATE SET refusals = excluded.refusals",
        (5 * (n + 1),),
    )
    airflow.ledger.commit()
    pass_(airflow, D[n])


def _slow(airflow: Airflow, n: int) -> None:
    end = datetime.now(UTC) + timedelta(seconds=6 * n)
    pass_(airflow, D[n], seconds={"wait": 5.0, "fetch": 0.9}, ended_at=end)


def _big(airflow: Airflow, n: int) -> None:
    pass_(airflow, D[n], peak_mb=400 * (n + 1))


@pytest.mark.parametrize(
    ("flag", "dates", "provoke"),
    [
        ("error rate", 10, _errors),
        ("same failure", 5, _alike),
        ("refusals", 3, _refused),
        ("refusals", 2, _refusing),
        ("pace", 10, _slow),
        ("memory", 3, _big),
    ],
)
def test_flag_opens_it_within_the_stated_number_of_dates(
    airflow: Airflow,
    order: int,
    flag: str,
    dates: int,
    provoke: Callable[[Airflow, int], None],
) -> None:
    for n in range(dates - 1):
        provoke(airflow, n)
    assert (row(order), states(airflow)) == ((False, 16), [])
    provoke(airflow, dates - 1)
    assert (row(order), states(airflow)) == ((True, 16), [("open", flag)])
    assert held(airflow) == ["breaker"]
    airflow.summarise()
    airflow.sweep()
    (mail,) = airflow.mails()
    assert str(mail["Subject"]).startswith(f"[Halted] {DAG} {ALL}: ")
    assert flag in text_of(mail)
    assert f"airflow nba resume {DAG}" in text_of(mail)


def text_of(mail: EmailMessage) -> str:
    body = mail.get_body(("plain",))
    assert body
    return body.get_content()


def test_no_date_is_started_any_more_those_under_way_end_and_live_runs_go_on(
    airflow: Airflow, order: int
) -> None:
    airflow.start(*D[5:8])
    for day in D[0:5]:
        fail(airflow, day)
    airflow.trigger("2024-10-01")
    assert airflow.startable() == {"2024-10-01"}
    for day in D[5:8]:
        airflow.write(day, "failed", **DOWN)
        airflow.end(day)
    airflow.summarise()
    airflow.sweep()
    (mail,) = airflow.mails()
    assert mail["Subject"] == f"{HALTED}, 8 failed, 12 not run"
    assert "Halted" in text_of(mail)
    assert airflow.startable() == {"2024-10-01"}


def test_good_probe_resumes_it_as_it_was_and_the_batch_has_its_one_summary(
    airflow: Airflow, order: int
) -> None:
    for day in D[0:5]:
        fail(airflow, day)
    airflow.sweep()
    assert row(order) == (True, 16)  # not yet
    cool_down(airflow)
    assert row(order) == (False, 1)
    assert states(airflow) == [("half open", "same failure")]
    airflow.start(D[5])
    assert airflow.startable() == set()  # one date is the probe
    airflow.sweep()
    assert row(order) == (False, 1)
    airflow.write(D[5], "complete", requests=2)
    airflow.end(D[5], state="success")
    assert (row(order), states(airflow)) == ((False, 16), [("closed", "same failure")])
    for day in D[6:]:
        pass_(airflow, day)
    airflow.summarise()
    airflow.sweep()
    assert (held(airflow), row(order)) == ([], (False, 16))
    assert airflow.subjects() == [
        f"{HALTED}, 5 failed, 15 not run",
        f"[5 failed] {DAG} {ALL}: 15 of 20 dates complete",
    ]


def test_bad_probe_keeps_it_held_longer_and_sends_no_second_mail(
    airflow: Airflow, order: int
) -> None:
    for day in D[0:5]:
        fail(airflow, day)
    for n, minutes in ((5, 30), (6, 60)):
        cool_down(airflow)
        fail(airflow, D[n])
        assert (row(order)[0], states(airflow)) == (True, [("open", "same failure")])
        ((wait,),) = airflow.ledger.execute(
            "SELECT probe_at - opened_at FROM ops.breakers"
        ).fetchall()
        assert wait == timedelta(minutes=minutes)
        airflow.ledger.commit()
    airflow.summarise()
    airflow.sweep()
    assert len(airflow.mails()) == 1


def test_probe_that_asked_for_nothing_tells_nothing(airflow: Airflow, order: int) -> None:
    for day in D[0:5]:
        fail(airflow, day)
    cool_down(airflow)
    pass_(airflow, D[5], requests=0)
    assert (row(order), states(airflow)) == ((False, 1), [("half open", "same failure")])
    pass_(airflow, D[6])
    assert (row(order), states(airflow)) == ((False, 16), [("closed", "same failure")])


def test_probe_is_started_beside_a_date_that_waits_for_days(airflow: Airflow, order: int) -> None:
    airflow.start(D[9])
    airflow.write(D[9], "quota_wait")
    for day in D[0:5]:
        fail(airflow, day)
    cool_down(airflow)
    assert row(order) == (False, 2)
    airflow.start(D[5])
    assert airflow.startable() == set()


def test_dates_that_were_under_way_when_it_closed_do_not_open_it_again(
    airflow: Airflow, order: int
) -> None:
    airflow.start(*D[10:16])
    for day in D[0:5]:
        fail(airflow, day)
    cool_down(airflow)
    pass_(airflow, D[5])
    for day in D[10:16]:
        airflow.write(day, "failed", **DOWN)
        airflow.end(day)
    assert (row(order), states(airflow)) == ((False, 16), [("closed", "same failure")])


def test_it_does_not_open_where_nothing_is_left_to_be_held_back(airflow: Airflow) -> None:
    backfill = airflow.backfill(DateRange(D[0], D[4]))
    for day in D[0:5]:
        fail(airflow, day)
    assert (row(backfill)[0], states(airflow)) == (False, [])


def test_what_a_person_has_paused_stays_paused_and_is_not_ours(
    airflow: Airflow, order: int
) -> None:
    airflow.start(*D[0:5])
    airflow.pause(order)
    for day in D[0:5]:
        airflow.write(day, "failed", **DOWN)
        airflow.end(day)
    cool_down(airflow)
    assert (row(order)[0], held(airflow)) == (True, [])


def test_person_who_unpauses_it_has_closed_it(airflow: Airflow, order: int) -> None:
    for day in D[0:5]:
        fail(airflow, day)
    airflow.ledger.execute("UPDATE ops.breakers SET opened_at = opened_at - interval '2 minutes'")
    airflow.ledger.commit()
    unpause(order)
    airflow.sweep()
    assert (row(order), states(airflow)) == ((False, 16), [("closed", "same failure")])
    assert held(airflow) == []


@pytest.mark.parametrize("again", ["the end again", "the sweep"])
def test_pause_that_was_lost_with_the_scheduler_is_made_again(
    airflow: Airflow, order: int, again: str
) -> None:
    for day in D[0:4]:
        fail(airflow, day)
    airflow.start(D[4])
    airflow.write(D[4], "failed", **DOWN)
    with pytest.raises(Killed):
        airflow.move_and_die(D[4], "failed")
    assert (row(order)[0], states(airflow)) == (False, [("open", "same failure")])
    if again == "the sweep":
        airflow.sweep()
    else:
        airflow.end(D[4], state="failed")
    assert row(order)[0]


def test_scheduler_that_comes_back_late_is_not_a_person_who_unpauses(
    airflow: Airflow, order: int
) -> None:
    for day in D[0:4]:
        fail(airflow, day)
    airflow.start(D[4])
    airflow.write(D[4], "failed", **DOWN)
    with pytest.raises(Killed):
        airflow.move_and_die(D[4], "failed")
    with transaction() as session:
        hold_backfills(session, datetime.now(UTC) + timedelta(minutes=3))
    assert (row(order), states(airflow)) == ((True, 16), [("open", "same failure")])


@pytest.mark.parametrize(("name", "tick"), [(DAG, 0.0), ("balldontlie", 0.0), (DAG, SLOW + 0.1)])
def test_resume_closes_it_and_the_backfill_goes_on_as_it_was(
    airflow: Airflow,
    order: int,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    tick: float,
) -> None:
    from nba_airflow.cli.resume import resume

    for day in D[0:5]:
        fail(airflow, day)
    cool_down(airflow)
    fail(airflow, D[5])  # a bad probe, so that it has one place
    assert row(order) == (True, 1)
    with monkeypatch.context() as patch:
        patch.setattr(LEDGER, "_again_at", 0.0)
        patch.setattr(LEDGER, "_monotonic", count(1000.0, tick).__next__)
        with pytest.raises(SystemExit) as ended:
            resume(Namespace(name=name, output="table", json=False))
    said = f"backfill {order} of {DAG} goes on: closed the breaker that same failure had opened\n"
    assert (ended.value.code, said in capsys.readouterr().out) == (0, True)
    assert (row(order), states(airflow)) == ((False, 16), [("closed", "same failure")])
    airflow.sweep()
    assert held(airflow) == []


def test_cancelled_backfill_is_forgotten(airflow: Airflow, order: int) -> None:
    for day in D[0:5]:
        fail(airflow, day)
    airflow.cancel(order)
    airflow.ledger.execute("UPDATE ops.holds SET since = since - interval '2 hours'")
    airflow.ledger.commit()
    airflow.sweep()
    airflow.sweep()
    assert (states(airflow), held(airflow)) == ([], [])
    assert len([s for s in airflow.subjects() if s.startswith("[Cancelled]")]) == 1


def test_dag_without_a_breaker(
    airflow: Airflow, order: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NBA_BREAKER", f'{{"{DAG}": null}}')
    for day in D[0:9]:
        fail(airflow, day)
    assert (row(order)[0], states(airflow)) == (False, [])


def test_thresholds_that_cannot_be_read_leave_the_usual_ones(
    airflow: Airflow, order: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NBA_BREAKER", "{")
    for day in D[0:5]:
        fail(airflow, day)
    assert states(airflow) == [("open", "same failure")]
