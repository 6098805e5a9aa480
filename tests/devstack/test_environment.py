"""What the local installation tells Airflow, and what `.env.example` tells a team to tell it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from devstack.connections import find_examples, find_lacking, write_connections
from devstack.environment import OVERRIDES, ROOT, Home, home, write_environment
from include.settings import SETTINGS

if TYPE_CHECKING:
    from include.sources.spec import Source

EXAMPLE = (ROOT / ".env.example").read_text()
ONLY_LOCAL = {
    "AIRFLOW_HOME",
    "NBA_ROOT",
    "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION",
    "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS",
    "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE",
    "AIRFLOW__API__HOST",
    "AIRFLOW__API__PORT",
    "AIRFLOW__LOGGING__BASE_LOG_FOLDER",
    "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED",
}
"""Who may sign in, where logs lie and on which address to listen: each deployment's own."""


SECRET_FILES = (
    "connections.json",
    "env",
    "installation.json",
    "sandbox-service-account.pem",
    "ui-passwords.json",
)


def example() -> dict[str, str]:
    """The variables of `.env.example`."""
    lines = (line for line in EXAMPLE.splitlines() if line and not line.startswith("#"))
    return dict(line.split("=", 1) for line in lines)


def written(tmp_path: Path) -> dict[str, str]:
    """The local installation's variables."""
    return write_environment(
        Home(root=tmp_path), ports={"api": 1, "sandbox": 2}, metadata_url="postgresql://x@/airflow"
    )


def test_files_with_secrets_are_their_owners_alone_before_they_have_their_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drafts: list[int] = []

    def look(point: str) -> None:
        drafts.extend(path.stat().st_mode & 0o777 for path in tmp_path.rglob(".tmp-*"))

    monkeypatch.setattr("include.files.reach_failpoint", look)
    written(tmp_path)
    write_connections(Home(root=tmp_path), "http://127.0.0.1:1", "postgresql://x:y@h/ops")
    assert {
        path.name: path.stat().st_mode & 0o777 for path in tmp_path.rglob("*") if path.is_file()
    } == dict.fromkeys(SECRET_FILES, 0o600)
    assert drafts == [0o600] * len(SECRET_FILES)


def test_example_has_every_setting_with_its_reason() -> None:
    for setting in SETTINGS:
        assert f"# {setting.reason}.\n{setting.name}={setting.value}\n" in EXAMPLE


def test_example_has_all_that_the_local_installation_sets(tmp_path: Path) -> None:
    assert set(written(tmp_path)) - ONLY_LOCAL <= set(example())


def test_both_connections_to_airflows_database_name_the_driver_that_is_installed() -> None:
    names = ("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC")
    assert [example()[name].split(":")[0] for name in names] == ["postgresql+psycopg"] * 2


def test_new_source_asks_the_sandbox_until_it_asks_an_address_of_its_own(tmp_path: Path) -> None:
    template = (ROOT / "devstack" / "templates" / "source.py.txt").read_text()
    for name, changed in (("one", "https://api.one.com"), ("two", "https://api.example.com")):
        text = template.replace("$name", name).replace("https://api.example.com", changed)
        (tmp_path / f"{name}.py").write_text(text)
    assert find_examples(tmp_path) == ["two"]


def test_installation_lacks_the_sources_that_came_after_it_was_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = Home(root=tmp_path)
    at.airflow.mkdir()
    (at.airflow / "connections.json").write_text('{"one": {}}')
    monkeypatch.setattr("devstack.connections.find_examples", lambda: ["one", "two"])
    assert find_lacking(at) == ["two"]


def test_example_has_every_connection_as_json(documented: dict[str, Source]) -> None:
    hosts = {host.connection for source in documented.values() for host in source.hosts}
    found = {
        name.removeprefix("AIRFLOW_CONN_").lower(): json.loads(value)["conn_type"]
        for name, value in example().items()
        if name.startswith("AIRFLOW_CONN_")
    }
    assert found.keys() == hosts | {
        *("raw_store", "warehouse", "google_cloud_default", "ops_db", "mail")
    }


def test_local_installation_has_every_setting(tmp_path: Path) -> None:
    variables = written(tmp_path)
    assert {s.name: variables[s.name] for s in SETTINGS} == {s.name: s.value for s in SETTINGS}


def test_benchmark_sets_variables_otherwise_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = {"AIRFLOW__CORE__PARALLELISM": "3", "AIRFLOW__API__WORKERS": None}
    monkeypatch.setenv(OVERRIDES, json.dumps(order))
    variables = written(tmp_path)
    assert variables["AIRFLOW__CORE__PARALLELISM"] == "3"
    assert "AIRFLOW__API__WORKERS" not in variables
    assert "AIRFLOW__API__WORKERS" not in (tmp_path / ".airflow" / "env").read_text()


def test_another_checkouts_environment_that_the_shell_has_read_is_not_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other"
    (other / "devstack").mkdir(parents=True)
    monkeypatch.setenv("NBA_ROOT", str(other))
    assert home() == Home(root=other)  # somebody's folder, such as a test's

    (other / "devstack" / "environment.py").touch()

    assert home() == Home(root=ROOT)
