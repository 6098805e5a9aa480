"""An operator types every command of the README's daily tasks, from top to bottom, and each does
what the README says."""

from __future__ import annotations

import json
import re
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from devstack.environment import ROOT

if TYPE_CHECKING:
    from tests.e2e.conftest import Finished, System

pytestmark = pytest.mark.slow

LIVE_DAYS = 0

DAG = "bdl_box_scores"
FAILED, PARTIAL, GOOD = "2024-10-22", "2024-10-23", "2024-10-24"
CHRISTMAS = "2024-12-25"
SEASON = "-s 2024-10-22 -e 2025-04-13"
USED = r"\d+ of \d+ re"
BOTH = "2024-01-15"
"""A date of the month that is reconciled."""
OUTCOMES = "SELECT outcome FROM ops.outcomes WHERE dag_id = %s AND day = %s ORDER BY outcome_id"


class Operator:
    """Types the README's commands; ``untyped`` are those that are left."""

    def __init__(self, system: System) -> None:
        text = (ROOT / "README.md").read_text()
        daily = text.partition("\n## Daily tasks\n")[2].partition("\n## ")[0]
        fences = "".join(re.findall(r"(?s)\n```\n(.*?)```", daily))
        self.system = system
        self.untyped: list[str] = re.findall(r"(?m)^airflow (.*?)(?: +# .*)?$", fences)

    def type_in(self, words: str, *instead: tuple[str, str], code: int = 0) -> Finished:
        """Types the command as it is there, or with other words ``instead`` of some: three days for
        a season."""
        self.untyped.remove(words)
        for there, typed in instead:
            assert there in words
            words = words.replace(there, typed)
        return self.run(words, code=code)

    def run(self, words: str, *, code: int = 0, stdin: str = "") -> Finished:
        """Types a command that the README has only in its text."""
        done = self.system.airflow(words, stdin=stdin)
        assert done.code == code, (words, done)
        return done


@pytest.fixture(scope="module")
def operator(system: System) -> Operator:
    for dag_id in (DAG, "nbacom_schedule", "nbacom_box_scores"):
        system.api("PATCH", f"dags/{dag_id}", {"is_paused": False})
    return Operator(system)


def fault(day: str, kind: str, source: str = "balldontlie", **more: Any) -> dict[str, Any]:
    return {"source": source, "day": day, "kind": kind, "times": None, **more}


def stands(system: System, day: str) -> str:
    """The date's newest outcome."""
    return system.ops(OUTCOMES, DAG, day)[-1][0]


def test_backfill(system: System, operator: Operator):
    season = "dags backfill bdl_box_scores -s 2024-10-22 -e 2025-04-13"
    system.faults([fault(FAILED, "bad_key"), fault(PARTIAL, "wrong_score")])
    planned = operator.run(f"{season} --dry-run")
    assert "174 dates (US/Eastern, both ends included)" in planned.out + planned.err
    assert system.metadata("SELECT 1 FROM dag_run WHERE dag_id = %s", DAG) == []

    told = operator.type_in(season, ("2025-04-13", GOOD), code=1)

    days = [stands(system, day) for day in (FAILED, PARTIAL, GOOD)]
    assert days == ["failed", "partial", "complete"]
    again = f"airflow dags backfill {DAG} -s {FAILED} -e {PARTIAL} --rerun-failed-tasks -y"
    assert told.out.splitlines()[-2] == f"Run them again: {again}"
    assert again in system.mails(DAG)[-1]["content"][0]["value"]


def test_rerun_what_failed(system: System, operator: Operator):
    system.faults([fault(CHRISTMAS, "bad_key")])
    told = operator.run(f"dags backfill {DAG} -s {CHRISTMAS} -e {CHRISTMAS}", code=1)
    again = f"dags backfill {DAG} -s {CHRISTMAS} -e {CHRISTMAS} --rerun-failed-tasks -y"
    assert f"Run them again: airflow {again}" in told.out.splitlines()
    system.faults([])

    operator.type_in(again)

    assert stands(system, CHRISTMAS) == "complete"
    window = f"--partition-date-start {FAILED} --partition-date-end {FAILED}"
    operator.run(f"dags clear --only-failed {window} {DAG}", stdin="y\n")
    system.until(lambda: stands(system, FAILED) == "complete")


def without_use(status: str) -> list[str]:
    """Its lines without how much of a limit is used, which also tells how wide a column is."""
    lines = re.sub(USED, "", status).splitlines()
    return [" ".join(line.replace("=", "").split()) for line in lines]


def test_ask_how_things_stand(system: System, operator: Operator):
    status = operator.type_in("nba status", code=1).out
    stands_so = rf"dates[ |]+{DAG}[ |]+box_scores to {CHRISTMAS}: 3 complete; 1 partial"
    assert re.search(stands_so, status), status
    assert status.splitlines()[-1] == "Needs a person: 1 endpoint's date not done"
    # What is used of a limit goes down meanwhile.
    watched = operator.type_in("nba status --watch", code=1).out
    assert without_use(watched) == without_use(status)
    errors = operator.type_in("nba errors 24").out
    assert f"bad_key: {DAG} box_scores, 2 dates" in errors
    gaps = operator.type_in(f"nba gaps {DAG} {SEASON}", code=1).out
    assert "171 of 174 dates have gaps" in gaps
    assert "0 failures" in operator.type_in(f"nba preflight {DAG} {SEASON}").out
    planned = operator.type_in(f"nba plan odds_api_props {SEASON}").out
    assert "174 dates (US/Eastern, both ends included)" in planned
    records = operator.type_in(f"nba record {DAG} {SEASON}").out.splitlines()
    window = f"{DAG}-{CHRISTMAS}-{CHRISTMAS}.md"
    assert [Path(each).name[11:] for each in records].count(window) == 1
    operator.type_in("nba release 7", ("7", "987"), code=2)


