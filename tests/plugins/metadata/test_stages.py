"""A canary or a ramp: each stage begins in the scheduler, though who ordered it may be gone, and
only if the one before was clean; all are one batch with one mail."""

from __future__ import annotations

import threading
from argparse import Namespace
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import psycopg
import pytest
from sqlalchemy import text

from include.guards.preflight import Start
from include.ops import backfills, stages
from include.ops.batches import name_backfill
from include.ops.stages import Stage
from include.partition import DateRange
from nba_airflow import advance, orders
from nba_airflow.probes import check_canary
from tests.plugins.running import DAG, Airflow, Killed, backfill_command, transaction

FIRST = date(2024, 12, 2)
D = [FIRST + timedelta(days=n) for n in range(14)]
ALL = DateRange(D[0], D[13])


def settle(airflow: Airflow) -> None:
    """The summaries that were started have run, and what the scheduler does aside is done."""
    airflow.summarise()
    for thread in threading.enumerate():
        if thread.name == advance.THREAD:
            thread.join()


def begin(airflow: Airflow, **flags: bool) -> str:
    """Orders all dates; the order's batch."""
    assert backfill_command(ALL, skip_canary=False, **flags) == 0
    (batch_id,) = stages.read_waiting(airflow.ledger)
    return batch_id


def play(airflow: Airflow, *days: date, **more: object) -> None:
    """Each date runs and has all seven of its games."""
    for day in days:
        airflow.start(day)
        airflow.write(day, "complete", games_expected=7, games_found=7, **more)
        airflow.end(day, state="success")


def runs(airflow: Airflow) -> list[str]:
    return sorted(airflow.states())


def keys(days: Sequence[date]) -> list[str]:
    return [str(day) for day in days]


def test_canary_is_followed_by_the_rest_in_one_mail(airflow: Airflow) -> None:
    batch_id = begin(airflow)
    assert runs(airflow) == keys(D[0:3])
    play(airflow, D[0], D[1])
    settle(airflow)
    assert runs(airflow) == keys(D[0:3])
    play(airflow, D[2])
    settle(airflow)
    assert runs(airflow) == keys(D)
    play(airflow, *D[3:])
    settle(airflow)
    airflow.sweep()
    assert airflow.subjects() == [f"[OK] {DAG} {ALL}: 14 dates complete"]
    noted = backfills.read_orders(airflow.ledger, [batch_id])
    assert [each.stage for each in noted] == ["canary", "whole"]
    (canary, whole) = [each.plan or {} for each in noted]
    measured = {"dates": 3, "games": 21, "requests": 0, "credits": 0, "rows": 0, "bytes": 0}
    anew = {"measured": 0, "rest": 0, "seconds_per_date": 0}
    assert {**whole, **anew} == {**canary, **anew}
    assert measured.items() <= whole["measured"].items()
    assert len({(each.started_by, each.fingerprint, each.batch_id) for each in noted}) == 1


def read_both_plans(airflow: Airflow, batch_id: str) -> list[dict[str, Any]]:
    """The canary's, and that of the rest."""
    ordered = backfills.read_orders(airflow.ledger, [batch_id])
    return [dict(each.plan or {}) for each in ordered]


def test_rest_is_planned_anew_by_what_the_canary_has_measured(airflow: Airflow) -> None:
    batch_id = begin(airflow)
    play(airflow, *D[0:3], requests=2, seconds={"fetch": 2000.0})
    settle(airflow)
    (canary, whole) = read_both_plans(airflow, batch_id)
    assert whole["seconds_per_date"] > 100 > canary["seconds_per_date"]
    assert whole["rest"]["dates"] == 11
    assert (canary["assumed"], whole["rest"]["assumed"]) == (["box_scores"], [])
    assert whole["seconds_per_date"] == whole["rest"]["seconds_per_date"]
    assert backfills.read_plans(airflow.ledger, [batch_id]) == {batch_id: whole}


