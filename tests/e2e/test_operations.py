"""`airflow nba` on real processes: what it says is what happened, and what it advises heals."""

from __future__ import annotations

import json
import re
import shutil
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.e2e.conftest import System

pytestmark = pytest.mark.slow

DAG = "bdl_box_scores"
UNDER_WAY = ("queued", "running")


@pytest.fixture(scope="module", autouse=True)
def caught_up(system: System):
    """The DAG is unpaused, and its dates of the last days have run and were reported."""
    system.catch_up(DAG)


def nba(system: System, words: str) -> tuple[int, dict[str, Any]]:
    """`airflow nba WORDS --json`: exit code and the answer, which is all that is on stdout."""
    done = system.airflow(f"nba {words} --json")
    assert done.out.strip(), f"exit {done.code}: {done.err}"
    facts = json.loads(done.out)
    assert facts["exit_code"] == done.code
    return done.code, facts


def free(system: System, window: str) -> None:
    """Airflow knows that the backfill before has ended."""
    system.until(lambda: system.airflow(f"dags backfill {DAG} {window} --dry-run").code == 0)


def refuse_once(system: System, day: str) -> None:
    """The upstream asks to wait for half an hour when it is asked for this date, so that what
    happens meanwhile does not depend on how fast anything is; `airflow nba resume` ends it."""
    refusal = {"source": "balldontlie", "day": day, "kind": "429", "retry_after": 1800, "times": 1}
    system.faults([refusal])


def is_put_off(system: System, day: str) -> bool:
    found = system.metadata(
        "SELECT 1 FROM task_instance t JOIN dag_run r USING (dag_id, run_id) WHERE dag_id = %s"
        " AND t.state = 'deferred' AND r.partition_key = %s",
        *(DAG, day),
    )
    return bool(found)


def test_the_scheduler_imports_what_tasks_need_before_it_forks_workers(system: System):
    log = (system.home.logs / "scheduler.log").read_text()
    forked = log.index("Worker starting up")
    assert "imported what tasks need" in log[:forked]


def test_status_shows_a_backfill_while_it_runs_and_its_dates_afterwards(system: System):
    refuse_once(system, "2025-03-06")
    window = "-s 2025-03-03 -e 2025-03-10"
    free(system, window)
    before = (
        nba(system, "status")[1]["outcomes"].get(DAG, {}).get("box_scores", {}).get("complete", 0)
    )
    assert system.backfill(f"{DAG} {window} --max-active-runs 1 --detach")[0] == 0
    system.until(lambda: is_put_off(system, "2025-03-06"))
    (batch,) = (b for b in nba(system, "status")[1]["batches"] if b["dag_id"] == DAG)
    assert (batch["kind"], batch["first_day"], batch["last_day"], batch["runs"]) == (
        "backfill",
        "2025-03-03",
        "2025-03-10",
        8,
    )
    assert batch["ended"] == 3
    assert system.airflow("nba resume balldontlie").code == 0
    assert system.backfill(f"{DAG} {window} --attach")[0] == 0
    facts = system.until(
        lambda: next((f for f in [nba(system, "status")[1]] if not f["batches"]), None)
    )
    assert facts["outcomes"][DAG]["box_scores"]["complete"] == before + 8
    assert facts["mails"] == []
    connections = facts["connections"]
    assert {"balldontlie", "bigdataball", "nba_cdn", "nba_stats", "the_odds_api"} <= set(
        connections
    )
    assert connections["balldontlie"]["limiters"][0]["windows"][0]["used"] > 0
    assert connections["the_odds_api"]["credits"]["total"] == 20_000
    said = system.airflow("nba status")
    assert said.code == 0, said.err
    assert said.out.splitlines()[-1] == "0 batches under way, 0 mails not sent"
    plain = system.airflow("nba status -o plain")
    assert plain.code == 0, plain.err
    assert {line.split()[0] for line in plain.out.splitlines()} == {
        "what",
        "limit",
        "credits",
        "dates",
    }


