"""Every source on real processes: a week of each, credits that run out, and a pool that somebody
raised."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import psycopg
import pytest

from devstack import postgres
from tests.steps.leaks import recorded_in, secrets_in, stored_in

if TYPE_CHECKING:
    from tests.e2e.conftest import System

pytestmark = pytest.mark.slow

VARIABLES = {"AIRFLOW__CORE__PARALLELISM": "24"}

# The schedule first: the others are counted against it.
DAGS = (
    "nbacom_schedule",
    "nbacom_box_scores",
    "bigdataball_play_by_play",
    "odds_api_props",
    "bdl_box_scores",
)
TABLES = (
    "bdl_box_scores",
    "bigdataball_play_by_play",
    "nbacom_play_by_play",
    "nbacom_player_box_scores",
    "nbacom_schedule",
    "odds_api_game_lines",
    "odds_api_player_props",
)


@pytest.fixture(scope="module", autouse=True)
def caught_up(system: System):
    """All DAGs are unpaused and past their late dates."""
    system.catch_up(*DAGS)


def test_a_week_of_every_source_has_the_same_games_in_every_table(system: System):
    asked = len(system.requests())
    for dag in DAGS:
        code, answer = system.backfill(f"{dag} -s 2024-02-05 -e 2024-02-08")
        assert (code, {found["outcome"] for found in answer["dates"].values()}) == (
            0,
            {"complete"},
        ), dag

    games = {
        table: system.rows(
            f"SELECT DISTINCT game_date, away_tricode, home_tricode FROM raw.{table}"
            " WHERE game_date BETWEEN '2024-02-05' AND '2024-02-08' ORDER BY ALL"
        )
        for table in TABLES
    }
    assert all(found == games["nbacom_schedule"] for found in games.values())
    made = [
        r
        for r in system.requests()[asked:]
        if "Season=2023-24" in r["query"] and "schedule" in r["path"]
    ]
    assert len(made) <= 1  # one a season, none if another test has loaded it
    assert not [
        r for r in system.requests()[asked:] if r["path"] == "/v1/games"
    ]  # the schedule knows
    assert not [r for r in system.requests()[asked:] if r["limited"]]


def test_results_follow_by_themselves_and_again_where_a_date_changes(system: System):
    """One mail a backfill, and none for what followed; lineage has what was made."""
    first, last = "2024-02-22", "2024-02-23"
    window = f"-s {first} -e {last}"
    system.api("PATCH", "dags/prop_results", {"is_paused": False})
    mails = len(system.mails())
    backfilled = ("nbacom_schedule", "odds_api_props", "bdl_box_scores")
    for dag in backfilled:
        assert system.backfill(f"{dag} {window}")[0] == 0, dag

    def runs() -> list[tuple[str, str, int]]:
        return system.metadata(
            "SELECT partition_key, state, count(*) FROM dag_run WHERE dag_id = 'prop_results'"
            " AND partition_key IN (%s, %s) GROUP BY 1, 2 ORDER BY 1, 2",
            *(first, last),
        )

    system.until(lambda: runs() == [(first, "success", 1), (last, "success", 1)])
    settled = "SELECT DISTINCT game_date::text FROM analytics.player_prop_results WHERE result"
    assert system.rows(f"{settled} IN ('over', 'under') AND game_date >= '{first}' ORDER BY 1")[
        :2
    ] == [(first,), (last,)]

    system.faults([{"source": "balldontlie", "kind": "corrected", "day": first, "times": None}])
    assert system.backfill(f"bdl_box_scores -s {first} -e {first} --refetch")[0] == 0
    system.until(lambda: runs() == [(first, "success", 2), (last, "success", 1)])
    system.faults([])

    told = [mail["subject"].split("] ")[1].split()[0] for mail in system.mails()[mails:]]
    assert told == [*backfilled, "bdl_box_scores"]
    made = system.metadata(
        "SELECT a.uri, count(*) FROM asset_event e JOIN asset a ON a.id = e.asset_id"
        " JOIN dag_run r ON r.dag_id = e.source_dag_id AND r.run_id = e.source_run_id"
        " WHERE e.source_dag_id IN ('prop_results', 'bdl_box_scores') AND r.partition_key = %s"
        " GROUP BY 1 ORDER BY 1",
        first,
    )
    assert made == [
        ("x-nba://analytics/player_prop_results", 2),
        ("x-nba://analytics/unmatched_players", 2),
        ("x-nba://raw/bdl_box_scores", 2),
    ]


def test_a_backfill_that_the_credits_do_not_cover_waits_without_a_worker_and_says_until_when(
    system: System,
):
    used = max(r["credits_used"] for r in system.requests() if r["source"] == "the_odds_api")
    connection = system.api("GET", "connections/the_odds_api")
    kept = {"connection_id": "the_odds_api", "conn_type": "http"}
    before = {**kept, "host": connection["host"], "password": "sandbox-key"}
    ((live,),) = system.ops("SELECT spent_live FROM ops.credit_months ORDER BY month DESC LIMIT 1")
    small = {"credits": {"monthly": used + 150, "live_reserve": live + 100, "spread": False}}
    system.api("PATCH", "connections/the_odds_api", {**before, "extra": json.dumps(small)})
    try:
        assert (
            system.backfill("odds_api_props -s 2024-03-10 -e 2024-03-11 --spread --detach")[0] == 0
        )
        # How far the credits go depends on the days that are left of the month.
        states = (
            "SELECT DISTINCT t.state FROM task_instance t JOIN dag_run r USING (dag_id, run_id)"
            " WHERE dag_id = 'odds_api_props' AND r.partition_key IN ('2024-03-10', '2024-03-11')"
        )
        # A date may wait for the limiter first.
        said = (
            "SELECT DISTINCT ON (day) outcome FROM ops.outcomes WHERE day >= '2024-03-10' AND"
            " message LIKE %s ORDER BY day, outcome_id DESC"
        )
        until_when = "%may be used now; more can be free at%"
        system.until(lambda: system.ops(said, until_when) == [("quota_wait",)] * 2)
        system.until(lambda: {*system.metadata(states)} <= {("deferred",), ("success",)})
        spent = [r["billed"] for r in system.requests() if r["source"] == "the_odds_api"]
        assert sum(spent) <= used + 50  # 150 less the 100 that are for live runs
        system.until(lambda: system.api("GET", "pools/the_odds_api")["occupied_slots"] == 0)
    finally:
        system.api("PATCH", "connections/the_odds_api", {**before, "extra": connection["extra"]})
        (backfill,) = system.metadata(
            "SELECT max(id) FROM backfill WHERE dag_id = 'odds_api_props'"
        )
        system.api("PUT", f"backfills/{backfill[0]}/cancel")


def test_raising_a_pools_slots_breaks_no_limit(system: System):
    """With as many workers as dates, so that the slots are what bounds the requests under way."""
    pool = {
        "name": "balldontlie",
        "slots": 100,
        "description": "raised by hand",
        "include_deferred": False,
    }
    system.api("PATCH", "pools/balldontlie", pool)

    code, answer = system.backfill(
        "bdl_box_scores -s 2023-12-01 -e 2023-12-20 --max-active-runs 20"
    )

    assert code == 0, answer
    assert system.worst_minute("balldontlie") <= 60
    assert system.api("GET", "pools/balldontlie")["slots"] == 100
    system.api("PATCH", "pools/balldontlie", {**pool, "slots": 8})


def test_no_key_is_told_in_logs_tables_files_or_mails(system: System):
    """After all that the tests above did: dates of every source, waits, and a task that failed by
    its key."""
    system.faults(
        [{"source": "the_odds_api", "endpoint": "event_odds", "kind": "bad_key", "times": None}]
    )
    assert system.backfill("odds_api_props -s 2024-02-12 -e 2024-02-12")[0] == 1
    system.until(lambda: "bad_key" in str(system.mails("odds_api_props")[-1]))
    # Nobody's DAG begins with a date that failed.
    told = system.metadata(
        "SELECT r.partition_key, count(*) FROM asset_event e JOIN dag_run r ON r.dag_id ="
        " e.source_dag_id AND r.run_id = e.source_run_id WHERE e.source_task_id = 'player_props'"
        " AND r.partition_key IN ('2024-02-05', '2024-02-12') GROUP BY 1"
    )
    assert told == [("2024-02-05", 1)]
    found = json.loads((system.home.airflow / "connections.json").read_text())
    keyfile = json.loads(found["bigdataball"]["extra"])["keyfile_dict"]
    secrets = [
        found["the_odds_api"]["password"],
        keyfile["private_key"].splitlines()[1],
        system.sendgrid.key,
    ]

    places = {
        "connection API": [json.dumps(system.api("GET", "connections?limit=100"))],
        "logs": list(stored_in(system.home.logs)),
        "raw": list(stored_in(system.home.data / "raw")),
        "warehouse": list(stored_in(system.home.data / "warehouse")),
        "mails": [json.dumps(system.mails())],
    }
    for database, schema in (("airflow", "public"), ("ops", "ops")):
        with psycopg.connect(postgres.url(system.home.postgres, database)) as connection:
            places[database] = list(recorded_in(connection, schema))

    assert all(len("".join(told)) > 1000 for told in places.values()), {
        k: len(v) for k, v in places.items()
    }
    assert {place: secrets_in(told, secrets) for place, told in places.items()} == {
        place: [] for place in places
    }
