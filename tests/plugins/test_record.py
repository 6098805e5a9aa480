"""The record of a backfill as the summary's task writes it: read by somebody who was not there."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from devstack.connections import postgres_fields
from include.ops import backfills
from include.ops.backfills import Backfill
from include.ops.db import connect
from nba_airflow.cli.record import record as record_command
from tests.ops.written import DAY, QUEUED, batch_run, write
from tests.plugins.cli.asking import DAG, Call, outcome
from tests.plugins.cli.conftest import call

__all__ = ["call"]
NAME = f"2026-10-01-{DAG}-2025-01-15-2025-01-20"
WINDOW = {"dag_id": DAG, "start_date": "2025-01-15", "end_date": "2025-01-20"}

# Written down before the record was: whoever reads it was not there, and has nothing else.
QUESTIONS = {
    "Which dates was it about?": [
        f"# Backfill: {DAG}, 2025-01-15..2025-01-20",
        "| Scope | 2025-01-15..2025-01-20, 6 dates, both ends included |",
    ],
    "Why was it done, and who began it?": [
        "| Reason | the mid-January week was never collected |",
        "| Started by | ann |",
    ],
    "When did it run, and for how long, against what was planned?": [
        "| Began | 2026-10-01 10:00 UTC |",
        "| Time | 2026-10-01 10:00 UTC to {closed} |",
        "| Duration | {took} | 10 min | {off} |",
    ],
    "What held it up, why, and when did it go on?": [
        "| Held | quiet hours, 2026-10-01 10:01 UTC to 2026-10-01 10:05 UTC: games are on |",
        "| Held | breaker, 2026-10-01 10:02 UTC to the end: 5 dates in a row failed alike |",
    ],
    "How do its dates stand now?": [
        "## How its dates stand: 5 of 6 dates done",
        "| Without games | 1 |",
        "| Complete | 3 |",
        "| Accepted | 1 |",
        "| Failed | 1 |",
    ],
    "Which dates failed, of what, and where is the log?": [
        "* **blocked box_scores** on 2025-01-16 (2026-10-01 10:01 UTC): the address is blocked"
        " ([log](https://airflow.example.com/log/16))",
        "* **upstream_down box_scores** on 2025-01-20 (2026-10-01 10:01 UTC): 503 &lt;busy>",
    ],
    "What healed them, and when?": [
        "  * 2025-01-16: healed by rerun 2, which ended {rerun closed}",
        "  * 2025-01-20: not healed",
        "* **hang box_scores** on 2025-01-17 (2026-10-01 10:01 UTC): no answer",
        "  * healed by a later try of the same runs",
    ],
    "What will stay missing, by whose word?": [
        "* 2025-01-18 box_scores: 3 of 4 games; accepted: GSW@UTA missing: never played (bob)",
    ],
    "Which were made of what lacks something?": [
        "* 2025-01-15 box_scores: made, but 3 of 500 bets not settled",
    ],
    "On which dates were there no games, and who says so?": [
        "Without games: 2025-01-19 (by the source's own word alone: 2025-01-19).",
    ],
    "What did it take, in requests, credits and money, against the plan?": [
        "| Requests | 12 | 14 | -14 % |",
        "| Credits | 30 | 40 | -25 % |",
        "| Cost | $0.045 | $0.06 | -25 % |",
        "| BigQuery | 2 jobs, 1.0 MB billed, $0.00 |  |  |",
    ],
    "With which code and configuration, and in which steps?": [
        "| Code | 3f9c1e2 |",
        "| Code and configuration | c0ffee |",
        "| Stages | canary (backfill 7), whole (backfill 8) |",
        "| Options | skip_canary=True |",
    ],
    "What is to be typed about what is left?": [
        f"Run them again: `airflow dags backfill {DAG} -s 2025-01-20 -e 2025-01-20"
        " --rerun-failed-tasks -y`",
        f"To look again: `airflow nba gaps {DAG} -s 2025-01-15 -e 2025-01-20`.",
    ],
}


@pytest.fixture
def db(
    ops_db: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[psycopg.Connection[Any]]:
    people = {"sender": "a@b.example", "recipients": ["c@d.example"]}
    mail = {"conn_type": "generic", "host": f"file://{tmp_path}/outbox", "extra": people}
    monkeypatch.setenv("AIRFLOW_CONN_OPS_DB", json.dumps(postgres_fields(ops_db)))
    monkeypatch.setenv("AIRFLOW_CONN_MAIL", json.dumps(mail))
    monkeypatch.setenv("NBA_RECORDS", str(tmp_path / "records"))
    monkeypatch.setenv("NBA_VERSION", "3f9c1e2")
    with connect(ops_db) as connection:
        connection.execute(
            "TRUNCATE ops.batches, ops.outbox, ops.outcomes, ops.backfills, ops.holds,"
            " ops.past_holds CASCADE"
        )
        connection.commit()
        yield connection


def tell(db: psycopg.Connection[Any], after: int, said: str, **more: Any) -> None:
    """What a try of DAY + ``after`` has come to."""
    at = QUEUED + timedelta(minutes=1)
    fields = {"run_id": f"backfill__{after}", "started_at": at, "ended_at": at, "requests": 2}
    outcome(db, DAY + timedelta(days=after), said, **{**fields, **more})


def run_backfill(db: psycopg.Connection[Any]) -> None:
    """Six dates: complete, failed, complete at the second try, accepted, without games, failed."""
    tell(
        db,
        0,
        "complete",
        message="made, but 3 of 500 bets not settled",
        games_expected=4,
        credits=30,
        bytes_billed=1_000_000,
        warehouse_jobs=2,
    )
    log = {"log_url": "https://airflow.example.com/log/16"}
    tell(db, 1, "failed", error_class="blocked", message="the address is blocked", **log)
    tell(db, 2, "failed", error_class="hang", message="no answer", requests=0)
    tell(db, 2, "complete", games_expected=5, attempt=2)
    accepted = "3 of 4 games; accepted: GSW@UTA missing: never played (bob)"
    tell(db, 3, "accepted", message=accepted, games_expected=4, games_found=3)
    tell(db, 4, "no_games", message="no games, by the source's own word")
    tell(db, 5, "failed", error_class="upstream_down", message="503 <busy>")
    order = Backfill(
        backfill_id=7,
        dag_id=DAG,
        batch_id=f"{DAG}:7:0",
        stage="canary",
        started_by="ann",
        reason="the mid-January week was never collected",
        options={"skip_canary": True, "ramp": False},
        fingerprint="c0ffee",
    )
    backfills.note(db, order)
    whole = {**order.__dict__, "backfill_id": 8, "stage": "whole", "reason": ""}
    backfills.note(db, Backfill(**whole))
    hold_it(db)
    bad = {1, 5}
    runs = [batch_run(n, "failed" if n in bad else "success") for n in range(6)]
    write(db, f"{DAG}:7:0", *runs)


def hold_it(db: psycopg.Connection[Any]) -> None:
    """Quiet hours for four minutes, and the breaker until it was cancelled."""
    backfills.hold(db, 8, "quiet hours", "games are on")
    backfills.hold(db, 8, "breaker", "5 dates in a row failed alike")
    at = [QUEUED + timedelta(minutes=minutes) for minutes in (1, 2, 5)]
    db.execute("UPDATE ops.holds SET since = %s WHERE kind = 'quiet hours'", (at[0],))
    db.execute("UPDATE ops.holds SET since = %s WHERE kind = 'breaker'", (at[1],))
    backfills.lift(db, 8, "quiet hours")
    db.execute("UPDATE ops.past_holds SET until = %s", (at[2],))
    db.commit()


def rerun(db: psycopg.Connection[Any], after: int) -> None:
    """That date runs again, well, in a batch of its own."""
    tell(db, after, "complete", games_expected=4, attempt=2)
    queued = QUEUED + timedelta(hours=3)
    write(db, f"{DAG}:rerun:0", batch_run(after, queued=queued))


def summarise() -> None:
    from nba_airflow.summary import SummaryOperator

    SummaryOperator(task_id="report").execute({})


@pytest.fixture
def planned(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the summary says of plan and money, which is not the record's to find out."""
    from dataclasses import replace

    from nba_airflow import plan_vs_actual

    said = {
        "planned_minutes": 10.0,
        "planned_requests": 14,
        "planned_credits": 40,
        "planned_cost": 0.06,
        "cost": 0.045,
    }

    def add(connection: Any, report: Any) -> Any:
        return replace(report, **said) if report.kind == "backfill" else report

    monkeypatch.setattr(plan_vs_actual, "add_plan_vs_actual", add)


