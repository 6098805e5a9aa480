"""`airflow nba status` while backfills run: pace, cost against the plan, holds, what needs a
person; one screen of it, and watching it."""

from __future__ import annotations

import io
import json
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from include.ops import backfills, batches, stages
from include.ops.backfills import Backfill
from include.ops.stages import Stage
from include.partition import DateRange
from include.wording import moment
from nba_airflow.cli.answer import Answer, Grid, Line
from nba_airflow.cli.status import read_status, status
from nba_airflow.cli.status_rows import list_held
from nba_airflow.cli.watch import draw, watch
from nba_airflow.under_way import Held
from tests.plugins.cli.asking import DAG, DAY, NEXT, Call, outcome
from tests.plugins.running import Airflow

pytestmark = pytest.mark.usefixtures("stores", "airflow")
LATER = DAY + timedelta(days=2)


@pytest.fixture
def ledger(db: psycopg.Connection[Any]) -> psycopg.Connection[Any]:
    db.execute("TRUNCATE ops.backfills, ops.holds, ops.stages")
    db.commit()
    return db


def order(db: psycopg.Connection[Any], number: int, dag_id: str = DAG, **plan: Any) -> None:
    backfill = Backfill(
        backfill_id=number,
        dag_id=dag_id,
        batch_id=batches.name_backfill(dag_id, number),
        started_by="ann",
        plan=plan,
    )
    backfills.note(db, backfill)
    db.commit()


def rows_of(said: Any, what: str) -> list[list[str]]:
    return [row for row in said.rows if row[0] == what]


