"""`airflow dags backfill` on real processes: from the command to the mail, and back to green."""

from __future__ import annotations

import os
import signal
import subprocess
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from devstack.environment import ROOT
from include.partition import eastern_day
from nba_airflow.specs import hosts, sources

if TYPE_CHECKING:
    from tests.e2e.conftest import System

pytestmark = pytest.mark.slow

DAG = "bdl_box_scores"
LIVE_DAYS = 4  # as in conftest.py


@pytest.fixture(scope="module", autouse=True)
def caught_up(system: System):
    """The DAG is unpaused, and its dates of the last days have run: a backfill of them would be
    refused."""
    system.catch_up(DAG)


def test_a_week_with_an_empty_and_an_incomplete_date_is_reported_once_and_healed(system: System):
    system.faults(
        [
            {
                "source": "balldontlie",
                "endpoint": "box_scores",
                "day": "2024-12-25",
                "kind": "missing_game",
                "times": 1,
            }
        ]
    )
    mails = len(system.mails(DAG))

    code, answer = system.backfill(f"{DAG} -s 2024-12-21 -e 2024-12-27")

    assert code == 1
    assert {day: found["outcome"] for day, found in answer["dates"].items()} == {
        "2024-12-21": "complete",
        "2024-12-22": "complete",
        "2024-12-23": "complete",
        "2024-12-24": "no_games",
        "2024-12-25": "partial",
        "2024-12-26": "complete",
        "2024-12-27": "complete",
    }
    loaded = f"SELECT count(DISTINCT game_id) FROM raw.{DAG} WHERE game_date = '2024-12-25'"
    assert system.rows(loaded) == [(4,)]
    assert system.rows(f"SELECT count(*) FROM raw.{DAG} WHERE game_date = '2024-12-24'") == [(0,)]
    first = system.mails(DAG)[mails:]
    assert [mail["subject"] for mail in first] == [
        f"[1 incomplete] {DAG} 2024-12-21..2024-12-27: 6 of 7 dates complete"
    ]
    command = f"airflow dags backfill {DAG} -s 2024-12-25 -e 2024-12-25 --rerun-failed-tasks -y"
    text = first[0]["content"][0]["value"]
    assert command in text
    # The box scores of seven dates, and whether the game that is missing is kept under another.
    assert "Requests 8 7 +14 %" in " ".join(text.split())

    asked = len(system.requests("balldontlie"))
    code, answer = system.backfill(f"{DAG} -s 2024-12-25 -e 2024-12-25 --rerun-failed-tasks")

    assert (code, answer["dates"]["2024-12-25"]["outcome"]) == (0, "complete")
    assert len(system.requests("balldontlie")) - asked == 1  # nothing else is asked again
    assert system.rows(loaded) == [(5,)]
    again = system.mails(DAG)[mails:]
    assert len(again) == 2
    assert again[1]["headers"]["In-Reply-To"] == first[0]["headers"]["Message-ID"]


def test_a_rerun_of_a_loaded_date_changes_no_byte_and_asks_nothing(system: System):
    system.faults([])
    assert system.backfill(f"{DAG} -s 2024-11-05 -e 2024-11-06")[0] == 0
    part = system.part(DAG, date(2024, 11, 6))
    before = (part.read_bytes(), part.stat().st_mtime_ns, len(system.requests()))
    raw = sorted(p for p in (system.home.data / "raw").rglob("*2024-11-0*") if p.is_file())

    assert system.backfill(f"{DAG} -s 2024-11-05 -e 2024-11-06 --reset-dagruns")[0] == 0

    assert (part.read_bytes(), part.stat().st_mtime_ns, len(system.requests())) == before
    assert sorted(p for p in (system.home.data / "raw").rglob("*2024-11-0*") if p.is_file()) == raw


