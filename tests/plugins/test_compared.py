"""The summary of a backfill of box scores says how far the two sources agree."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from include.mail.render import render
from include.mail.report import Report
from include.outcome import Outcome
from include.parsing.balldontlie import BOX_SCORES
from include.parsing.nbacom import PLAYER_BOX_SCORES
from include.results import DateResult
from include.warehouse.local import LocalWarehouse
from nba_airflow.plan_vs_actual import add_plan_vs_actual
from tests.plugins.test_plan_vs_actual import db

__all__ = ["db"]

DAY = date(2024, 10, 22)
AT = datetime(2026, 1, 1, tzinfo=UTC)
PLAYERS = 20


@pytest.fixture
def warehouse(
    db: psycopg.Connection[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> LocalWarehouse:
    """Three dates of Ball Don't Lie and two of NBA.com, where one player has a point and a rebound
    more."""
    for name in ("NBA_STATS", "NBA_CDN"):
        found = {"conn_type": "http", "host": "http://x"}
        monkeypatch.setenv(f"AIRFLOW_CONN_{name}", json.dumps(found))
    made = LocalWarehouse(tmp_path / "warehouse")
    for number in range(3):
        made.replace(BOX_SCORES, DAY + timedelta(days=number), rows(number, "minutes"))
    for number in range(2):
        theirs = rows(number, "min")
        theirs[0] |= {"pts": 13, "reb": 5} if number else {}
        made.replace(PLAYER_BOX_SCORES, DAY + timedelta(days=number), theirs)
    return made


def rows(number: int, minutes: str) -> list[dict[str, Any]]:
    teams = {"game_id": "1", "away_tricode": "GSW", "home_tricode": "POR"}
    numbers = {"pts": 12, "reb": 4, "ast": 3, minutes: 24}
    fixed = {"game_date": DAY + timedelta(days=number), "source_file": "x", **teams, **numbers}
    return [
        {**fixed, "player_id": n, "player_key": f"p {n}", "team_tricode": "GSW", "team_id": 1}
        for n in range(PLAYERS)
    ]


def report(**more: Any) -> Report:
    days = [DAY + timedelta(days=n) for n in range(3)]
    facts: dict[str, Any] = {
        **{"batch_id": "1", "dag_id": "bdl_box_scores", "kind": "backfill", "state": "finished"},
        **{"first_day": days[0], "last_day": days[-1], "started_at": AT, "ended_at": AT},
        **{"requests": 0, "credits_used": 0},
        "dates": [DateResult(day=day, outcome=Outcome.COMPLETE) for day in days],
    }
    return Report(**{**facts, **more})


def told(found: Report) -> str:
    """What its mail says of box scores."""
    text = " ".join(render(found).text.split())
    return text.partition(" Box scores ")[2].partition(" The one summary")[0]


@pytest.mark.parametrize("dag_id", ["bdl_box_scores", "nbacom_box_scores"])
@pytest.mark.usefixtures("warehouse")
def test_mail_says_how_much_differs_and_how_to_list_it(
    db: psycopg.Connection[Any], dag_id: str
) -> None:
    assert told(add_plan_vs_actual(db, report(dag_id=dag_id))) == (
        "40 players of 2 dates compared at Ball Don't Lie and NBA.com, 2 differences: airflow nba"
        " reconcile -s 2024-10-22 -e 2024-10-24"
    )


@pytest.mark.parametrize(
    "more",
    [{"dag_id": "nbacom_schedule"}, {"kind": "live"}, {"dates": []}],
    ids=["another table", "live", "nothing done"],
)
@pytest.mark.usefixtures("warehouse")
def test_other_mails_say_nothing_of_it(db: psycopg.Connection[Any], more: dict[str, Any]) -> None:
    assert told(add_plan_vs_actual(db, report(**more))) == ""


def test_mail_waits_so_long_for_it_and_no_longer(warehouse: LocalWarehouse) -> None:
    """The clock is asked once at the beginning, and once a date."""
    from include.mail.report import Compared
    from nba_airflow import compared

    days = [DAY + timedelta(days=n) for n in range(3)]
    moments = iter((0.0, 20.0, 20.1, 20.2))
    found = compared.compare(warehouse, days, lambda: next(moments))
    assert found == Compared(dates=1, players=20, differences=0, left_out=2)
    assert told(report(compared=found)).startswith("20 players of 1 of 3 dates compared at")