def test_backfill_shows_what_it_has_taken_of_what_was_planned(
    call: Call, ledger: psycopg.Connection[Any], airflow: Airflow, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = airflow.backfill(DateRange(DAY, LATER))
    planned = {"requests": 428, "credits": 40, "operations": 57, "dollars": 0.06}
    planned["seconds_per_date"] = 60.0
    order(ledger, number, **planned)
    airflow.start(DAY)
    airflow.start(NEXT)
    (first,), (second,) = airflow.run_ids(DAY), airflow.run_ids(NEXT)
    took = {"requests": 120, "credits": 30, "bytes": 2_000_000, "warehouse_jobs": 2}
    took |= {"bucket_writes": 5, "bucket_reads": 14}
    outcome(ledger, DAY, "complete", run_id=first, bytes_billed=10_000_000, **took)
    outcome(ledger, NEXT, "quota_wait", run_id=second)
    airflow.end(DAY)
    said = call(status, output="plain")
    assert rows_of(said, "batch") == [
        [
            "batch",
            DAG,
            "backfill 2025-01-15..2025-01-17: 1 of 3 ended; 1 failed; 1 put off;"
            " about 2 min left by the plan",
        ]
    ]
    assert rows_of(said, "taken") == [
        [
            "taken",
            DAG,
            "120 of 428 requests; 30 of 40 credits; 10.0 MB billed;"
            " 19 of 57 operations; $0.0001 of $0.06 spent",
        ]
    ]
    facts = call(status, json=True).facts
    (batch,) = facts["batches"]
    assert batch["plan"] == planned
    assert (batch["per_minute"], batch["seconds_left"], batch["by_plan"]) == (None, 120.0, True)
    assert batch["spent"] == {
        **took,
        "bytes_billed": 10_000_000,
        "tries": 2,
        "waiting": 1,
        "operations": 19,
        "dollars": pytest.approx(6.25 * 10_000_000 / 2**40 + 5 * 0.005 / 1000 + 14 * 0.0004 / 1000),
    }
    assert facts["needs_a_person"] == []
    assert facts["newest_done"] == {DAG: {"box_scores": "2025-01-15"}}


def test_stages_to_come_are_dates_of_the_backfill(
    call: Call, ledger: psycopg.Connection[Any], airflow: Airflow
) -> None:
    number = airflow.backfill(DateRange(DAY, NEXT))
    order(ledger, number, seconds_per_date=60.0)
    days = [LATER, LATER + timedelta(days=1)]
    stages.write(ledger, batches.name_backfill(DAG, number), [Stage(stage="whole", days=days)])
    ledger.commit()
    airflow.run("complete", DAY)
    said = call(status, output="plain")
    assert rows_of(said, "batch") == [
        [
            "batch",
            DAG,
            "backfill 2025-01-15..2025-01-18: 1 of 4 ended; about 3 min left by the plan",
        ]
    ]


@pytest.mark.parametrize(
    ("kind", "command"),
    [
        ("breaker", f"airflow nba resume {DAG}"),
        ("preflight", "airflow nba release {number}"),
        ("quiet hours", ""),
    ],
)
def test_command_that_lets_a_held_backfill_go_on_is_told_where_it_needs_a_person(
    call: Call, ledger: psycopg.Connection[Any], airflow: Airflow, kind: Any, command: str
) -> None:
    number = airflow.backfill(DateRange(DAY, NEXT))
    airflow.pause(number)
    backfills.hold(ledger, number, kind, "5 dates in a row: bad_key")
    ledger.commit()
    told = f"To let backfill {number} go on, its cause repaired: {command.format(number=number)}"
    hints = [told] if command else []
    assert [line for line in call(status).out.splitlines() if line.startswith("To let")] == hints
    facts = call(status, json=True).facts
    assert [hint for hint in facts["hints"] if hint.startswith("To let")] == hints


@pytest.mark.parametrize(
    ("kind", "code"), [("breaker", 1), ("preflight", 1), ("quiet hours", 0), (None, 0)]
)
def test_held_backfill_is_named_with_why_and_needs_a_person_unless_it_goes_on_by_itself(
    call: Call, ledger: psycopg.Connection[Any], airflow: Airflow, kind: Any, code: int
) -> None:
    number = airflow.backfill(DateRange(DAY, NEXT))
    airflow.pause(number)
    if kind:
        backfills.hold(ledger, number, kind, "5 dates in a row: bad_key")
        ledger.commit()
    said = call(status, output="plain")
    holds = backfills.read_holds(ledger, [number])
    since = [f"{kind} since {moment(hold.since)}: 5 dates in a row: bad_key" for hold in holds]
    by_a_person = "person: paused in Airflow, and goes on when somebody unpauses it"
    why = f"backfill {number}, {''.join(since) or by_a_person}"
    assert rows_of(said, "hold") == [["hold", DAG, why]]
    assert rows_of(said, "batch")[0][2].endswith(": 0 of 2 ended; held")
    assert said.code == code
    needs = call(status, json=True).facts["needs_a_person"]
    assert needs == ["1 backfill is held"] * code


@pytest.mark.parametrize(
    ("why", "said"),
    [
        ("w" * 300, "w" * 300),
        ("w" * 371, "w" * 300 + " [... 71 more characters, see -o json]"),
    ],
)
def test_cause_of_a_hold_is_whole_or_says_where_the_rest_of_it_is(why: str, said: str) -> None:
    held = Held(dag_id=DAG, backfill_id=7, kind="preflight", why=why)
    (row,) = list_held([held])
    assert row["state"].text == f"backfill 7, preflight: {said}"


def test_record_that_is_not_written_and_a_connection_at_fault_need_a_person(
    call: Call, ledger: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.ops.written import write

    write(ledger, f"{DAG}:7:0")
    batches.reported(ledger, f"{DAG}:7:0")
    batches.recorded(ledger, f"{DAG}:7:0", error="storage: cannot write /srv: the disk is full")
    broken = json.dumps({"conn_type": "http", "extra": {"windows": [["many", 60]]}})
    monkeypatch.setenv("AIRFLOW_CONN_NBA_CDN", broken)
    said = call(status, output="plain")
    assert (said.code, rows_of(said, "record")) == (
        1,
        [["record", f"{DAG}:7:0", "not written: storage: cannot write /srv: the disk is full"]],
    )
    assert call(status, json=True).facts["needs_a_person"] == [
        "1 record not written",
        "1 connection at fault",
    ]


@pytest.mark.usefixtures("documented_alone")
def test_it_is_one_screen_with_a_backfill_of_each_source_and_many_proxies(
    ledger: psycopg.Connection[Any], airflow: Airflow, monkeypatch: pytest.MonkeyPatch
) -> None:
    from nba_airflow.specs import sources

    proxies = [f"http://u:p@gate-{n}.test:7000" for n in range(12)]
    extra = json.dumps({"conn_type": "http", "extra": {"proxies": proxies}})
    monkeypatch.setenv("AIRFLOW_CONN_NBA_STATS", extra)
    for dag_id, source in sources().items():
        books = Airflow(ledger=ledger, dag_id=dag_id)
        number = books.backfill(DateRange(DAY, LATER))
        order(ledger, number, dag_id, requests=428, credits=40, dollars=0.06)
        books.start(DAY)
        books.end(DAY)
        for endpoint in source.endpoints:
            for n, said in enumerate(("complete", "failed", "no_games")):
                day = DAY + timedelta(days=n)
                outcome(ledger, day, said, dag_id=dag_id, endpoint=endpoint.name)
    backfills.hold(ledger, number, "breaker", "5 dates in a row: bad_key")
    ledger.commit()
    drawn = draw(read_status(), 100).splitlines()
    assert len(drawn) <= 40, "\n".join(drawn)
    assert max(map(len, _without_colours(drawn))) <= 100


def _without_colours(lines: list[str]) -> list[str]:
    from rich.text import Text

    return [Text.from_ansi(line).plain for line in lines]


# --- watching


def answer(state: str, *, under_way: bool) -> Answer:
    rows = [
        {"what": "batch", "name": DAG, "state": Line(text=state)},
        {"what": "limit", "name": "balldontlie", "state": Line(text="0 of 60")},
    ]
    return Answer(text=[Grid(rows=rows)], rows=rows, facts={"under_way": under_way}, code=1)


def test_watching_says_what_has_moved_on_a_line_where_there_is_no_terminal() -> None:
    from rich.console import Console

    answers = [answer(f"{n} of 2 ended", under_way=n < 2) for n in (0, 0, 1, 2)]
    paper, waited, left = io.StringIO(), list[float](), iter(answers)
    found = watch(lambda: next(left), console=Console(file=paper), pause=waited.append)
    said = [line.strip() for line in paper.getvalue().splitlines()]
    assert [line for line in said if line] == [
        f"batch {DAG} 0 of 2 ended",
        f"batch {DAG} 1 of 2 ended",
    ]
    assert (found, len(waited)) == (answers[-1], 3)


def test_watching_draws_it_anew_on_a_terminal_until_ctrl_c() -> None:
    from rich.console import Console

    def stop(seconds: float) -> None:
        raise KeyboardInterrupt

    paper = io.StringIO()
    console = Console(file=paper, force_terminal=True, width=100)
    wanted = answer("0 of 2 ended", under_way=True)
    assert watch(lambda: wanted, console=console, pause=stop) == wanted
    assert "balldontlie | 0 of 60" in " ".join(paper.getvalue().split())