def test_refetch_reports_the_one_value_that_the_upstream_has_corrected(system: System):
    system.faults([])
    assert system.backfill(f"{DAG} -s 2024-11-07 -e 2024-11-08")[0] == 0
    system.faults(
        [
            {
                "source": "balldontlie",
                "endpoint": "box_scores",
                "day": "2024-11-08",
                "kind": "corrected",
            }
        ]
    )
    before = dict(
        system.rows(f"SELECT player_id, ast FROM raw.{DAG} WHERE game_date = '2024-11-08'")
    )
    asked, mails = len(system.requests("balldontlie")), len(system.mails(DAG))

    plan = system.airflow(f"dags backfill {DAG} -s 2024-11-07 -e 2024-11-09 --refetch --dry-run")
    assert "  refetch: the upstream is asked again for 3 dates" in plan.out.splitlines()
    code, answer = system.backfill(f"{DAG} -s 2024-11-07 -e 2024-11-09 --refetch")

    assert code == 0
    assert len(system.requests("balldontlie")) - asked == 3
    after = dict(
        system.rows(f"SELECT player_id, ast FROM raw.{DAG} WHERE game_date = '2024-11-08'")
    )
    ((player, ast),) = [(player, ast) for player, ast in after.items() if before[player] != ast]
    (found,) = answer["corrections"]
    (change,) = found["changes"]
    assert (found["day"], found["endpoint"], found["total"]) == ("2024-11-08", "box_scores", 1)
    assert change.endswith(f", player_id {player}: ast {ast - 1} -> {ast}")
    (mail,) = system.until(lambda: system.mails(DAG)[mails:])  # of new dates and of cleared ones
    said = mail["content"][0]["value"]
    assert "CORRECTED UPSTREAM: 1 CHANGE ON 1 DATE" in said
    assert change in " ".join(said.split())

    code, answer = system.backfill(f"{DAG} -s 2024-11-07 -e 2024-11-09 --reset-dagruns")

    assert (code, answer["corrections"]) == (0, [])
    assert len(system.requests("balldontlie")) - asked == 3  # the order to fetch again was for once


def test_no_minute_of_seventy_dates_has_more_than_sixty_requests(system: System):
    system.faults([])
    asked = len(system.requests("balldontlie"))

    code, answer = system.backfill(f"{DAG} -s 2022-11-01 -e 2023-01-09 --max-active-runs 30")

    assert code == 0
    assert {found["outcome"] for found in answer["dates"].values()} == {"complete", "no_games"}
    assert len(system.requests("balldontlie")) - asked > 60
    assert system.worst_minute("balldontlie") <= 60
    assert not [r for r in system.requests() if r["limited"]]


def test_ctrl_c_stops_following_and_not_the_backfill(system: System):
    system.faults([])
    process = subprocess.Popen(
        system.shell(f"airflow dags backfill {DAG} -s 2024-11-10 -e 2024-11-14"),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # A shell's background job ignores Ctrl-C, and so would all that it starts.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    system.until(
        lambda: system.metadata("SELECT 1 FROM dag_run WHERE partition_key = '2024-11-14'")
    )
    os.killpg(process.pid, signal.SIGINT)
    out, _ = process.communicate(timeout=60)

    assert process.returncode == 130
    assert (
        out.strip().splitlines()[-1]
        == f"airflow dags backfill {DAG} -s 2024-11-10 -e 2024-11-14 --attach"
    )
    code, answer = system.backfill(f"{DAG} -s 2024-11-10 -e 2024-11-14 --attach")
    assert (code, len(answer["dates"])) == (0, 5)


