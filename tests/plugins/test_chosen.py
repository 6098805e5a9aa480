"""What a connection's extra chooses of a source, where Airflow's own parts use it: the task, the
summary's plan, and the commands."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from devstack.sandbox.league import League
from devstack.sandbox.server import Sandbox, running
from include.errors import Problem
from include.ops.db import connect
from include.sources.odds_api import MAIN
from include.sources.spec import Source
from nba_airflow import connections
from nba_airflow.cli.gaps import gaps
from tests.plugins.cli.asking import Call
from tests.plugins.cli.conftest import call
from tests.steps import credentials

__all__ = ["call"]

DAY = date(2025, 1, 15)
GAMES = len(League(seed=1).games_on(DAY))
ODDS = "the_odds_api"
PLAN = {"monthly": 20_000, "live_reserve": 500, "spread": False}
WRONG = (
    "connection the_odds_api has markets in its extra that cannot be used ('mian' is not known; do"
    ' you mean main?): write {"markets": ...} with "main", "all" or names as in ["player_points",'
    ' "player_rebounds"]'
)

Choose = Callable[..., None]


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    folder = tmp_path_factory.mktemp("sandbox")
    with running(folder, keys=credentials.KEYS, monthly_credits=20_000) as server:
        yield server


@pytest.fixture
def choose(
    sandbox: Sandbox, ops_db: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Choose:
    """``choose(markets="main")``: Airflow's connections, with that in the extra."""

    def define(**extra: Any) -> None:
        found = credentials.connections(sandbox, ops_db)
        found[ODDS]["extra"] = {"credits": PLAN, **extra}
        for name, url in (("raw_store", "file"), ("warehouse", "duckdb")):
            extra = {"url": f"{url}://{tmp_path}/{name}"}
            found[name] = {"conn_type": "generic", "extra": extra}
        for name, connection in found.items():
            monkeypatch.setenv(f"AIRFLOW_CONN_{name.upper()}", json.dumps(connection))

    return define


def run(source: Source) -> None:
    """The date's player props as their task runs them."""
    from nba_airflow.operators import ScrapeOperator

    dag_run = SimpleNamespace(
        partition_key=str(DAY), run_type="backfill", conf=None, run_id="r", start_date=None
    )
    ti = SimpleNamespace(task_id="player_props", try_number=1, log_url="")
    operator = ScrapeOperator(
        task_id="player_props", source=source, endpoint=source.endpoint("player_props")
    )
    operator.execute({"dag_run": dag_run, "ti": ti})


def last_row(ops_db: str) -> tuple[str, int, str]:
    """Outcome, credits and message of the newest try."""
    with connect(ops_db) as connection:
        found = connection.execute(
            "SELECT outcome, credits, message FROM ops.outcomes ORDER BY ended_at DESC LIMIT 1"
        ).fetchone()
    assert found
    return tuple(found)


def test_task_buys_the_markets_that_the_connection_names_when_it_runs(
    choose: Choose, sandbox: Sandbox, sources: dict[str, Source], ops_db: str
) -> None:
    choose(markets="main")
    run(sources["odds_api_props"])
    credits = 1 + 10 * len(MAIN) * GAMES
    assert last_row(ops_db)[:2] == ("complete", credits)
    choose(markets=["main", "player_blocks"])
    run(sources["odds_api_props"])
    assert last_row(ops_db)[:2] == ("complete", 10 * GAMES)
    assert sandbox.bill()["used"] == credits + 10 * GAMES


def test_gaps_names_the_dates_that_lack_a_wanted_market_and_what_buys_it(
    choose: Choose, sources: dict[str, Source], call: Call
) -> None:
    choose(markets="main")
    run(sources["odds_api_props"])
    window = {"dag_id": "odds_api_props", "start_date": str(DAY), "end_date": str(DAY)}
    assert "player_props" not in call(gaps, **window).out
    choose(markets=["main", "player_blocks"])
    said = call(gaps, **window)
    assert said.code == 1
    assert "player_props: 2025-01-15: has no player_blocks: run the date again" in said.out
    assert f"dags backfill odds_api_props -s {DAY} -e {DAY} --reset-dagruns -y" in said.out


def test_wrong_choice_fails_the_task_with_one_line_before_any_request(
    choose: Choose, sandbox: Sandbox, sources: dict[str, Source], ops_db: str
) -> None:
    from airflow.sdk.exceptions import AirflowFailException

    choose(markets="mian")
    asked = len(sandbox.log())
    with pytest.raises(AirflowFailException) as caught:
        run(sources["odds_api_props"])
    assert WRONG in str(caught.value)
    assert last_row(ops_db) == ("failed", 0, WRONG)
    assert len(sandbox.log()) == asked


def test_source_is_as_its_connection_has_bought_and_chosen_it(
    choose: Choose, sources: dict[str, Source]
) -> None:
    choose(markets="main", regions="us,eu", game_lines="each_game")
    found = connections.as_bought(sources["odds_api_props"])
    assert found.hosts[0].credits is not None
    assert found.hosts[0].credits.monthly == PLAN["monthly"]
    props, lines = found.endpoints
    assert (props.parts, lines.parts) == (MAIN, ("h2h", "spreads", "totals"))
    assert {each.request.params["regions"] for each in found.endpoints} == {"us,eu"}
    assert connections.chosen(sources["bdl_box_scores"]) is sources["bdl_box_scores"]


def test_wrong_choice_names_connection_field_and_repair(
    choose: Choose, sources: dict[str, Source]
) -> None:
    choose(markets="mian")
    with pytest.raises(Problem) as caught:
        connections.as_bought(sources["odds_api_props"])
    assert caught.value.message == WRONG
