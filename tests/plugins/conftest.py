"""Everything here runs with the Airflow of this test session."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="module", autouse=True)
def _airflow(airflow_environment: None) -> None:
    """See tests/conftest.py."""