def read(tmp_path: Path) -> dict[str, str]:
    folder = tmp_path / "records"
    return {path.name: path.read_text() for path in sorted(folder.glob("[!.]*"))}


def closed(db: psycopg.Connection[Any], batch: str) -> datetime:
    row = db.execute("SELECT closed_at FROM ops.batches WHERE batch_id = %s", (batch,)).fetchone()
    assert row
    db.commit()
    return row[0].astimezone(UTC)


@pytest.mark.usefixtures("planned")
def test_ten_questions_and_two_are_answered_by_the_record_alone(
    db: psycopg.Connection[Any], tmp_path: Path
) -> None:
    from include.wording import deviation, duration, moment, round_duration

    run_backfill(db)
    summarise()
    rerun(db, 1)
    summarise()
    files = read(tmp_path)
    assert list(files) == [f"{NAME}.dates.svg", f"{NAME}.md", f"{NAME}.pace.svg"]
    took = (closed(db, f"{DAG}:7:0") - QUEUED).total_seconds()
    known = {
        "{closed}": moment(closed(db, f"{DAG}:7:0")),
        "{rerun closed}": moment(closed(db, f"{DAG}:rerun:0")),
        "{took}": duration(took, exact=True),
        "{off}": deviation(round_duration(took), 600),
    }
    lines = [line.rstrip() for line in files[f"{NAME}.md"].splitlines()]
    unanswered = {}
    for question, answers in QUESTIONS.items():
        for key, value in known.items():
            answers = [answer.replace(key, value) for answer in answers]
        unanswered[question] = [answer for answer in answers if answer not in lines]
    assert unanswered == {question: [] for question in QUESTIONS}


