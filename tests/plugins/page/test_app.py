"""The page's routes with Airflow's own authorisation: who may read what, what is escaped, and how
much a large ledger costs."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from devstack.connections import postgres_fields
from include.ops.db import connect
from include.ops.outcomes import OutcomeRow, record
from include.outcome import Outcome
from tests.plugins.page.conftest import DAGS, Manager

if TYPE_CHECKING:
    from fastapi.testclient import TestClient

NOW = datetime(2025, 2, 1, tzinfo=UTC)
DAY = date(2025, 1, 15)
MAX_BYTES = 300_000
MAX_SQUARES = 6 * 366  # six sources, every date of a year


@pytest.fixture(scope="module")
def ledger(ops_db: str) -> str:
    """A ledger with a season of five DAGs, and one text that is markup."""
    with connect(ops_db) as connection:
        for dag_id in DAGS:
            for n in range(260):
                write(connection, dag_id, date(2024, 10, 15) + timedelta(days=n))
        write(connection, "bdl_box_scores", DAY, outcome=Outcome.FAILED, message="<b>&</b>")
    return ops_db


def write(connection: Any, dag_id: str, day: date, **said: Any) -> None:
    """A try of a date."""
    row = {
        "dag_id": dag_id,
        "endpoint": "box_scores",
        "day": day,
        "run_id": f"backfill__{day}",
        "attempt": 1,
        "phase": "audit",
        "outcome": Outcome.COMPLETE,
        "started_at": NOW,
        "ended_at": NOW,
        "games_found": 5,
        "games_expected": 5,
    }
    record(connection, OutcomeRow(**{**row, **said}))


def replaced(client: TestClient, *, root_path: str) -> TestClient:
    """The same, below a path."""
    from fastapi.testclient import TestClient

    return TestClient(client.app, base_url="http://127.0.0.1", root_path=root_path)


class Squares(HTMLParser):
    """The calendar's dates in a page: title -> class."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, str, str]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        given = dict(attrs)
        if tag == "a" and "title" in given:
            self.found.append((given["href"], given["class"], given["title"]))


def test_the_calendar_shows_the_ledger_of_the_dags_that_the_user_may_read(
    client: TestClient,
) -> None:
    found = client.get("/nba/api/v1/calendar").json()
    assert (found["season"], found["seasons"]) == (2024, [2024])
    assert {name: len(cells) for name, cells in found["dags"].items()} == dict.fromkeys(
        DAGS[:4], 260
    )
    (cell,) = (c for c in found["dags"]["bdl_box_scores"] if c["day"] == str(DAY))
    assert cell == {
        "day": "2025-01-15",
        "outcome": "failed",
        "games_found": 5,
        "games_expected": 5,
        "run_id": "backfill__2025-01-15",
        "accepted": False,
    }


def test_the_page_has_a_link_for_each_date_and_stays_small(client: TestClient) -> None:
    answer = client.get("/nba/")
    squares = Squares(answer.text).found
    assert len(squares) == 4 * 260
    assert (
        "/nba/dates/bdl_box_scores/2025-01-15",
        "failed",
        "2025-01-15: failed, 5 of 5 games",
    ) in squares
    assert len(answer.content) / len(squares) * MAX_SQUARES < MAX_BYTES
    assert "another_teams" not in answer.text


def test_outcomes_of_a_ledger_without_dates_lead_to_a_page(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Manager, "get_authorized_dag_ids", lambda self, **asked: set())
    page = client.get("/nba/").text
    links = [unescape(href) for href in re.findall(r'href="(/nba/\?[^"]*)"', page)]
    assert len(links) == len(Outcome) + 1
    assert {client.get(link).status_code for link in links} == {200}


def test_links_lead_below_the_path_that_airflow_lies_at(client: TestClient) -> None:
    client = replaced(client, root_path="/team")
    page = client.get(f"/team/nba/dates/bdl_box_scores/{DAY}").text
    assert 'href="/team/dags/bdl_box_scores/runs/backfill__2025-01-15"' in page
    assert 'href="/team/nba/?dag_id=bdl_box_scores"' in page


def test_a_filter_leaves_the_other_dates_faint(client: TestClient) -> None:
    page = client.get("/nba/?dag_id=bdl_box_scores&outcome=failed").text
    squares = Squares(page).found
    assert len(squares) == 260
    assert [href for href, kind, _ in squares if "faint" not in kind] == [
        "/nba/dates/bdl_box_scores/2025-01-15"
    ]


