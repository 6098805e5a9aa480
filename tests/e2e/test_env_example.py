"""An installation that has its settings from `.env.example` and from nowhere else."""

from __future__ import annotations

import base64
import json
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.devstack.test_environment import ROOT, example
from tests.e2e.network import Network, new_secret, running_postgres

pytestmark = pytest.mark.slow

BIN = Path(sys.executable).parent


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The example's variables with its placeholders filled in and its hosts and folders here; its
    databases run."""
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
    ):
        yield variables


def run(variables: dict[str, str], *words: str) -> str:
    """The last line that `airflow WORDS`, which ends well, writes to standard output."""
    done = subprocess.run(
        [BIN / "airflow", *words],
        env=variables,
        cwd=variables["AIRFLOW_HOME"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout.strip().splitlines()[-1]


def test_an_installation_starts_from_the_example_alone(installation: dict[str, str]) -> None:
    run(installation, "db", "migrate")
    assert "up to date" in run(installation, "nba", "repair", "--tables")
    run(installation, "dag-processor", "--num-runs", "1")
    run(installation, "scheduler", "--num-runs", "1", "--skip-serve-logs")

    dags, pools = (
        json.loads(run(installation, what, "list", "-o", "json")) for what in ("dags", "pools")
    )
    assert {dag["dag_id"] for dag in dags} == {path.stem for path in (ROOT / "dags").glob("*.py")}
    assert json.loads(run(installation, "nba", "status", "-o", "json"))["exit_code"] == 0
    hosts = {"balldontlie", "nba_stats", "nba_cdn", "bigdataball", "the_odds_api"}
    assert {pool["pool"] for pool in pools} >= hosts