@pytest.mark.usefixtures("planned")
def test_rerun_adds_a_chapter_and_keeps_what_people_wrote(
    db: psycopg.Connection[Any], tmp_path: Path
) -> None:
    run_backfill(db)
    summarise()
    path = tmp_path / "records" / f"{NAME}.md"
    assert "\n## 2. " not in path.read_text()
    lesson = "\n## Lessons learned\n\nAsk for the proxies a day before.\n"
    path.write_text(path.read_text().partition("\n## Lessons learned\n")[0] + lesson)
    rerun(db, 1)
    summarise()
    told = path.read_text()
    assert [line for line in told.splitlines() if line.startswith("## ")] == [
        "## How its dates stand: 5 of 6 dates done",
        "## 1. Backfill of 2026-10-01 10:00 UTC",
        "## 2. Rerun of 2026-10-01 13:00 UTC",
        "## Lessons learned",
    ]
    assert told.endswith(lesson)
    summarise()
    assert path.read_text() == told


@pytest.mark.usefixtures("planned")
def test_record_is_written_anew_from_our_tables_alone(
    db: psycopg.Connection[Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    call: Call,
) -> None:
    run_backfill(db)
    summarise()
    rerun(db, 1)
    summarise()
    capfd.readouterr()
    before = read(tmp_path)
    for path in (tmp_path / "records").glob("*"):
        path.unlink()
    monkeypatch.setenv("NBA_VERSION", "another")
    said = call(record_command, **WINDOW)
    assert (said.code, said.out) == (0, f"file://{tmp_path}/records/{NAME}.md\n")
    assert read(tmp_path) == before


def test_window_that_no_backfill_has_is_refused(db: psycopg.Connection[Any], call: Call) -> None:
    said = call(record_command, **WINDOW)
    assert (said.code, said.out) == (2, "")
    assert said.err == (
        f"airflow nba record: no backfill of {DAG} has ended that had dates of"
        " 2025-01-15..2025-01-20: nothing to record\n"
    )


def test_record_of_what_is_made_of_other_tables_is_written_anew(
    db: psycopg.Connection[Any], tmp_path: Path, capfd: pytest.CaptureFixture[str], call: Call
) -> None:
    results = {"dag_id": "prop_results", "endpoint": "player_prop_results"}
    tell(db, 0, "complete", **results)
    write(db, "prop_results:9:0", batch_run(0))
    summarise()
    capfd.readouterr()
    before = read(tmp_path)
    name = "2026-10-01-prop_results-2025-01-15-2025-01-15.md"
    (tmp_path / "records" / name).unlink()
    said = call(record_command, **{**WINDOW, "dag_id": "prop_results"})
    assert (said.code, said.out) == (0, f"file://{tmp_path}/records/{name}\n")
    assert read(tmp_path) == before


def test_record_of_a_dag_without_dates_is_refused(db: psycopg.Connection[Any], call: Call) -> None:
    said = call(record_command, **{**WINDOW, "dag_id": "reprocess"})
    assert (said.code, said.out) == (2, "")
    assert said.err.startswith("airflow nba record: 'reprocess' is not a DAG that has dates: ")


def test_record_that_cannot_be_written_holds_no_mail_up_and_is_tried_again(
    db: psycopg.Connection[Any], tmp_path: Path
) -> None:
    (tmp_path / "records").write_text("a file where the folder should be")
    run_backfill(db)
    summarise()
    assert len(list((tmp_path / "outbox").glob("*.eml"))) == 1
    ask = "SELECT recorded_at IS NULL, record_error FROM ops.batches"
    missing, error = db.execute(ask).fetchone() or ()
    db.commit()
    assert (missing, error.startswith("storage: cannot ")) == (True, True)
    (tmp_path / "records").unlink()
    summarise()
    assert db.execute(ask).fetchone() == (False, "")
    assert len(read(tmp_path)) == 3


@pytest.mark.parametrize(
    ("setting", "url"),
    [
        ("gs://bucket/records", "gs://bucket/records"),
        ("file:///srv/nba/records", "file:///srv/nba/records"),
        ("/srv/nba/with blank", "file:///srv/nba/with%20blank"),
        ("", "file:///home/of/airflow/docs/investigations"),
    ],
)
def test_place_is_a_folder_or_a_bucket(
    monkeypatch: pytest.MonkeyPatch, setting: str, url: str
) -> None:
    from nba_airflow.records import find_place

    monkeypatch.setenv("NBA_RECORDS", setting)
    monkeypatch.setenv("AIRFLOW_HOME", "/home/of/airflow")
    assert find_place() == url


def test_pictures_are_svg_that_any_viewer_shows(
    db: psycopg.Connection[Any], tmp_path: Path, planned: None
) -> None:
    from xml.etree import ElementTree

    run_backfill(db)
    summarise()
    rerun(db, 1)
    summarise()
    pictures: dict[str, Callable[..., Any]] = {}
    for name, text in read(tmp_path).items():
        if name.endswith(".svg"):
            assert len(text) < 4_000
            pictures[name] = ElementTree.fromstring(text).iter
    svg = "{http://www.w3.org/2000/svg}"
    dates = pictures[f"{NAME}.dates.svg"]
    assert [each.text for each in dates(f"{svg}title")][1:] == [
        "2025-01-15: Complete",
        "2025-01-16: Complete",
        "2025-01-17: Complete",
        "2025-01-18: Accepted",
        "2025-01-19: Without games",
        "2025-01-20: Failed",
    ]
    assert len(list(dates(f"{svg}circle"))) == 1  # healed by the rerun
    plan, actual = pictures[f"{NAME}.pace.svg"](f"{svg}polyline")
    assert plan.get("points") == "0.0,200.0 106.7,0.0"
    assert actual.get("points", "").split()[:2] == ["0.0,200.0", "640.0,200.0"]
    assert actual.get("points", "").split()[-1] == "640.0,0.0"
