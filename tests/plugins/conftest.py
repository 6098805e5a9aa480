"""An Airflow of this test session: its own home, our DAGs and plugins, no database that anything is asked of.

Airflow reads where it lives when it is first imported, so nothing in this folder imports it at the top of a module.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from airflow.dag_processing.dagbag import DagBag

    from include.sources.spec import Source

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def airflow_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("airflow")


@pytest.fixture(scope="module", autouse=True)
def airflow_environment(airflow_home: Path) -> Iterator[None]:
    """Taken back after each module: other tests start real Airflow processes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW_HOME", str(airflow_home))
        patch.setenv("AIRFLOW__CORE__UNIT_TEST_MODE", "True")
        patch.setenv("AIRFLOW__CORE__DAGS_FOLDER", str(ROOT / "dags"))
        patch.setenv("AIRFLOW__CORE__PLUGINS_FOLDER", str(ROOT / "plugins"))
        patch.setenv("AIRFLOW__CORE__LOAD_EXAMPLES", "False")
        patch.delenv("NBA_LIVE_SINCE", raising=False)
        yield


@pytest.fixture(scope="module")
def bag(airflow_environment: None) -> DagBag:
    """The DAGs as the dag-processor finds them."""
    from airflow.dag_processing.dagbag import DagBag

    return DagBag(ROOT / "dags")


@pytest.fixture(scope="module")
def sources(airflow_environment: None) -> dict[str, Source]:
    """The specs in dags/, by DAG id."""
    from nba_airflow.specs import sources

    return sources()