def test_accept_what_will_stay_wrong(system: System, operator: Operator):
    gaps = operator.run(f"nba gaps {DAG} -s {PARTIAL} -e {PARTIAL} -o json", code=1)
    (gap,) = json.loads(gaps.out)["gaps"]
    game = re.findall(r"[A-Z]{3}@[A-Z]{3}", gap["message"])[0]
    asked = len(system.requests())

    words = f'nba accept {DAG} {PARTIAL} --game GSW@POR --reason "scores differ for ever"'
    accepted = operator.type_in(words, ("GSW@POR", game)).out

    operator.run(accepted.rpartition("airflow ")[2].strip())
    assert (stands(system, PARTIAL), len(system.requests())) == ("accepted", asked)


def test_resume_and_reconcile(system: System, operator: Operator):
    window = f"-s {BOTH} -e {BOTH}"
    operator.run(f"dags backfill nbacom_schedule {window}")
    # The preflight's probe meets the refusal, and every request after it waits.
    refused = {"source": "nba_stats", "endpoint": "leaguegamelog", "kind": "429", "times": 1}
    system.faults([fault(BOTH, "corrected"), {**refused, "retry_after": 1800}])
    operator.run(f"dags backfill nbacom_box_scores {window} --detach")
    operator.run(f"dags backfill {DAG} {window}")
    waiting = "SELECT 1 FROM task_instance WHERE dag_id = 'nbacom_box_scores' AND state = %s"
    system.until(lambda: system.metadata(waiting, "deferred"))

    resumed = operator.type_in("nba resume nba_stats").out

    assert resumed.splitlines()[-1] == "1 date that waited for it can go on now"
    operator.run(f"dags backfill nbacom_box_scores {window} --attach")
    compared = operator.type_in("nba reconcile -s 2024-01-01 -e 2024-01-31", code=1).out
    assert "1 date compared" in compared
    assert "1 difference" in compared


def test_repair(system: System, operator: Operator):
    lost = "DELETE FROM ops.outcomes WHERE dag_id = %s AND day = %s RETURNING 1"
    system.ops(lost, DAG, GOOD)
    ledger = operator.type_in("nba repair --ledger").out
    assert f"{DAG}: 1 rebuilt (1 complete)" in ledger
    assert stands(system, GOOD) == "complete"

    rows = system.part(DAG, date.fromisoformat(GOOD))
    rows.unlink()
    window = f"-s {GOOD} -e {GOOD}"
    healed = operator.type_in(f"nba repair {DAG} {SEASON}", (SEASON, window)).out
    assert healed.startswith(f"{DAG}: {GOOD}: 1 gap")
    assert rows.exists()

    tables = operator.type_in("nba repair --tables").out
    assert tables == "operations tables and warehouse: up to date\n"

    refused = system.sendgrid.refusals
    refused.append(403)
    system.faults([])
    mails = len(system.mails(DAG))
    operator.run(f"dags backfill {DAG} -s 2024-12-26 -e 2024-12-26")
    system.until(lambda: system.ops("SELECT 1 FROM ops.outbox WHERE state = 'failed'"))
    due = operator.type_in("nba repair --mails").out
    assert due == "mails: 1 due again, sent by the next run of backfill_summary\n"
    system.api("POST", "dags/backfill_summary/dagRuns", {"logical_date": None})
    system.until(lambda: len(system.mails(DAG)) == mails + 1)


def test_make_tables_again_and_copy_raw(system: System, operator: Operator, tmp_path: Path):
    asked, part = len(system.requests()), system.part(DAG, date.fromisoformat(GOOD))
    part.unlink()
    season = "-s 2024-10-22 -e 2025-04-13"
    operator.type_in(f"nba reprocess {DAG} {season}", (season, f"-s {GOOD} -e {GOOD}"))
    assert (part.is_file(), len(system.requests())) == (True, asked)

    copied = f"file://{tmp_path}/copy"
    operator.type_in("nba copy-raw --to gs://bucket/prefix", ("gs://bucket/prefix", copied))
    raw = system.home.data / "raw"
    there = {path.relative_to(raw) for path in raw.rglob("*.gz")}
    assert {path.relative_to(tmp_path / "copy") for path in tmp_path.rglob("*.gz")} == there


def test_read_the_data(system: System, operator: Operator):
    tables = operator.type_in("nba sql").out
    assert "raw.bdl_box_scores" in tables
    by_date = "select game_date, count(*) from raw.bdl_box_scores group by all order by 1"
    days = re.findall(r"\d{4}-\d\d-\d\d", operator.type_in(f'nba sql "{by_date}"').out)
    assert days == [BOTH, FAILED, PARTIAL, GOOD, CHRISTMAS, "2024-12-26"]
    rows = operator.type_in('nba sql "select * from raw.bdl_box_scores limit 5" -o csv').out
    assert len(rows.splitlines()) == 1 + 5


def test_every_command_of_the_readme_was_typed(operator: Operator):
    assert operator.untyped == []
