"""An installation that has its settings from `.env.example` and from nowhere else."""

from __future__ import annotations

import base64
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from devstack import postgres
from tests.devstack.test_environment import ROOT, example
from tests.e2e.network import Network, new_secret, running_postgres

pytestmark = pytest.mark.slow

BIN = Path(sys.executable).parent


@pytest.fixture(scope="module")
def installation(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[dict[str, str], str]]:
    """The example's variables with its placeholders filled in and its hosts and folders here; its
    databases run. With them the URL of Airflow's database."""
    network, password, folder = Network(), new_secret(), tmp_path_factory.mktemp("example")
    address = network.address("postgres")
    variables = {"AIRFLOW_HOME": str(folder), "PATH": f"{BIN}:{os.defpath}"}
    for name, value in example().items():
        secret = password if "@" in value or value.startswith("{") else new_secret()
        if name == "AIRFLOW__CORE__FERNET_KEY":
            secret = base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()
        value = value.replace("CHANGE_ME", secret)
        value = value.replace("/opt/nba", str(ROOT)).replace("/srv/nba", str(folder))
        variables[name] = network.resolve(value)
    statements = [
        "CREATE DATABASE airflow",
        f"CREATE ROLE nba SUPERUSER LOGIN PASSWORD '{password}'",
        "CREATE DATABASE ops OWNER nba",
    ]
    with running_postgres(
        address, user="airflow", password=password, statements=statements, settings={}
    ) as data:
        yield variables, postgres.url(data, "airflow")


def run(variables: dict[str, str], words: str) -> str:
    """What `airflow WORDS`, which ends well, writes to standard output."""
    done = subprocess.run(
        [BIN / "airflow", *words.split()],
        env=variables,
        cwd=variables["AIRFLOW_HOME"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def test_an_installation_starts_from_the_example_alone(
    installation: tuple[dict[str, str], str],
) -> None:
    variables, database = installation
    run(variables, "db migrate")
    assert "up to date" in run(variables, "nba repair --tables")
    run(variables, "dag-processor --num-runs 1")
    run(variables, "scheduler --num-runs 1 --skip-serve-logs")

    with psycopg.connect(database) as connection:
        dags = {dag for (dag,) in connection.execute("SELECT dag_id FROM dag")}
        pools = {pool for (pool,) in connection.execute("SELECT pool FROM slot_pool")}
    assert dags == {path.stem for path in (ROOT / "dags").glob("*.py")}
    hosts = {"balldontlie", "nba_stats", "nba_cdn", "bigdataball", "the_odds_api"}
    assert pools >= hosts
