"""`airflow nba accept`: who accepts what and why lies beside the manifest; the command names what
it did and how to run the date again."""

from __future__ import annotations

import getpass
from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime
from typing import Any

import psycopg
import pytest

from include.outcome import Outcome
from include.partition import Partition
from include.steps.job import Stores
from include.storage import raw
from include.storage.accepted import read_accepted
from include.wording import moment
from nba_airflow.cli.accept import accept
from nba_airflow.cli.gaps import gaps
from nba_airflow.cli.status import status
from tests.plugins.cli.asking import DAG, DAY, Call, outcome

AT = Partition(dag_id=DAG, endpoint="box_scores", day=DAY)
WRONG = "GSW@POR (GSW's players have 140 points, the team 139)"
RERUN = f"airflow dags backfill {DAG} -s {DAY} -e {DAY} --rerun-failed-tasks -y"


@pytest.fixture
def partial(stores: Stores, done: Callable[[date], None]) -> Stores:
    """A date that was fetched with one game unsound and one missing."""
    done(DAY)
    whole = raw.read_manifest(stores.raw, AT)
    assert whole
    wrong = replace(
        whole,
        outcome=Outcome.PARTIAL,
        message="1 of 3 games",
        games_expected=3,
        missing=("MIA@BOS", WRONG),
        unsound=(WRONG,),
    )
    raw.write_manifest(stores.raw, AT, wrong, over=whole)
    return stores


def arguments(**more: Any) -> dict[str, Any]:
    given = {"dag_id": DAG, "date": str(DAY), "endpoint": None, "game": "", "missing": False}
    return {**given, "reason": "", "until": "", "undo": False, "list": False, **more}


def kept(stores: Stores) -> list[tuple[str, str, str]]:
    return [(each.wrong, each.reason, each.by) for each in read_accepted(stores.raw, AT)]


def test_game_is_accepted_as_it_is_wrong_now(call: Call, partial: Stores) -> None:
    said = call(accept, **arguments(game="gsw@por", reason="never repaired"))
    assert (said.code, said.err) == (0, "")
    assert kept(partial) == [(WRONG, "never repaired", getpass.getuser())]
    first, rerun = said.out.splitlines()
    assert first.startswith(f"accepted: {DAY} box_scores: {WRONG}: never repaired (")
    assert rerun == f"Run it again, which asks for nothing that is there: {RERUN}"


def test_what_is_missing_is_accepted_and_the_unsound_game_is_not(
    call: Call, partial: Stores
) -> None:
    call(accept, **arguments(missing=True, reason="never played"))
    assert kept(partial) == [("MIA@BOS missing", "never played", getpass.getuser())]


def test_date_of_which_all_is_accepted_is_no_gap_and_one_that_is_undone_is(
    call: Call, partial: Stores
) -> None:
    def gap() -> Any:
        window = {"dag_id": DAG, "start_date": str(DAY), "end_date": str(DAY)}
        return call(gaps, **window, json=True).facts["gaps"]

    call(accept, **arguments(game="GSW@POR", reason="never repaired"))
    assert len(gap()) == 1
    call(accept, **arguments(missing=True, reason="never played"))
    assert gap() == []
    said = call(accept, **arguments(undo=True, game="GSW@POR"))
    first, *_, advice = said.out.splitlines()
    assert first.startswith("not accepted any more: 2025-01-15 box_scores: GSW")
    assert advice.endswith(f": airflow dags backfill {DAG} -s {DAY} -e {DAY} --reset-dagruns -y")
    assert len(gap()) == 1
    assert [wrong for wrong, *_ in kept(partial)] == ["MIA@BOS missing"]


def test_list_names_who_accepted_what_and_when(call: Call, partial: Stores) -> None:
    assert call(accept, **arguments(list=True)).out == "nothing is accepted\n"
    call(accept, **arguments(game="GSW@POR", reason="never repaired", until="2099-01-01"))
    (found,) = call(accept, **arguments(list=True), json=True).facts["accepted"]
    when = moment(datetime.fromisoformat(found.pop("at")))
    told = f"accepted: 2025-01-15 box_scores: {WRONG}: never repaired ({getpass.getuser()}, {when})"
    assert call(accept, **arguments(list=True)).out == f"{told}\n"
    assert found == {
        "date": "2025-01-15",
        "endpoint": "box_scores",
        "wrong": WRONG,
        "reason": "never repaired",
        "by": getpass.getuser(),
        "until": "2099-01-01",
    }


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"game": "GSW@POR"}, 'say why it will stay so: --reason "..."'),
        ({"reason": "x"}, "say what is accepted: --game AWAY@HOME, or --missing for all that"),
        ({"reason": "x", "game": "A@B", "missing": True}, "say what is accepted: --game"),
        ({"reason": "x", "game": "UTA@PHX"}, "nothing of the kind is wrong with the date"),
        ({"reason": "x", "game": "GSW@POR", "until": "2020-01-01"}, "--until 2020-01-01 is over"),
        ({"undo": True}, "nothing of the kind is wrong with the date"),
        ({"date": "2025-02-30", "list": True}, "'2025-02-30' is not a day of the calendar"),
        ({"endpoint": "nope", "list": True}, f"{DAG} has no endpoint 'nope'"),
    ],
)
def test_what_cannot_be_accepted_is_refused_on_one_line(
    call: Call, partial: Stores, more: dict[str, Any], said: str
) -> None:
    found = call(accept, **arguments(**more))
    assert (found.code, found.out) == (2, "")
    assert found.err.startswith(f"airflow nba accept: {said}")
    assert len(found.err.splitlines()) == 1
    assert kept(partial) == []


@pytest.mark.usefixtures("airflow", "stores")
def test_status_names_what_was_accepted(call: Call, db: psycopg.Connection[Any]) -> None:
    outcome(db, DAY, "accepted", message="2 of 3 games; accepted: GSW@POR: for ever (ann)")
    said = f"accepted: {DAG} box_scores {DAY}: 2 of 3 games; accepted: GSW@POR: for ever (ann)"
    assert said in call(status).out.splitlines()
