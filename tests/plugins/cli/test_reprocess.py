"""`airflow nba reprocess`: a DAG's tables made again from raw, with what differs, and no request
anywhere."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from devstack.environment import ROOT
from include import failpoints
from include.ops.outcomes import read_newest
from include.sources.spec import Source
from include.steps.job import Stores
from include.warehouse.local import LocalWarehouse
from nba_airflow.cli.reprocess import reprocess
from tests.plugins.cli.asking import DAG, DAY, NEXT, Call, Said, outcome

pytestmark = pytest.mark.usefixtures("our_dags", "db")

WINDOW = {"dag_id": DAG, "start_date": str(DAY), "end_date": str(NEXT)}
HEAD = f"{DAG}: 2025-01-15..2025-01-16: 2 endpoints' dates:"


@pytest.fixture
def rows(stores: Stores, done: Callable[[date], None], sources: dict[str, Source]) -> Any:
    """``rows(DAY)``: the date's rows in the warehouse; both dates are done."""
    for day in (DAY, NEXT):
        done(day)
    table = sources[DAG].endpoint("box_scores").table
    return lambda day: stores.warehouse.rows(table, day)


def test_tables_are_made_again_of_what_raw_has(call: Call, stores: Stores, rows: Any) -> None:
    before = {day: rows(day) for day in (DAY, NEXT)}
    assert isinstance(stores.warehouse, LocalWarehouse)
    shutil.rmtree(stores.warehouse.root)
    lines = [f"{HEAD} 2 loaded", f"  {2 * len(before[DAY])} rows, 0 changes, 0 upstream requests"]
    said = call(reprocess, **WINDOW)
    assert said == Said(code=0, out="\n".join([*lines, ""]), err="")
    assert {day: rows(day) for day in (DAY, NEXT)} == before
    assert call(reprocess, **WINDOW).out.splitlines() == [f"{HEAD} 2 the same as before", lines[1]]


def test_ledger_learns_that_a_done_date_has_other_rows(call: Call, rows: Any, db: Any) -> None:
    """By it the tables that are made of them are seen to be stale."""

    def seen() -> list[tuple[Any, ...]]:
        return db.execute("SELECT day FROM ops.touched").fetchall()

    for day in (DAY, NEXT):
        outcome(db, day, "complete", content="of other rows")
    db.execute("TRUNCATE ops.touched")
    db.commit()
    call(reprocess, **{**WINDOW, "end_date": str(DAY)})
    newest = read_newest(db, DAG, [DAY, NEXT])
    content = newest[DAY, "box_scores"].content
    assert (len(content), newest[NEXT, "box_scores"].content) == (16, "of other rows")
    assert seen() == [(DAY,)]
    db.execute("TRUNCATE ops.touched")
    db.commit()
    call(reprocess, **{**WINDOW, "end_date": str(DAY)})
    assert (seen(), read_newest(db, DAG, [DAY])[DAY, "box_scores"].content) == ([], content)


def test_date_that_failed_and_is_whole_again_is_done_in_the_ledger_too(
    call: Call, rows: Any, db: Any
) -> None:
    """By it what is made of the date is seen to be due."""
    outcome(db, DAY, "failed", message="the warehouse was away")
    db.execute("TRUNCATE ops.touched")
    db.commit()
    call(reprocess, **{**WINDOW, "end_date": str(DAY)})
    row = read_newest(db, DAG, [DAY])[DAY, "box_scores"]
    assert (row.run_id, row.outcome, row.rows, row.message, row.requests) == (
        *("reprocessed", "complete", len(rows(DAY)), "1 of 1 games", 0),
    )
    assert (row.games_expected, row.games_found, len(row.content)) == (1, 1, 16)
    assert db.execute("SELECT day FROM ops.touched").fetchall() == [(DAY,)]


KILLED = """
import sys
from datetime import date
from pathlib import Path
from include.partition import Partition
from include.steps.reprocess import reprocess
from tests.steps.one_date import BOX_SCORES, stores_in

folder, *days = sys.argv[1:]
for day in map(date.fromisoformat, days):
    at = Partition(dag_id="bdl_box_scores", endpoint="box_scores", day=day)
    reprocess(BOX_SCORES, at, stores_in(Path(folder)))
"""


def test_run_that_was_killed_goes_on_where_it_was(
    call: Call, stores: Stores, rows: Any, tmp_path: Path
) -> None:
    before = {day: rows(day) for day in (DAY, NEXT)}
    assert isinstance(stores.warehouse, LocalWarehouse)
    shutil.rmtree(stores.warehouse.root)
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path), str(DAY), str(NEXT)],
        cwd=ROOT,
        env={**os.environ, failpoints.AT: "before load:2"},
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL
    assert call(reprocess, **WINDOW).out.splitlines()[0] == f"{HEAD} 1 loaded, 1 the same as before"
    assert {day: rows(day) for day in (DAY, NEXT)} == before


def test_rows_that_an_older_version_made_are_replaced_and_told(
    call: Call, stores: Stores, sources: dict[str, Source], rows: Any
) -> None:
    right = rows(NEXT)
    wrong = [{**row, "ast": row["ast"] + 1} for row in right[:2]]
    stores.warehouse.replace(sources[DAG].endpoint("box_scores").table, NEXT, wrong)
    facts = call(reprocess, **WINDOW, json=True).facts
    assert rows(NEXT) == right
    assert (facts["became"], facts["upstream_requests"], facts["exit_code"]) == (
        {"same": 1, "replaced": 1},
        0,
        0,
    )
    assert facts["changes_total"] == 2 + len(right) - 2
    assert {(each["date"], each["endpoint"]) for each in facts["changes"]} == {
        (str(NEXT), "box_scores")
    }
    told = {each["change"].rpartition(": ")[2] for each in facts["changes"]}
    assert f"ast {wrong[0]['ast']} -> {right[0]['ast']}" in told


def test_date_that_raw_does_not_have_whole_is_named_and_the_others_are_made(
    call: Call, stores: Stores, rows: Any, tmp_path: Path
) -> None:
    (body,) = (tmp_path / "raw").glob(f"{DAG}/2025/01/{DAY}/box_scores/*.gz")
    body.write_bytes(b"torn")
    last = date(2025, 1, 17)
    said = call(reprocess, **{**WINDOW, "end_date": str(last)})
    lines = said.out.splitlines()
    assert (said.code, lines[0]) == (
        1,
        f"{DAG}: 2025-01-15..2025-01-17: 3 endpoints' dates: 1 failed, 1 never fetched, 1 the same"
        " as before",
    )
    assert lines[2].startswith(f"  {DAY} box_scores: failed: raw store ")
    assert lines[2].endswith("restore it, or rerun the date with --refetch")
    assert json.loads(call(reprocess, **WINDOW, json=True).out)["wrong"][0]["day"] == str(DAY)


def test_requests_to_upstreams_are_counted_where_they_are_sent() -> None:
    from include.http.transport import SENT, Bounds, Transport
    from include.redact import Redactor
    from tests.mail.stand_in import listening

    before, transport = SENT.requests, Transport(Bounds())
    with listening() as upstream:
        transport.send(f"{upstream.host}/v1/games", {}, None, Redactor(()))
        transport.close()
    assert (SENT.requests - before, upstream.requests) == (1, [("GET", "/v1/games")])
