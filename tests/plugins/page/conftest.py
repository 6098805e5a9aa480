"""The page as Airflow mounts it, with Airflow's own authorisation."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from devstack.connections import postgres_fields

if TYPE_CHECKING:
    from fastapi.testclient import TestClient

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