def test_detach_returns_at_once_and_a_second_backfill_is_refused_meanwhile(system: System):
    # The upstream asks to wait, so that its first stage is still under way when it is refused.
    system.faults([{"source": "balldontlie", "kind": "429", "retry_after": 1800, "times": 1}])
    code, answer = system.backfill(f"{DAG} -s 2025-02-01 -e 2025-02-12 --ramp --detach")
    assert (code, answer["detached"]) == (0, True)

    refused = system.airflow(f"dags backfill {DAG} -s 2025-03-01 -e 2025-03-02")

    assert (refused.code, refused.out) == (2, "")
    assert "has a running backfill" in refused.err
    assert len(refused.err.strip().splitlines()) == 1
    assert system.airflow("nba resume balldontlie").code == 0
    code, answer = system.backfill(f"{DAG} -s 2025-02-01 -e 2025-02-12 --attach")
    assert (code, answer["left_out"], len(answer["dates"])) == (0, [], 12)
    made = system.metadata(
        "SELECT id FROM backfill WHERE dag_id = %s ORDER BY id DESC LIMIT 3", DAG
    )
    stages = "SELECT batch_id, stage FROM ops.backfills WHERE backfill_id = ANY(%s)"
    first = f"{DAG}:{made[-1][0]}:0"
    assert system.ops(stages, [number for (number,) in made]) == [(first, "ramp")] * 3
    mails = "SELECT count(*) FROM ops.outbox WHERE mail_id LIKE %s"
    system.until(lambda: system.ops(mails, f"{first}%") == [(1,)])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("no_such_dag -s 2024-10-22 -e 2024-10-23", "there is no DAG 'no_such_dag': known are"),
        (f"{DAG} -s 2024-10-23 -e 2024-10-22", "the end 2024-10-22 is before the start 2024-10-23"),
        (f"{DAG} -s 2024-02-30 -e 2024-03-02", "'2024-02-30' is not a day of the calendar"),
        (f"{DAG} -s yesterday -e today", "'yesterday' is not a date: write it as YYYY-MM-DD"),
        (f"{DAG} -s 2024-10-22 -e 2099-01-01", "2099-01-01 is not over yet in US/Eastern"),
        (f"{DAG} -s 2024-10-22 -e 2024-10-23 --conf nonsense", "--conf is not JSON"),
        (
            f'{DAG} -s 2024-10-22 -e 2024-10-23 --conf \'{{"refetch": "yes"}}\'',
            "--conf: refetch is 'yes': write true",
        ),
        ("backfill_summary -s 2024-10-22 -e 2024-10-23", "has no date partitions"),
    ],
)
def test_bad_input_gets_one_line_and_exit_code_2(system: System, words: str, said: str):
    done = system.airflow(f"dags backfill {words}")

    assert (done.code, done.out) == (2, "")
    assert said in done.err
    assert len(done.err.strip().splitlines()) == 1


def test_a_dry_run_changes_nothing(system: System):
    runs = system.metadata("SELECT count(*) FROM dag_run")

    code, answer = system.backfill(f"{DAG} -s 2023-11-01 -e 2023-11-03 --dry-run")

    assert code == 0
    assert answer["selection"]["new"] == ["2023-11-01", "2023-11-02", "2023-11-03"]
    assert system.metadata("SELECT count(*) FROM dag_run") == runs


def test_a_backfill_of_old_dates_does_not_start_live_runs_of_the_dates_since(system: System):
    system.faults([])
    assert system.backfill(f"{DAG} -s 2024-10-24 -e 2024-10-25")[0] == 0
    assert (
        system.airflow("dags reserialize").code == 0
    )  # what the dag-processor does every few minutes

    following = system.metadata("SELECT next_dagrun_partition_key FROM dag WHERE dag_id = %s", DAG)

    today = eastern_day(datetime.now(UTC))
    live = [str(today - timedelta(days=n)) for n in range(LIVE_DAYS, 0, -1)]
    scheduled = (
        "SELECT partition_key FROM dag_run WHERE run_type = 'scheduled' AND dag_id = %s ORDER BY 1"
    )
    assert following == [(str(today),)]
    assert [key for (key,) in system.metadata(scheduled, DAG)] == live


