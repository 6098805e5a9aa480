"""The page of limits and money: what the limiter and the ledger hold, of the connections of DAGs
that the user may read."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from html import unescape
from typing import TYPE_CHECKING

import pytest

from include.limits.limiter import Limiter
from include.ops.db import connect
from include.ops.session import Session
from include.sources.spec import Window
from tests.plugins.cli.asking import DAG, outcome
from tests.plugins.page.conftest import forget

if TYPE_CHECKING:
    from fastapi.testclient import TestClient

ODDS = "odds_api_props"
TODAY = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
LAST_MONTH = TODAY.replace(day=1) - timedelta(hours=1)


@pytest.fixture(scope="module")
def ledger(ops_db: str) -> str:
    """One paused connection, credits of the month, and what tries of two months have taken."""
    with connect(ops_db) as db, Session(ops_db) as session:
        windows = {"balldontlie": (Window(limit=60, seconds=60.0),)}
        limiter = Limiter(session, windows)
        limiter.admit("balldontlie", max_wait=5).release()
        limiter.slow_down("balldontlie", 3000.0)
        db.execute(
            "INSERT INTO ops.credit_months (account, month, billed, open_backfill, spent_live)"
            " VALUES ('the_odds_api', %s, 120, 30, 40)",
            (TODAY.date().replace(day=1),),
        )
        db.commit()
        for n, (dag_id, at) in enumerate(((DAG, TODAY), (DAG, LAST_MONTH), (ODDS, LAST_MONTH))):
            outcome(
                *(db, date(2025, 1, 15) + timedelta(days=n), "complete"),
                **{"dag_id": dag_id, "requests": 3, "credits": 100 * (dag_id == ODDS)},
                **{"bytes_billed": 2**40, "started_at": at, "ended_at": at},
            )
    return ops_db


@pytest.fixture(autouse=True)
def _connections(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = {"credits": {"monthly": 20_000, "live_reserve": 100, "spread": False}}
    for name, extra in (("balldontlie", {}), ("the_odds_api", plan), ("nba_cdn", {})):
        told = {"conn_type": "http", "password": "very-secret", "extra": extra}
        monkeypatch.setenv(f"AIRFLOW_CONN_{name.upper()}", json.dumps(told))


def test_limits_are_those_of_the_limiter_with_what_holds_requests_back(client: TestClient) -> None:
    found = client.get(f"/nba/api/v1/limits?dag_id={DAG}").json()["connections"]
    (until,) = {each["limiters"][0].pop("paused_until") for each in found}
    assert found == [
        {
            "connection": "balldontlie",
            "problem": "",
            "limiters": [
                {
                    "name": "balldontlie",
                    "windows": [{"limit": 60, "seconds": 60, "used": 1}],
                    "refusals": 1,
                    "cooldown_until": None,
                }
            ],
            "pauses": [{"name": "balldontlie", "kind": "pause", "until": until}],
            "credits": None,
        }
    ]
    page = client.get(f"/nba/limits?dag_id={DAG}").text
    assert "balldontlie: paused after a refusal, until" in page
    assert "<code>airflow nba resume balldontlie</code>" in page
    assert 'data-fact="connections.0.limiters.0.windows.0.used">1</td>' in page
    assert '.windows.0.used" data-whole="60">2 %</span>' in page
    assert "very-secret" not in page


def test_a_connection_of_a_dag_that_the_user_may_not_read_is_not_shown(client: TestClient) -> None:
    found = client.get("/nba/api/v1/limits").json()
    assert {each["connection"] for each in found["connections"]} == {
        *("balldontlie", "bigdataball", "nba_cdn", "nba_stats")
    }
    assert [row["dag_id"] for row in found["money"]] == [DAG, DAG]
    assert "the_odds_api" not in client.get("/nba/limits").text
    assert client.get(f"/nba/limits?dag_id={ODDS}").status_code == 403


def test_credits_and_money_are_those_of_the_ledger_and_the_price_table(
    everything: TestClient,
) -> None:
    found = everything.get(f"/nba/api/v1/limits?dag_id={ODDS}").json()
    credits = {each["connection"]: each["credits"] for each in found["connections"]}
    told = credits["the_odds_api"]
    assert {name: told[name] for name in told.keys() - {"projected", "projected_end"}} == {
        "month": str(TODAY.date().replace(day=1)),
        "total": 20_000,
        "used": 120,
        "reserved": 30,
        "left": 19_850,
        "left_for_backfills": 19_790,
        "live_reserve": 100,
        "kept_for_live": 60,
    }
    assert found["money"] == [
        {
            "month": str(LAST_MONTH.date().replace(day=1)),
            "dag_id": ODDS,
            "requests": 3,
            "credits": 100,
            "bytes_billed": 2**40,
            "operations": 0,
            "dollars": 100 * 30 / 20_000 + 6.25,
        }
    ]
    page = everything.get("/nba/limits").text
    assert '.credits.kept_for_live">60</td>' in page
    assert f"<td>{LAST_MONTH:%Y-%m}</td><td>{ODDS}</td><td>3</td><td>100</td>" in page
    assert "<td>$12.65</td>" in page


def test_a_connection_that_cannot_be_read_is_named_beside_the_others(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    extra = json.dumps({"conn_type": "http", "extra": {"windows": "many"}})
    monkeypatch.setenv("AIRFLOW_CONN_NBA_STATS", extra)
    found = client.get("/nba/api/v1/limits").json()["connections"]
    wrong = {each["connection"]: each["problem"] for each in found if each["problem"]}
    assert "nba_stats" in wrong
    assert wrong["nba_stats"].startswith("connection nba_stats has limits in its extra")
    assert wrong["nba_stats"] in unescape(client.get("/nba/limits").text)


def test_what_many_poll_is_read_once_for_all_of_them(
    client: TestClient, ledger: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def pauses() -> list[int]:
        found = client.get("/nba/api/v1/limits").json()["connections"]
        return [len(each["pauses"]) for each in found if each["connection"] == "balldontlie"]

    monkeypatch.setattr("nba_airflow.page.shared.SECONDS", 3600.0)
    assert pauses() == [1]
    with connect(ledger) as db:
        db.execute("UPDATE ops.limiters SET paused_until = '-infinity'")
        db.commit()
    assert pauses() == [1]
    forget()
    assert pauses() == [0]
