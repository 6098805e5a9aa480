"""One sandbox and bench per module, to provoke every class of error once per source.

That nothing was loaded, and no secret told, is looked at in ``Bench.run`` after every date.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from devstack.sandbox.server import Sandbox, running
from tests.steps import credentials
from tests.steps.bench import NOW, Bench
from tests.steps.errors.cases import DAY, GAMES, SCHEDULE, UPSTREAM
from tests.steps.specs import specs_of_dags


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    limits: dict[str, list[Any]] = {name: [] for name in UPSTREAM.values()}
    settings: dict[str, Any] = {
        "keys": credentials.KEYS,
        "proxies": credentials.PASSWORDS,
        "monthly_credits": 1_000_000,
    }
    with running(tmp_path_factory.mktemp("sandbox"), limits=limits, now=NOW, **settings) as server:
        yield server


@pytest.fixture(scope="module")
def bench(
    sandbox: Sandbox, ops_db: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Bench]:
    """With Airflow's connections in the environment."""
    home = tmp_path_factory.mktemp("airflow")
    with specs_of_dags(home) as sources, pytest.MonkeyPatch.context() as patch:
        connections = credentials.connections(sandbox, ops_db)
        for name, connection in connections.items():
            patch.setenv(f"AIRFLOW_CONN_{name.upper()}", json.dumps(connection))
        from nba_airflow.connections import upstream
        from nba_airflow.specs import hosts

        bench = Bench(
            sandbox=sandbox,
            ops_db=ops_db,
            sources=sources,
            upstreams={
                name: upstream(host)
                for name, host in hosts().items()
                if host.connection in connections
            },
            secrets=credentials.SECRETS,
        )
        folder = tmp_path_factory.mktemp("schedule")
        assert bench.run(SCHEDULE, DAY, folder, requests=1).rows == GAMES
        bench.schedule = folder / "warehouse"
        yield bench


@pytest.fixture(autouse=True)
def _no_faults(sandbox: Sandbox) -> Iterator[None]:
    yield
    sandbox.no_faults()
