"""The page as Airflow mounts it, with Airflow's own authorisation."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from devstack.connections import postgres_fields

if TYPE_CHECKING:
    from fastapi.testclient import TestClient

    from tests.plugins.page.pressing import Sign
    from tests.plugins.running import Airflow

DAGS = (
    *("bdl_box_scores", "bigdataball_play_by_play", "nbacom_box_scores"),
    *("nbacom_schedule", "odds_api_props"),
)
HIDDEN = "odds_api_props"
"""The one that the user of ``client`` may not read."""
ADMIN = "admin"


@pytest.fixture
def client(
    ledger: str,
    tmp_path: Path,
    airflow_environment: None,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[TestClient]:
    """With a user who may read all DAGs but one."""
    yield from mounted(ledger, tmp_path, monkeypatch, "ann")


@pytest.fixture
def everything(
    ledger: str,
    tmp_path: Path,
    airflow_environment: None,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[TestClient]:
    """With a user who may read all DAGs."""
    yield from mounted(ledger, tmp_path, monkeypatch, ADMIN)


def mounted(
    ledger: str, folder: Path, monkeypatch: pytest.MonkeyPatch, user: str
) -> Iterator[TestClient]:
    """The page as Airflow mounts it, for a user who has signed in."""
    from airflow.api_fastapi.core_api.security import get_user
    from fastapi import FastAPI
    from fastapi.testclient import TestClient

    from nba_airflow.page import PREFIX, access
    from nba_airflow.page.app import make_app

    monkeypatch.setenv("AIRFLOW_CONN_OPS_DB", json.dumps(postgres_fields(ledger)))
    raw = {"conn_type": "generic", "extra": {"url": f"file://{folder}/raw"}}
    monkeypatch.setenv("AIRFLOW_CONN_RAW_STORE", json.dumps(raw))
    monkeypatch.setenv("NBA_RECORDS", f"{folder}/records")
    monkeypatch.setattr(access, "get_auth_manager", Manager)
    monkeypatch.setattr("airflow.api_fastapi.core_api.security.get_auth_manager", Manager)
    monkeypatch.setattr(
        "airflow.api_fastapi.core_api.security.DagModel.get_team_name", lambda dag_id: None
    )
    forget()
    made = make_app()
    made.dependency_overrides[get_user] = lambda: user
    airflow = FastAPI()
    airflow.mount(PREFIX, made)
    with TestClient(airflow, base_url="http://127.0.0.1") as found:
        yield found


def forget() -> None:
    """What was read for another test's viewers is not shown to this one's."""
    from nba_airflow.page import errors, limits

    for shared in (limits.NOW, *errors.NOW.values()):
        shared.forget()


class Manager:
    """Airflow's way to ask what a user may do: all, but for one DAG unless it is the admin."""

    def is_authorized_dag(self, *, user: str, details: Any, **asked: Any) -> bool:
        return user == ADMIN or details.id != HIDDEN

    def get_authorized_dag_ids(self, *, user: str, **asked: Any) -> set[str]:
        return {*DAGS, "another_teams"} - ({HIDDEN} if user != ADMIN else set())


@pytest.fixture(scope="module")
def _api(our_dags: None) -> Iterator[Callable[[str], Any]]:
    """Makes Airflow's API below a path; its plugins are mounted as an api-server does it."""
    from airflow.api_fastapi import app as api

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW__API_AUTH__JWT_SECRET", "a secret of this test " * 4)

        def make(root: str) -> Any:
            patch.setattr(api, "API_ROOT_PATH", f"{root}/")
            api.purge_cached_app()
            return api.create_app(apps="core")

        yield make
    api.purge_cached_app()


@pytest.fixture
def sign(_api: Callable[[str], Any], airflow: Airflow) -> Iterator[Sign]:
    """Signs somebody in by Airflow's cookie, as a browser has it: ``sign("viewer", root="/team")``;
    a client of the address that Airflow lies at."""
    from airflow.api_fastapi.app import get_auth_manager
    from airflow.api_fastapi.auth.managers.base_auth_manager import COOKIE_NAME_JWT_TOKEN
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
    from fastapi.testclient import TestClient

    from nba_airflow.page.running import NOW

    with ExitStack() as clients:

        def make(role: str, *, root: str = "") -> TestClient:
            NOW.forget()
            app = _api(root)
            token = get_auth_manager().generate_jwt(
                SimpleAuthManagerUser(username="ann", role=role)
            )
            client = TestClient(app, base_url=f"http://airflow.test{root}")
            client.cookies.set(COOKIE_NAME_JWT_TOKEN, token)
            return clients.enter_context(client)

        yield make
    NOW.forget()