def test_rest_that_cannot_be_planned_anew_begins_with_the_first_plan(
    airflow: Airflow, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    batch_id = begin(airflow)
    monkeypatch.setenv("AIRFLOW_CONN_RAW_STORE", "{")
    play(airflow, *D[0:3])
    settle(airflow)
    (canary, whole) = read_both_plans(airflow, batch_id)
    assert whole.pop("measured")["games"] == 21
    assert whole == canary
    assert f"{DAG} is not planned anew, its first plan counts" in caplog.text


def test_canary_is_advised_where_none_is_run_already(
    airflow: Airflow, capfd: pytest.CaptureFixture[str]
) -> None:
    advice = "`airflow dags backfill` runs a canary of a few dates first"
    found = [[*check_canary(Start(dag_id=d, window=ALL))] for d in (DAG, "prop_results")]
    assert [[each.repair for each in of_dag] for of_dag in found] == [[advice], []]
    assert backfill_command(ALL, skip_canary=False) == 0
    said = "preflight: warn canary: 0 dates went well with this code and configuration\n"
    assert said in capfd.readouterr().err


def test_canary_that_is_not_clean_is_the_end_of_its_order(airflow: Airflow) -> None:
    batch_id = begin(airflow)
    play(airflow, D[0], D[1])
    airflow.run("failed", D[2])
    settle(airflow)
    settle(airflow)
    assert runs(airflow) == keys(D[0:3])
    assert airflow.subjects() == [f"[1 failed, 11 not run] {DAG} {ALL}: 2 of 14 dates complete"]
    why = f"1 date of the canary not done: {D[2]}"
    assert stages.read(airflow.ledger, batch_id) == [
        Stage(stage="canary", days=D[0:3], cleared=[], state="begun"),
        Stage(stage="whole", days=D[3:], cleared=[], state="left out", why=why),
    ]


SUMMER = DateRange(date(2024, 9, 25), date(2024, 10, 8))


def test_dates_that_the_schedule_lacks_are_thought_to_have_games_in_the_season(
    airflow: Airflow,
) -> None:
    assert backfill_command(SUMMER, skip_canary=False) == 0
    assert runs(airflow) == ["2024-10-01", "2024-10-02", "2024-10-03"]


def test_canary_without_a_game_is_the_end_of_an_order_that_may_have_some(airflow: Airflow) -> None:
    batch_id = begin(airflow)
    airflow.run("no_games", *D[0:3])
    settle(airflow)
    assert runs(airflow) == keys(D[0:3])
    (_, left) = stages.read(airflow.ledger, batch_id)
    why = "no date of the canary had a game, so that nothing was tried"
    assert (left.state, left.why) == ("left out", why)


def test_canary_without_a_game_is_followed_where_no_date_has_any(airflow: Airflow) -> None:
    off = DateRange(date(2024, 7, 1), date(2024, 7, 10))
    assert backfill_command(off, skip_canary=False) == 0
    airflow.run("no_games", *off.days[:3])
    settle(airflow)
    assert runs(airflow) == keys(off.days)


def test_ramp_is_three_dates_then_a_week_then_the_rest(airflow: Airflow) -> None:
    begin(airflow, ramp=True)
    for upto, days in ((3, D[0:3]), (10, D[3:10]), (14, D[10:14])):
        assert runs(airflow) == keys(D[0:upto])
        play(airflow, *days)
        settle(airflow)
    airflow.sweep()
    assert airflow.subjects() == [f"[OK] {DAG} {ALL}: 14 dates complete"]


def test_stage_whose_end_nobody_heard_is_followed_after_the_sweep(airflow: Airflow) -> None:
    begin(airflow)
    airflow.lost = True
    play(airflow, *D[0:3])
    settle(airflow)
    assert runs(airflow) == keys(D[0:3])
    airflow.sweep()
    settle(airflow)
    assert runs(airflow) == keys(D)


@pytest.mark.parametrize("where", ["note", "begin_next"])
def test_scheduler_that_dies_while_it_begins_a_stage_makes_no_second_backfill(
    airflow: Airflow, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    begin(airflow)
    airflow.lost = True
    play(airflow, *D[0:3])

    def die(*_: object, **__: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(orders if where == "note" else advance.stages, where, die)
        with pytest.raises(Killed):
            advance.advance()
    assert runs(airflow) == keys(D)
    advance.advance()
    advance.advance()
    airflow.lost = False
    play(airflow, *D[3:])
    settle(airflow)
    airflow.sweep()
    assert airflow.subjects() == [f"[OK] {DAG} {ALL}: 14 dates complete"]


def test_order_with_stages_to_come_lets_no_other_begin(
    airflow: Airflow, capsys: pytest.CaptureFixture[str]
) -> None:
    begin(airflow)
    airflow.lost = True
    play(airflow, *D[0:3])
    capsys.readouterr()
    assert backfill_command(DateRange(D[13], D[13] + timedelta(days=9))) == 2
    attach = f"airflow dags backfill {DAG} -s {D[0]} -e {D[13]} --attach"
    assert capsys.readouterr().err == (
        f"airflow dags backfill: {DAG} has stages to come: wait for them; to follow: {attach}\n"
    )


def test_window_that_has_ended_is_not_followed_into_the_stages_of_another(
    airflow: Airflow, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = DateRange(date(2024, 11, 4), date(2024, 11, 5))
    airflow.backfill(ended)
    play(airflow, *ended.days)
    settle(airflow)
    begin(airflow)

    def stop(_: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("nba_airflow.cli.stages.time.sleep", stop)
    assert backfill_command(ended, attach=True, detach=False) == 0


def test_repair_that_is_interrupted_says_that_its_dates_go_on(
    airflow: Airflow, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    from nba_airflow.cli.repair import repair

    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("nba_airflow.cli.stages.follow", stop)
    flags = dict.fromkeys(("json", "dry_run", "tables", "ledger", "mails"), False)
    words = {"dag_id": DAG, "start_date": str(D[0]), "end_date": str(D[1]), "reason": ""}
    with pytest.raises(SystemExit) as ended:
        repair(Namespace(**flags, **words, output="table"))
    attach = f"airflow dags backfill {DAG} -s {D[0]} -e {D[1]} --attach"
    said = f"Not following any more; {D[0]}..{D[1]} go on. Follow them again:\n{attach}\n"
    out = capfd.readouterr().out
    assert (ended.value.code, out[-len(said) :]) == (130, said)
    assert runs(airflow) == keys(D[0:2])


@pytest.mark.parametrize(("alone", "known"), [(True, []), (False, ["canary", "whole"])])
def test_stages_of_an_order_before_airflows_database_was_made_anew_are_not_its_own(
    airflow: Airflow, alone: bool, known: list[str]
) -> None:
    with transaction() as session:
        last = session.execute(text("SELECT nextval('backfill_id_seq')")).scalar_one()
    batch_id = name_backfill(DAG, last + 1)
    stages.write(airflow.ledger, batch_id, [Stage(stage="ramp", days=D, state="left out")])
    airflow.ledger.commit()
    assert backfill_command(ALL, skip_canary=alone) == 0
    assert [each.stage for each in stages.read(airflow.ledger, batch_id)] == known


def test_order_whose_ledger_is_lost_says_what_was_started(
    airflow: Airflow, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def lose(*_: object) -> None:
        raise psycopg.OperationalError("server closed the connection")

    monkeypatch.setattr(orders, "note", lose)
    assert backfill_command(ALL, skip_canary=False) == 2
    assert runs(airflow) == keys(D[0:3])
    with transaction() as session:
        number = session.execute(text("SELECT max(id) FROM backfill")).scalar_one()
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.startswith(
        f"airflow dags backfill: storage: backfill {number} of {DAG} was started with 3 dates"
        " but not noted, and is checked like one of the UI; 11 dates of later stages must be"
        " ordered again: the operations database (ops_db) failed: server closed the connection: "
    )


def test_dates_that_run_again_do_so_with_the_last_stage(airflow: Airflow) -> None:
    airflow.backfill(DateRange(D[13], D[13]))
    airflow.run("failed", D[13])
    airflow.summarise()
    begin(airflow, rerun_failed_tasks=True)
    assert airflow.states(D[13]) == {str(D[13]): "failed"}
    play(airflow, *D[0:3])
    settle(airflow)
    assert airflow.states(D[13]) == {str(D[13]): "queued"}
    play(airflow, *D[3:])
    settle(airflow)
    airflow.sweep()
    assert airflow.subjects()[1:] == [f"[OK] {DAG} {ALL}: 14 dates complete, 1 recovered"]


def test_code_and_configuration_that_ran_well_need_no_canary(
    airflow: Airflow, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert backfill_command(DateRange(D[0], D[1])) == 0
    play(airflow, D[0], D[1])
    airflow.sweep()
    assert backfill_command(DateRange(D[0], D[9]), skip_canary=False) == 0
    assert runs(airflow) == keys(D[0:10])
    play(airflow, *D[2:10])
    url = "AIRFLOW_CONN_BALLDONTLIE"
    monkeypatch.setenv(url, '{"conn_type": "http", "host": "http://127.0.0.2", "password": "a"}')
    assert backfill_command(DateRange(D[0], D[9] + timedelta(days=8)), skip_canary=False) == 0
    assert len(runs(airflow)) == 13