def test_a_date_has_its_tries_and_what_upstreams_said_is_escaped(client: TestClient) -> None:
    page = client.get(f"/nba/dates/bdl_box_scores/{DAY}").text
    assert "&lt;b&gt;&amp;&lt;/b&gt;" in page
    assert "<b>" not in page
    assert "/dags/bdl_box_scores/runs/backfill__2025-01-15" in page
    found = client.get(f"/nba/api/v1/dates/bdl_box_scores/{DAY}").json()
    assert [row["outcome"] for row in found["tries"]] == ["failed"]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/nba/dates/odds_api_props/2025-01-15", 403),
        ("/nba/api/v1/calendar?dag_id=odds_api_props", 403),
        ("/nba/dates/another_teams/2025-01-15", 404),
        ("/nba/dates/bdl_box_scores/2031-01-15", 404),
        ("/nba/dates/bdl_box_scores/yesterday", 422),
        ("/nba/?season=soon", 422),
        ("/nba/?outcome=great", 422),
        ("/nba/?season=0", 422),
        ("/nba/api/v1/calendar?season=9999", 422),
        ("/nba/docs", 404),
        ("/nba/openapi.json", 404),
    ],
)
def test_what_may_not_be_read_or_is_not_there(client: TestClient, path: str, status: int) -> None:
    assert client.get(path).status_code == status


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("dates/<b>/2025-01-15", "&lt;b&gt; is not a DAG of game dates."),
        ("dates/bdl_box_scores/2019-13-01", "The day 2019-13-01 is not one: "),
        ("dates/bdl_box_scores/2031-01-15", "The ledger has no try of bdl_box_scores on 2031"),
        ("nowhere", "There is no page at this address."),
    ],
)
def test_an_address_without_a_page_leads_back(client: TestClient, path: str, said: str) -> None:
    answer = client.get(f"/nba/{path}")
    assert answer.headers["content-type"].startswith("text/html")
    assert said in answer.text
    assert '<nav aria-label="Pages"' in answer.text
    assert '<a href="/nba/">All game dates</a>' in answer.text
    assert "detail" in client.get(f"/nba/api/v1/{path}").json()


def test_no_route_answers_without_a_signed_in_user(
    airflow_environment: None, client: TestClient
) -> None:
    from airflow.api_fastapi.core_api.security import get_user

    from nba_airflow.page.app import make_app

    def routes() -> Iterator[Any]:
        yield from (r for r in make_app().routes if hasattr(r, "dependant"))

    def needs_user(dependant: Any) -> bool:
        return dependant.call is get_user or any(map(needs_user, dependant.dependencies))

    named = {route.path: needs_user(route.dependant) for route in routes()}
    assert {"/", "/api/v1/calendar", "/dates/{dag_id}/{day}"} < {*named}
    assert [path for path, needed in named.items() if not needed] == []


def test_nothing_is_loaded_from_elsewhere(client: TestClient) -> None:
    answer = client.get("/nba/")
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; style-src 'self'; script-src 'self'")
    assert "http://" not in answer.text
    assert "https://" not in answer.text
    for name in ("page.css", "page.js"):
        assert client.get(f"/nba/static/{name}").status_code == 200


def test_a_ledger_without_its_tables_is_one_line(
    client: TestClient, postgres_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from devstack import postgres

    bare = postgres_fields(postgres.ensure_database(postgres_dir, "page_without_tables"))
    monkeypatch.setenv("AIRFLOW_CONN_OPS_DB", json.dumps(bare))
    assert client.get("/nba/").status_code == 503


def test_an_address_that_is_a_script_is_not_a_link(client: TestClient, ledger: str) -> None:
    day = date(2025, 1, 20)
    with connect(ledger) as connection:
        write(connection, "nbacom_schedule", day, log_url="javascript:alert(1)")
    assert "javascript:" not in client.get(f"/nba/dates/nbacom_schedule/{day}").text


def test_a_ledger_that_is_away_is_one_line(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = {"conn_type": "postgres", "host": "127.0.0.1", "port": 1, "schema": "ops"}
    monkeypatch.setenv("AIRFLOW_CONN_OPS_DB", json.dumps(gone))
    answer = client.get("/nba/api/v1/calendar")
    assert answer.status_code == 503
    assert "operations" in answer.json()["detail"]
