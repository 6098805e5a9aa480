"""The page of errors: the groups of the command and the mail, what runs them again, and the
breakers, of DAGs that the user may read."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from include.ops import breakers
from include.ops.breakers import Breaker
from include.ops.db import connect
from include.wording import moment
from tests.plugins.cli.asking import DAG, DAY, NEXT, outcome

if TYPE_CHECKING:
    from fastapi.testclient import TestClient

ODDS = "odds_api_props"
LAST = date(2025, 1, 19)
AT = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=2)
FAILED = {
    "error_class": "blocked",
    "fingerprint": "0123456789ab",
    "message": "<b>403</b> page",
    "log_url": "http://airflow/log",
    "started_at": AT,
    "ended_at": AT,
}
RERUN = "\n".join(
    f"airflow dags backfill {DAG} -s {day} -e {day} --rerun-failed-tasks -y" for day in (DAY, LAST)
)
OPENED = datetime(2026, 11, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def ledger(ops_db: str) -> str:
    """Three dates that failed alike, one of them healed since, and once in the day before; a
    healed one with a log that is a script; and one of each of a DAG that not everybody may read."""
    with connect(ops_db) as db:
        for day in (DAY, NEXT, LAST):
            outcome(db, day, "failed", **FAILED)
        outcome(db, NEXT, "complete", attempt=2)
        day_before = {name: AT - timedelta(hours=23) for name in ("started_at", "ended_at")}
        outcome(db, date(2025, 2, 1), "failed", **{**FAILED, **day_before})
        hang = {"error_class": "hang", "message": "no answer", "fingerprint": "f" * 12}
        healed = {**FAILED, **hang, "log_url": "javascript:alert(1)", "endpoint": "schedule"}
        outcome(db, DAY, "failed", **{**healed, "dag_id": "nbacom_schedule"})
        again = {"dag_id": "nbacom_schedule", "endpoint": "schedule", "attempt": 2}
        outcome(db, DAY, "complete", **again)
        outcome(db, DAY, "failed", **{**FAILED, "dag_id": ODDS})
        for number, dag_id in ((7, DAG), (8, ODDS)):
            opened = Breaker(
                backfill_id=number,
                dag_id=dag_id,
                state="open",
                flag="same failure",
                why="5 dates in a row failed alike",
                opened_at=OPENED,
                probe_at=OPENED,
                failed_probes=1,
            )
            breakers.write(db, opened)
        db.commit()
    return ops_db


def test_groups_are_the_commands_with_trend_and_the_rerun_of_what_is_not_done(
    client: TestClient,
) -> None:
    found = client.get("/nba/api/v1/errors").json()
    blocked, hang = found["groups"]
    at = AT.isoformat().replace("+00:00", "Z")
    assert blocked == {
        "dag_id": DAG,
        "endpoint": "box_scores",
        "outcome": "failed",
        "error_class": "blocked",
        "fingerprint": "0123456789ab",
        "tries": 3,
        "days": [str(DAY), str(NEXT), str(LAST)],
        "first_at": at,
        "last_at": at,
        "message": "<b>403</b> page",
        "log_url": "http://airflow/log",
        "by_day": [],
        "tries_before": 1,
        "trend": "more: 1",
        "open_days": [str(DAY), str(LAST)],
        "rerun": RERUN,
    }
    assert (hang["dag_id"], hang["open_days"], hang["rerun"]) == ("nbacom_schedule", [], "")
    assert found["hours"] == 24


def test_the_page_has_the_command_to_copy_and_escapes_what_was_said(client: TestClient) -> None:
    page = client.get("/nba/errors").text
    assert f'<code id="group1-rerun">{RERUN}</code>' in page
    assert 'class="copy" data-of="group1-rerun"' in page
    assert "&lt;b&gt;403&lt;/b&gt; page" in page
    assert '<a href="http://airflow/log" target="_top">' in page
    assert "javascript:" not in page
    assert "All of them are done by now." in page


def test_breakers_are_shown_with_their_rules_and_their_probe(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NBA_BREAKER", raising=False)
    found = client.get(f"/nba/api/v1/errors?dag_id={DAG}").json()
    (breaker,) = found["breakers"]
    halted = f"halted, one date is tried at {moment(OPENED)}: same failure, 5 dates in a row"
    assert (breaker["backfill_id"], breaker["holds"]) == (7, f"{halted} failed alike")
    assert found["rules"] == {
        DAG: [
            "more than 20% failed of the last 50 dates, when 10 have ended",
            "more than 4 dates in a row failed alike",
            "a date takes more than 10 times what was planned",
            "more than 2 dates in a row met 429 or 403",
            "more than 9 answers in a row were 429",
            "a date takes more than 1000 MB of memory",
            "then one date is tried after 15 minutes, and after each that fails in twice the time,"
            " 240 minutes at most",
        ]
    }
    page = client.get(f"/nba/errors?dag_id={DAG}").text
    assert f"{halted} failed alike. Probes that failed: 1." in page
    assert "more than 4 dates in a row failed alike" in page


def test_a_dag_without_a_breaker_has_no_rules(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NBA_BREAKER", f'{{"{DAG}": null}}')
    assert client.get(f"/nba/api/v1/errors?dag_id={DAG}").json()["rules"] == {DAG: []}
    assert "no breaker" in client.get(f"/nba/errors?dag_id={DAG}").text


def test_what_is_of_a_dag_that_the_user_may_not_read_is_not_shown(
    client: TestClient, everything: TestClient
) -> None:
    assert ODDS not in client.get("/nba/errors").text
    assert ODDS not in client.get("/nba/api/v1/errors").text
    found = everything.get("/nba/api/v1/errors").json()
    assert {group["dag_id"] for group in found["groups"]} == {DAG, "nbacom_schedule", ODDS}
    assert [each["dag_id"] for each in found["breakers"]] == [DAG, ODDS]


@pytest.mark.parametrize("hours", ["0", "-1", "23", "24.5", "745", "nan", "soon"])
def test_hours_of_no_period_are_refused(client: TestClient, hours: str) -> None:
    assert client.get(f"/nba/errors?hours={hours}").status_code == 422
    assert client.get(f"/nba/api/v1/errors?hours={hours}").status_code == 422


@pytest.mark.parametrize("hours", [6, 24, 168, 744])
def test_every_period_of_the_page_is_answered(client: TestClient, hours: int) -> None:
    assert client.get(f"/nba/api/v1/errors?hours={hours}").json()["hours"] == hours