def test_a_date_that_is_not_final_yet_waits_without_worker_or_slot(system: System):
    today = eastern_day(datetime.now(UTC))
    run = system.api(
        "POST", f"dags/{DAG}/dagRuns", {"logical_date": None, "partition_key": str(today)}
    )
    path = f"dags/{DAG}/dagRuns/{run['dag_run_id']}/taskInstances/box_scores"

    system.until(lambda: system.api("GET", path)["state"] == "deferred")

    # Other dates may be at work for a moment; one that waits in a slot would hold it for hours.
    system.until(lambda: system.api("GET", "pools/balldontlie")["occupied_slots"] == 0)
    asked = [r for r in system.requests() if str(today) in r["query"]]
    assert asked == []
    system.api("PATCH", f"dags/{DAG}/dagRuns/{run['dag_run_id']}", {"state": "failed"})


def test_the_ui_can_pause_and_resume_a_backfill_and_clear_a_failed_run(system: System):
    system.faults([{"source": "balldontlie", "day": "2024-11-20", "kind": "500", "times": 4}])
    first = system.backfill(f"{DAG} -s 2024-11-18 -e 2024-11-22 --max-active-runs 1 --detach")
    assert first[0] == 0
    found = system.api("GET", f"backfills?dag_id={DAG}&order_by=-id")["backfills"]
    backfill = max(found, key=lambda each: each["id"])

    system.api("PUT", f"backfills/{backfill['id']}/pause")
    assert system.api("GET", f"backfills/{backfill['id']}")["is_paused"] is True
    system.api("PUT", f"backfills/{backfill['id']}/unpause")
    code, answer = system.backfill(f"{DAG} -s 2024-11-18 -e 2024-11-22 --attach")

    assert code == 1
    assert [day for day, found in answer["dates"].items() if found["outcome"] == "failed"] == [
        "2024-11-20"
    ]
    (failed,) = system.metadata(
        "SELECT run_id FROM dag_run WHERE dag_id = %s AND state = 'failed' AND partition_key ="
        " '2024-11-20'",
        DAG,
    )
    clear = {"dry_run": False, "dag_run_id": failed[0], "only_failed": True, "reset_dag_runs": True}
    system.api("POST", f"dags/{DAG}/clearTaskInstances", clear)
    state = "SELECT 1 FROM dag_run WHERE run_id = %s AND state = 'success'"
    system.until(lambda: system.metadata(state, failed[0]))
    assert system.rows(f"SELECT count(*) > 0 FROM raw.{DAG} WHERE game_date = '2024-11-20'") == [
        (True,)
    ]


def test_two_runs_of_one_date_fetch_it_once(system: System):
    system.faults([])
    asked = len(system.requests("balldontlie"))
    order = {"logical_date": None, "partition_key": "2024-10-28"}
    runs = [system.api("POST", f"dags/{DAG}/dagRuns", order)["dag_run_id"] for _ in range(2)]

    for run in runs:
        path = f"dags/{DAG}/dagRuns/{run}"
        system.until(lambda path=path: system.api("GET", path)["state"] in ("success", "failed"))
        assert system.api("GET", path)["state"] == "success"

    assert len({run for run in runs}) == 2
    assert [r["path"] for r in system.requests("balldontlie")[asked:]] == ["/v1/box_scores"]


def test_every_upstream_has_its_pool(system: System):
    """Generated sources have theirs, and share the workers with the five."""
    pools = {pool["name"]: pool["slots"] for pool in system.api("GET", "pools")["pools"]}

    assert pools.pop("default_pool") == 128
    assert pools.pop("warehouse") == 2
    assert pools.keys() == hosts().keys()
    assert pools.keys() >= {"balldontlie", "bigdataball", "nba_cdn", "nba_stats", "the_odds_api"}
    assert min(pools.values()) >= 1
    workers = 16
    assert sum(pools.values()) == workers - 2  # these are for the mail and for analytics
    for source in sources().values():
        assert sum(pools[host.connection] for host in source.hosts) <= workers // 2
