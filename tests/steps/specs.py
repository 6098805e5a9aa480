"""The specs in dags/ for tests that run them; with them comes Airflow, which reads where it lives
only once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from include.sources.spec import Source

ROOT = Path(__file__).resolve().parents[2]


@contextmanager
def specs_of_dags(home: Path) -> Iterator[dict[str, Source]]:
    """By DAG id. Airflow's folders are those that it has in tests/plugins, since it is imported
    only once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW_HOME", str(home))
        patch.setenv("AIRFLOW__CORE__UNIT_TEST_MODE", "True")
        patch.setenv("AIRFLOW__CORE__DAGS_FOLDER", str(ROOT / "dags"))
        patch.setenv("AIRFLOW__CORE__PLUGINS_FOLDER", str(ROOT / "plugins"))
        patch.setenv("AIRFLOW__CORE__LOAD_EXAMPLES", "False")
        from nba_airflow.specs import sources

        yield sources()