def test_bad_mail_key_is_seen_in_status_and_the_mail_goes_out_once_it_is_repaired(system: System):
    # The date waits for its upstream when the key goes wrong: no backfill starts with one.
    day = "2025-03-11"
    refuse_once(system, day)
    window = f"-s {day} -e {day}"
    free(system, window)
    mails = len(system.mails(DAG))
    key = {"connection_id": "mail", "conn_type": "generic", "host": system.sendgrid.host}
    extra = system.api("GET", "connections/mail")["extra"]
    with ThreadPoolExecutor(1) as beside:
        followed = beside.submit(system.backfill, f"{DAG} {window}")
        system.until(lambda: is_put_off(system, day))
        system.api("PATCH", "connections/mail", {**key, "password": "SG.wrong", "extra": extra})
        try:
            assert system.airflow("nba resume balldontlie").code == 0
            code, answer = followed.result()
            (mail,) = nba(system, "status")[1]["mails"]
        finally:
            system.api(
                *("PATCH", "connections/mail"),
                {**key, "password": system.sendgrid.key, "extra": extra},
            )
    assert (code, answer["mail"].split(":")[0]) == (0, "not sent yet")
    assert (mail["state"], mail["subject"]) == ("failed", f"[OK] {DAG} 2025-03-11: 1 date complete")
    assert mail["last_error"].startswith("bad_key: ")
    assert "SG.wrong" not in mail["last_error"]

    assert nba(system, "repair --mails") == (0, {"mails": 1, "exit_code": 0})
    system.api("POST", "dags/backfill_summary/dagRuns", {"logical_date": None})

    system.until(lambda: len(system.mails(DAG)) > mails)
    assert nba(system, "status")[1]["mails"] == []


def test_errors_groups_what_failed_and_links_its_log(system: System):
    system.faults(
        [
            {"source": "balldontlie", "day": f"2025-03-{n}", "kind": "bad_key", "times": None}
            for n in (12, 14)
        ]
    )
    window = "-s 2025-03-12 -e 2025-03-14"
    free(system, window)
    assert system.backfill(f"{DAG} {window}")[0] == 1

    groups = nba(system, "errors 1")[1]["groups"]

    (group,) = [group for group in groups if group["days"] == ["2025-03-12", "2025-03-14"]]
    assert (group["dag_id"], group["endpoint"], group["error_class"]) == (
        DAG,
        "box_scores",
        "bad_key",
    )
    assert group["tries"] == 2
    assert "/runs/backfill__2025-03-1" in group["log_url"]
    assert "2 x bad_key: bdl_box_scores box_scores, 2 dates" in system.airflow("nba errors").out


def test_gaps_are_found_and_their_command_fills_them(system: System):
    system.faults(
        [
            {
                "source": "balldontlie",
                "endpoint": "box_scores",
                "day": "2025-03-16",
                "kind": "missing_game",
            }
        ]
    )
    window = "-s 2025-03-15 -e 2025-03-18"
    free(system, window)
    assert system.backfill(f"{DAG} {window}")[0] == 1
    assert system.part(DAG, date(2025, 3, 17)).exists()
    system.part(DAG, date(2025, 3, 17)).unlink()
    system.faults([])

    code, facts = nba(system, f"gaps {DAG} {window}")

    assert (code, facts["days"]) == (1, ["2025-03-16", "2025-03-17"])
    assert [(gap["outcome"], gap["days"]) for gap in facts["gaps"]] == [
        ("partial", ["2025-03-16"]),
        ("partial", ["2025-03-17"]),
    ]
    assert facts["missing"][0]["day"] == "2025-03-16"
    (command,) = facts["commands"]
    free(system, window)
    assert system.airflow(command.removeprefix("airflow ")).code == 0
    assert nba(system, f"gaps {DAG} {window}")[1]["gaps"] == []


