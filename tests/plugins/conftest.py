"""Everything here runs with the Airflow of this test session."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from devstack import postgres


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
