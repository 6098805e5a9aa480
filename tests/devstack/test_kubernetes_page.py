"""docs/kubernetes.md: its values are YAML, and say what docker-compose.yaml, .env.example and the
code say."""

from __future__ import annotations

import re
from typing import Any

import yaml

from devstack.compose.check import Compose, sets_what_airflow_knows
from devstack.compose.file import FILE, Container, image_environment, read
from include.settings import SETTINGS
from tests.devstack.test_readme import ROOT

PAGE = (ROOT / "docs" / "kubernetes.md").read_text()
(BLOCK,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
VALUES: dict[str, Any] = yaml.safe_load(BLOCK)
ENV = {each["name"]: each["value"] for each in VALUES["env"]}
SERVICES = read()["services"]
COMPOSE = {key: str(value) for key, value in SERVICES["airflow-worker"]["environment"].items()}
EXAMPLE = dict(re.findall(r"^(\w+)=(.*)$", (ROOT / ".env.example").read_text(), re.MULTILINE))

# What the chart makes of its own values, and what it is given by secrets.
BY_CHART = {
    "AIRFLOW__CORE__EXECUTOR": "executor",
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": "data",
    "AIRFLOW__CORE__FERNET_KEY": "fernetKeySecretName",
    "AIRFLOW__API__SECRET_KEY": "apiSecretKeySecretName",
    "AIRFLOW__API_AUTH__JWT_SECRET": "jwtSecretName",
    "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": "executor",
}
OF_THE_TEAM = {"AIRFLOW__API__BASE_URL", "AIRFLOW__CORE__PARALLELISM"}
"""And all that is ours alone: NBA_..."""
CHART = {
    "apiServer": "airflow-apiserver",
    "scheduler": "airflow-scheduler",
    "dagProcessor": "airflow-dag-processor",
    "triggerer": "airflow-triggerer",
}


def test_every_setting_has_the_value_of_the_code() -> None:
    ours = {each.name: each.value for each in SETTINGS}
    assert {name: ENV.get(name) for name in ours} == ours


def test_what_compose_sets_too_has_the_same_value() -> None:
    both = {name for name in ENV.keys() & COMPOSE.keys() if not name.startswith("NBA_")}
    both -= OF_THE_TEAM
    assert {name: ENV[name] for name in both} == {name: COMPOSE[name] for name in both}
    assert "AIRFLOW__CELERY__WORKER_CONCURRENCY" in both
    celery = {name for name in COMPOSE if name.startswith("AIRFLOW__CELERY")}
    assert celery - both == {"AIRFLOW__CELERY__BROKER_URL"}  # the chart has a broker of its own


def test_nothing_of_the_example_is_left_out() -> None:
    by_secret = {each["envName"] for each in VALUES["secret"]}
    set_somewhere = {*ENV, *by_secret, *BY_CHART, *image_environment()}
    left = {name for name in EXAMPLE if name not in set_somewhere}
    assert {name for name in left if not name.startswith(("AIRFLOW_CONN_", "NBA_"))} == set()
    assert {name for name in ENV if name.startswith("NBA_")} <= EXAMPLE.keys()
    assert BY_CHART.keys() <= EXAMPLE.keys()
    assert {key for key in BY_CHART.values() if key not in VALUES} == set()
    assert yaml.safe_load(VALUES["extraEnvFrom"]) == [{"secretRef": {"name": "nba-connections"}}]
    for name in ("AIRFLOW__DATABASE__SQL_ALCHEMY_POOL_SIZE", "NBA_LIVE_SINCE"):
        assert ENV[name] == EXAMPLE[name]


def test_every_variable_is_an_option_of_airflow(airflow_environment: None) -> None:
    pod = Container(
        name="pod",
        image="nba-airflow:1",
        command=[],
        environment=ENV,
        check=[],
        volumes={},
        configs={},
    )
    compose = Compose(path=FILE, tree={}, services={"pod": pod})
    assert list(sets_what_airflow_knows(compose)) == []


def test_every_secret_is_made_on_the_page() -> None:
    made = set(re.findall(r"create secret generic ([\w-]+)", PAGE))
    named = {
        VALUES["data"]["metadataSecretName"],
        *(VALUES[key] for key in BY_CHART.values() if key.endswith("SecretName")),
        VALUES["jwtSecretName"],
        *(each["secretName"] for each in VALUES["secret"]),
        "nba-connections",
    }
    assert named == made


def test_the_image_is_that_of_the_dockerfile() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text()
    (version,) = re.findall(r"^FROM apache/airflow:slim-([\d.]+)-", dockerfile, re.MULTILINE)
    tag = f"{VALUES['defaultAirflowRepository']}:{VALUES['defaultAirflowTag']}"
    assert (VALUES["airflowVersion"], VALUES["defaultAirflowTag"]) == (version, version)
    assert PAGE.count(tag) == 2
    assert VALUES["executor"] == COMPOSE["AIRFLOW__CORE__EXECUTOR"]


def test_limits_of_memory_and_the_probe_of_a_worker_are_those_of_compose() -> None:
    limits = {name: VALUES[name]["resources"]["limits"]["memory"] for name in CHART}
    assert limits == {name: _binary(SERVICES[of]["mem_limit"]) for name, of in CHART.items()}
    worker = VALUES["workers"]["celery"]
    assert worker["resources"]["limits"]["memory"] == _binary(
        SERVICES["airflow-worker"]["mem_limit"]
    )
    _, line = SERVICES["airflow-worker"]["healthcheck"]["test"]
    assert worker["livenessProbe"]["command"] == ["/bin/sh", "-c", line.replace("$$", "$")]


def test_tasks_at_a_time_are_those_of_all_workers() -> None:
    concurrency = int(ENV["AIRFLOW__CELERY__WORKER_CONCURRENCY"])
    replicas = VALUES["workers"]["celery"]["replicas"]
    assert int(ENV["AIRFLOW__CORE__PARALLELISM"]) == replicas * concurrency


def test_nobody_is_made_with_a_known_password() -> None:
    assert VALUES["createUserJob"]["defaultUser"] == {"enabled": False}


def _binary(limit: str) -> str:
    """Docker's ``4g`` as Kubernetes writes it."""
    return limit.upper().replace("G", "Gi")
