"""`airflow nba repair`: lost outcomes come back from the data, given-up mails are due again."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import date
from typing import Any

import psycopg
import pytest

from include.ops import outbox
from include.partition import Partition
from include.sources.spec import Source
from include.steps.job import Stores
from include.warehouse.local import LocalWarehouse
from nba_airflow.cli.repair import repair
from nba_airflow.cli.status import status
from tests.plugins.cli.asking import DAG, DAY, NEXT, Call, Said, outcome

NOTHING = "say what to repair: DAG -s DATE -e DATE, --tables, --ledger [DAG] or --mails"
ALONE = "gaps are healed by DAG -s DATE -e DATE [--dry-run], and nothing beside"

pytestmark = pytest.mark.usefixtures("stores", "our_dags")


def test_lost_ledger_is_rebuilt_and_counted(
    call: Call,
    db: psycopg.Connection[Any],
    stores: Stores,
    sources: dict[str, Source],
    done: Callable[[date], None],
) -> None:
    for day in (DAY, NEXT, date(2025, 1, 17)):
        done(day)
    assert isinstance(stores.warehouse, LocalWarehouse)
    (part,) = stores.warehouse.root.glob(f"raw/{DAG}/game_date={NEXT}/*")
    part.unlink()
    outcome(db, DAY, "failed", error_class="blocked")
    begun = Partition(dag_id=DAG, endpoint="box_scores", day=date(2025, 1, 18))
    stores.raw.create(f"{begun.prefix}/all-000000000000.json.gz", b"")

    said = call(repair, ledger=True)

    assert (said.code, said.err) == (0, "")
    rebuilt = (
        "2 rebuilt (1 complete, 1 partial); 1 known already; 1 without a manifest (under way, or"
        " its run died: `airflow nba gaps` names it, and a rerun goes on from there)"
    )
    assert said.out.splitlines() == [
        f"{name}: {rebuilt if name == DAG else '0 rebuilt'}" for name in sources
    ]
    counted = {"known": 1, "partial": 1, "complete": 1, "unfinished": 1}
    assert call(repair, ledger=True, dag_id=DAG, json=True).facts == {
        "ledger": {DAG: counted},
        "exit_code": 0,
    }
    assert call(status, json=True).facts["outcomes"] == {
        DAG: {"box_scores": {"complete": 1, "failed": 1, "partial": 1}}
    }


@pytest.fixture
def wrong_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a process finds it that is started with it."""
    monkeypatch.setenv("NBA_ACTUAL_SOURCE", "nba.com")
    monkeypatch.delitem(sys.modules, "nba_dags_prop_results", raising=False)


@pytest.mark.usefixtures("wrong_setting")
def test_tables_are_made_whatever_a_processors_setting_is(call: Call) -> None:
    said = call(repair, tables=True)
    why = "NBA_ACTUAL_SOURCE is 'nba.com': it can be bdl_box_scores or nbacom_box_scores"
    assert (said.code, said.err) == (1, "")
    assert said.out == (
        "operations tables and warehouse: up to date, but those of processors are left as they"
        f" are: {why}\n"
    )


def test_mails_that_were_given_up_are_made_due(call: Call, db: psycopg.Connection[Any]) -> None:
    outbox.put(db, outbox.Mail(mail_id="m", message_id="<m@nba>", subject="s", content=b"x"), [])
    db.commit()
    mail = outbox.claim(db)
    assert mail
    outbox.not_sent(db, mail, "bad_key", again=False)
    said = call(repair, mails=True)
    assert said == Said(
        code=0, out="mails: 1 due again, sent by the next run of backfill_summary\n", err=""
    )
    assert call(repair, mails=True, json=True).facts == {"mails": 0, "exit_code": 0}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({}, NOTHING),
        ({"dag_id": DAG}, NOTHING),
        ({"dag_id": DAG, "mails": True}, f"{DAG} goes with -s DATE -e DATE, or with --ledger"),
        ({"dag_id": DAG, "start_date": str(DAY)}, ALONE),
        ({"start_date": str(DAY), "end_date": str(DAY)}, ALONE),
        ({"dag_id": DAG, "dry_run": True, "ledger": True}, ALONE),
        ({"dag_id": "nope", "ledger": True}, "'nope' is not the DAG of a source: those are "),
    ],
)
def test_repair_of_nothing_is_refused_on_one_line(
    call: Call, arguments: dict[str, Any], said: str
) -> None:
    found = call(repair, **arguments)
    assert (found.code, found.out) == (2, "")
    (line,) = found.err.splitlines()
    assert line.startswith(f"airflow nba repair: {said}")
