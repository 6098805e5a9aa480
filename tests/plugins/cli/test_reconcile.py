"""`airflow nba reconcile`: dates of both sources are compared, the others are named."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

from include.parsing.nbacom import PLAYER_BOX_SCORES
from include.sources.spec import Source
from include.steps.job import Stores
from nba_airflow.cli.reconcile import reconcile
from tests.plugins.cli.asking import DAG, DAY, NEXT, Call


def test_what_differs_is_listed_and_a_date_of_one_source_is_named(
    call: Call, stores: Stores, done: Callable[[date], None], sources: dict[str, Source]
) -> None:
    done(DAY)
    done(NEXT)
    theirs: list[dict[str, Any]] = []
    for row in stores.warehouse.rows(sources[DAG].endpoint("box_scores").table, DAY) or ():
        kept = ("game_date", "game_id", "away_tricode", "home_tricode", "player_key")
        numbers = {"pts": row["pts"], "reb": row["reb"], "ast": row["ast"], "min": row["minutes"]}
        if row["minutes"]:
            who = {"player_id": row["player_id"], "team_id": 1, "source_file": "log"}
            theirs.append({**{name: row[name] for name in kept}, **numbers, **who})
    theirs[0]["pts"] += 2
    stores.warehouse.replace(PLAYER_BOX_SCORES, DAY, theirs)

    said = call(reconcile, start_date=str(DAY), end_date=str(NEXT), json=True)

    (found,) = said.facts["differences"]
    assert (said.code, said.facts["players"]) == (1, len(theirs))
    assert (found["field"], found["nbacom"] - found["balldontlie"]) == ("points", 2)
    assert said.facts["not_compared"] == [str(NEXT)]


def test_source_that_lacks_dates_is_named_with_the_command_that_loads_them(
    call: Call, done: Callable[[date], None]
) -> None:
    done(DAY)
    last = call(reconcile, start_date=str(DAY), end_date=str(DAY)).out.splitlines()[-1]
    window = f"-s {DAY} -e {DAY}"
    assert last == (
        "not compared: raw.nbacom_player_box_scores lacks 1 date:"
        f" airflow dags backfill nbacom_box_scores {window} --rerun-failed-tasks -y"
    )
