"""Everything here runs with the Airflow of this test session."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from devstack import postgres
from devstack.connections import postgres_fields
from include.ops.db import Deadlines, connect
from include.settings import MAX_RUNS_A_TURN
from tests.plugins.running import Airflow

TABLES = (
    "ops.batches, ops.outbox, ops.outcomes, ops.backfills, ops.stages, ops.holds, ops.breakers,"
    " ops.game_days, ops.limiters"
)
UNHURRIED = Deadlines(connect=60, statement=60.0, lock=60.0, idle=60.0, total=60.0)


@pytest.fixture(scope="module", autouse=True)
def _airflow(airflow_environment: None) -> None:
    """See tests/conftest.py."""


@pytest.fixture(scope="module")
def books(
    postgres_dir: Path, airflow_environment: None, request: pytest.FixtureRequest
) -> Iterator[str]:
    """URL of a Postgres database with all of Airflow's tables, which Airflow's own functions of
    this process work on."""
    from airflow import settings
    from airflow.models import import_all_models
    from airflow.models.base import Base

    name = f"{request.module.__name__.replace('.', '_')}_books"
    url = postgres.ensure_database(postgres_dir, name)
    with pytest.MonkeyPatch.context() as patch:
        driver_url = url.replace("postgresql://", "postgresql+psycopg://", 1)
        patch.setenv("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", driver_url)
        patch.setenv("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC", driver_url)
        _bind()
        import_all_models()
        Base.metadata.create_all(settings.engine)
        yield url
    _bind()


def _bind() -> None:
    """Airflow works on the database that the environment names now."""
    from airflow import settings

    settings.dispose_orm()
    settings.configure_vars()
    settings.configure_orm()


@pytest.fixture(scope="module")
def our_dags(books: str) -> None:
    """Our DAGs are in Airflow's tables, and none is paused."""
    from airflow.dag_processing.dagbag import DagBag
    from airflow.models.dag import DagModel
    from airflow.utils.session import create_session
    from sqlalchemy import update

    from tests.plugins.scheduling import DAGS, write_dags

    with create_session() as session:
        write_dags(DagBag(DAGS), session)
        session.execute(update(DagModel).values(is_paused=False))


@pytest.fixture
def airflow(
    our_dags: None, ops_db: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Airflow]:
    """An Airflow in which nothing has run yet, with an empty ledger."""
    from airflow import settings
    from sqlalchemy import text

    people = {"sender": "a@b.example", "recipients": ["c@d.example"]}
    found = {
        "mail": {"conn_type": "generic", "host": f"file://{tmp_path}/outbox", "extra": people},
        "ops_db": postgres_fields(ops_db),
        "raw_store": {"conn_type": "generic", "extra": {"url": f"file://{tmp_path}/raw"}},
        "warehouse": {"conn_type": "generic", "extra": {"url": f"duckdb://{tmp_path}/warehouse"}},
    }
    for name in ("balldontlie", "nba_stats", "nba_cdn"):
        found[name] = {"conn_type": "http", "host": "http://127.0.0.1:9", "password": "a-key"}
    for name, connection in found.items():
        monkeypatch.setenv(f"AIRFLOW_CONN_{name.upper()}", json.dumps(connection))
    turns = "AIRFLOW__SCHEDULER__MAX_DAGRUNS_PER_LOOP_TO_SCHEDULE"
    monkeypatch.setenv(turns, str(MAX_RUNS_A_TURN))
    with suppress(ImportError):  # so that this can be held against code that has no ledger
        from nba_airflow.metadata import ledger

        # How fast a busy machine is, is not judged here: time stands still, but for who sets it.
        monkeypatch.setattr(ledger.LEDGER, "_again_at", 0.0)
        monkeypatch.setattr(ledger.LEDGER, "_monotonic", lambda: 0.0)
        monkeypatch.setattr(ledger, "LISTENER", UNHURRIED)
    with settings.engine.begin() as tables:
        tables.execute(text("TRUNCATE dag_run, backfill CASCADE"))
    with connect(ops_db) as ledger:
        ledger.execute(f"TRUNCATE {TABLES} CASCADE")
        ledger.commit()
        yield Airflow(ledger=ledger)