def test_repair_makes_rows_of_raw_and_runs_only_dates_that_it_does_not_have(system: System):
    """Two ranges of new dates are two backfills of one order; those between them ask nothing."""
    system.faults([])
    window = "-s 2025-03-21 -e 2025-03-25"
    free(system, window)
    assert system.backfill(f"{DAG} -s 2025-03-22 -e 2025-03-24")[0] == 0
    system.part(DAG, date(2025, 3, 22)).unlink()
    shutil.rmtree(system.home.data / "raw" / DAG / "2025" / "03" / "2025-03-24")
    free(system, window)
    asked = len(system.requests())

    planned = nba(system, f"repair {DAG} {window} --dry-run")
    assert len(system.requests()) == asked
    assert not system.part(DAG, date(2025, 3, 22)).exists()
    healed = nba(system, f"repair {DAG} {window}")

    plan = {
        "from_raw": [{"date": "2025-03-22", "endpoint": "box_scores"}],
        "new": ["2025-03-21", "2025-03-25"],
        "cleared": ["2025-03-24"],
        "under_way": [],
    }
    assert (planned[0], {name: planned[1][name] for name in plan}) == (0, plan)
    assert (healed[0], healed[1]["healed"], healed[1]["gaps"]) == (0, 4, [])
    queries = str([request["query"] for request in system.requests()[asked:]])
    assert {*re.findall(r"2025-03-\d\d", queries)} == {"2025-03-21", "2025-03-24", "2025-03-25"}
    newest = "SELECT id FROM backfill WHERE dag_id = %s ORDER BY id DESC LIMIT 2"
    made = [number for (number,) in system.metadata(newest, DAG)]
    orders = "SELECT stage, batch_id FROM ops.backfills WHERE backfill_id = ANY(%s)"
    assert system.ops(orders, made) == [("repair", f"{DAG}:{made[1]}:0")] * 2


def test_lost_ledger_comes_back_from_the_data(system: System):
    before = nba(system, "status")[1]["outcomes"]
    assert before[DAG]["box_scores"]["complete"] > 0
    deleted = system.ops("DELETE FROM ops.outcomes WHERE dag_id = %s RETURNING day, outcome", DAG)
    days = {day for day, outcome in deleted if outcome in ("complete", "no_games")}

    code, facts = nba(system, f"repair --ledger {DAG}")

    assert code == 0
    assert facts["ledger"][DAG]["complete"] + facts["ledger"][DAG].get("no_games", 0) >= len(days)
    done = (
        "SELECT day FROM ops.outcomes WHERE dag_id = %s AND run_id = 'rebuilt' AND outcome IN"
        " ('complete', 'no_games')"
    )
    assert days <= {day for (day,) in system.ops(done, DAG)}
    assert nba(system, f"repair --ledger {DAG}")[1] == facts


def test_tables_are_made_again_by_the_dag_date_by_date_without_any_request(system: System):
    """The rows of one date are lost."""
    order = {"dag": DAG, "start": "2025-03-08", "end": "2025-03-11"}
    lost = system.part(DAG, date(2025, 3, 10))
    before, asked = lost.read_bytes(), len(system.requests())
    lost.unlink()
    run = system.api("POST", "dags/reprocess/dagRuns", {"logical_date": None, "conf": order})
    path = f"dags/reprocess/dagRuns/{run['dag_run_id']}"
    ended = system.until(
        lambda: next((s for s in [system.api("GET", path)["state"]] if s not in UNDER_WAY), None)
    )
    tasks = system.api("GET", f"{path}/taskInstances")["task_instances"]
    assert (ended, {(t["task_id"], t["rendered_map_index"], t["pool"]) for t in tasks}) == (
        "success",
        {
            ("dates", None, "default_pool"),
            *(("tables", f"2025-03-{day:02}", "warehouse") for day in range(8, 12)),
            ("answer", None, "default_pool"),
        },
    )
    answer = system.api("GET", f"{path}/taskInstances/answer/xcomEntries/return_value")["value"]
    assert (answer["became"], answer["upstream_requests"]) == ({"same": 3, "loaded": 1}, 0)
    assert (lost.read_bytes(), len(system.requests())) == (before, asked)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            "gaps no_such_dag -s 2024-10-22 -e 2024-10-23",
            "airflow nba gaps: 'no_such_dag' is not the DAG of a source",
        ),
        (
            f"gaps {DAG} -s 2024-10-22 -e 2099-01-01",
            "airflow nba gaps: 2099-01-01 is not over yet in US/Eastern",
        ),
        ("errors never", "airflow nba errors: 'never' is not a number of hours"),
        ("repair", "airflow nba repair: say what to repair: DAG -s DATE -e DATE, --tables"),
    ],
)
def test_bad_input_gets_one_line_and_exit_code_2(system: System, words: str, said: str):
    done = system.airflow(f"nba {words}")

    assert (done.code, done.out) == (2, "")
    (line,) = done.err.strip().splitlines()
    assert line.startswith(said)
