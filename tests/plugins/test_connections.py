"""Connections as Airflow knows them: what its API shows of each, what its maskers know, and what a
form that we cannot read is answered with."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from devstack.connections import write_connections
from devstack.environment import ROOT, Home
from devstack.sandbox.server import Sandbox, running
from include.errors import ErrorClass, Problem
from include.ops.db import connect
from include.sources.spec import Credits, Window
from nba_airflow import connections
from nba_airflow.specs import hosts
from tests.steps import credentials
from tests.steps.leaks import forms, secrets_in

PLACEHOLDERS = ("YOUR_KEY", "USER:PASSWORD", "CHANGE_ME", "SENDGRID_KEY")
NAMELESS = "does not name a database"
PASSWORD = "ops/password that+nobody may@see"

Define = Callable[..., None]


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with running(tmp_path_factory.mktemp("sandbox")) as server:
        yield server


@pytest.fixture
def define(monkeypatch: pytest.MonkeyPatch) -> Define:
    """``define("ops_db", conn_type=..., ...)``: a connection as a deployment's environment has
    it."""

    def define(conn_id: str, **fields: Any) -> None:
        monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(fields))

    return define


def shown(conn_id: str, fields: dict[str, Any]) -> str:
    """The connection as Airflow's API answers everyone who may see connections."""
    from airflow.api_fastapi.core_api.datamodels.connections import ConnectionResponse
    from airflow.models.connection import Connection

    connection = Connection(conn_id=conn_id, **fields)
    return ConnectionResponse.model_validate(connection, from_attributes=True).model_dump_json()


def test_airflows_api_shows_no_secret_of_the_connections_that_the_example_lists() -> None:
    lines = (ROOT / ".env.example").read_text().splitlines()
    listed = dict(
        line.removeprefix("AIRFLOW_CONN_").split("=", 1)
        for line in lines
        if line.startswith("AIRFLOW_CONN_")
    )
    assert "OPS_DB" in listed
    told = [shown(conn_id, json.loads(fields)) for conn_id, fields in listed.items()]
    assert secrets_in(told, PLACEHOLDERS) == []


def test_airflows_api_shows_no_secret_of_the_local_installations_connections(
    tmp_path: Any,
) -> None:
    ops = "postgresql://ops:a-password-of-ours@127.0.0.1:5432/ops"
    path = write_connections(Home(root=tmp_path), "http://127.0.0.1:1", ops)
    found = json.loads(path.read_text())
    key = json.loads(found["bigdataball"]["extra"])["keyfile_dict"]["private_key"]
    told = [shown(conn_id, fields) for conn_id, fields in found.items()]
    secrets = ["a-password-of-ours", "sandbox-key", *key.splitlines()[1:-1]]
    assert secrets_in(told, secrets) == []


def test_both_maskers_of_airflow_know_every_secret_that_we_read(
    define: Define, sandbox: Sandbox
) -> None:
    from airflow._shared.secrets_masker import redact as redact_in_servers
    from airflow.sdk.log import redact as redact_in_tasks

    ops = {"conn_type": "postgres", "host": "h", "schema": "ops", "password": PASSWORD}
    found = credentials.connections(sandbox, "postgresql:///ops?host=h") | {"ops_db": ops}
    for conn_id, fields in found.items():
        define(conn_id, **fields)
        connections.connection(conn_id)
    keys = [*credentials.KEYS.values(), *credentials.PASSWORDS.values(), PASSWORD]
    keys.remove(credentials.KEYS["bigdataball"])  # it has a key file instead
    secrets = [*keys, credentials.PRIVATE_KEY]
    told = [f"before {form} after" for secret in secrets for form in forms(secret)]
    for redact in (redact_in_servers, redact_in_tasks):
        assert secrets_in([str(redact(text)) for text in told], secrets) == []


def test_operations_database_is_reached_by_the_fields_of_airflows_type(
    define: Define, ops_db: str
) -> None:
    at = psycopg.conninfo.conninfo_to_dict(ops_db)
    fields = {"host": at["host"], "login": at["user"], "schema": at["dbname"]}
    extra = {"options": "-c statement_timeout=7s", "connect_timeout": 3}
    define("ops_db", conn_type="postgres", **fields, password=PASSWORD, extra=extra)
    with connect(connections.ops_url()) as connection:
        (found,) = connection.execute("SHOW statement_timeout").fetchall()
        told = psycopg.conninfo.conninfo_to_dict(connections.ops_url())
    assert (found, told["password"]) == (("7s",), PASSWORD)


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        (
            {"conn_type": "generic", "extra": {"url": "postgresql:///ops"}},
            "does not name a database",
        ),
        ({"conn_type": "generic", "host": "h", "schema": "ops"}, "does not name a database"),
        ({"conn_type": "postgres", "schema": "ops"}, "does not name a database"),
        ({"conn_type": "postgres", "host": "h"}, "does not name a database"),
        (
            {
                "conn_type": "postgres",
                "host": "h",
                "schema": "ops",
                "extra": {"ssl_mode": "require"},
            },
            "has an extra that is not made of libpq's parameters",
        ),
    ],
)
def test_operations_database_that_is_not_named_so_is_one_line_with_the_form(
    define: Define, fields: dict[str, Any], fault: str
) -> None:
    define("ops_db", **fields)
    with pytest.raises(Problem) as failed:
        connections.ops_url()
    assert failed.value == Problem(
        error_class=ErrorClass.INTERNAL,
        message=f"connection ops_db {fault}: give it the type postgres, with host, login, password"
        " and schema (the database), and libpq's parameters as extra, for example"
        ' {"sslmode": "require"}',
    )


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"conn_type": "http", "host": f"https://me:{'p' * 9}@mirror.example/bdl"}, "host"),
        ({"conn_type": "http", "host": "me@mirror.example"}, "host"),
        ({"conn_type": "generic", "extra": {"url": "gs://me:sesame@bucket/raw"}}, "extra's url"),
    ],
)
def test_credentials_in_a_field_that_airflow_shows_are_refused(
    define: Define, fields: dict[str, Any], field: str
) -> None:
    define("balldontlie", **fields)
    with pytest.raises(Problem) as failed:
        connections.connection("balldontlie")
    assert failed.value == Problem(
        error_class=ErrorClass.INTERNAL,
        message=f"connection balldontlie has credentials in its {field}, which Airflow shows: put"
        " them into login and password",
    )


def test_folder_with_an_at_sign_in_its_name_is_not_taken_for_credentials(define: Define) -> None:
    define("raw_store", conn_type="generic", extra={"url": "file:///srv/nba@home/raw"})
    assert connections.location("raw_store") == "file:///srv/nba@home/raw"


ONE, TWO = "http://user:secret@one.example:1", "http://user:secret@two.example:1"


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ({"http": ONE, "https": ONE}, (ONE,)),
        (ONE, (ONE,)),
        (f"{ONE},{TWO}", (ONE, TWO)),
        (["user:secret@one.example:1", "user:secret@two.example:1"], (ONE, TWO)),
    ],
)
def test_proxies_are_read_as_requests_and_nba_api_take_them(
    define: Define, written: Any, read: tuple[str, ...]
) -> None:
    define("nba_stats", conn_type="http", extra={"proxies": written})
    host = hosts()["nba_stats"]
    assert connections.upstream(host).proxies == read


def test_proxies_that_are_none_are_one_line_that_names_connection_and_field(
    define: Define,
) -> None:
    define("nba_stats", conn_type="http", extra={"proxies": {"http": ONE}})
    with pytest.raises(Problem) as failed:
        connections.upstream(hosts()["nba_stats"])
    assert failed.value == Problem(
        error_class=ErrorClass.INTERNAL,
        message="connection nba_stats has proxies in its extra that cannot be used (there is none"
        ' for https, which this upstream is asked by): write {"proxies":'
        ' ["http://user:password@host:port"]}, a strange letter in user or password'
        " percent-encoded",
    )


@pytest.mark.parametrize(
    ("extra", "fault"),
    [
        ({"windows": {"60": 60}}, "windows is {'60': 60}, not a list"),
        ({"windows": [[60, 60, 1]]}, "windows has [60, 60, 1], not requests and seconds"),
        *(
            ({"windows": [[limit, 60]]}, f"windows has {limit!r}, not a whole number from 1 to")
            for limit in (0, -1, 60.5, True, "60", 2**31)
        ),
        *(
            ({"windows": [[60, seconds]]}, f"windows has {seconds!r} for its seconds, not a number")
            for seconds in (0, -5, float("nan"), float("inf"), "60", True, 2**31)
        ),
        ({"credits": [500, 100]}, "credits is [500, 100], not an object"),
        ({"credits": {"monthly": "500", "live_reserve": 1}}, "monthly has '500', not a whole"),
        ({"credits": {"monthly": -5, "live_reserve": 0}}, "monthly has -5, not a whole number"),
        ({"credits": {"monthly": 500}}, "live_reserve has None, not a whole number from 0 to 500"),
        ({"credits": {"monthly": 5, "live_reserve": 6}}, "live_reserve has 6, not a whole number"),
        ({"credits": {"monthly": 5, "live_reserve": 0, "spread": "false"}}, "spread is 'false'"),
        ({"credits": {"monthly": 5, "live_reserve": 0, "spred": False}}, "credits has spred"),
    ],
)
def test_limits_that_are_none_are_one_line_that_names_connection_and_field(
    define: Define, extra: Any, fault: str
) -> None:
    define("the_odds_api", conn_type="http", extra=extra)
    with pytest.raises(Problem) as failed:
        connections.tier(hosts()["the_odds_api"])
    said = "connection the_odds_api has limits in its extra that are no limits ("
    assert failed.value.message.startswith(f"{said}{fault}")


def test_limits_are_those_of_the_plan_that_was_bought(define: Define) -> None:
    credits = {"monthly": 20_000, "live_reserve": 0, "spread": False}
    define("the_odds_api", conn_type="http", extra={"windows": [[600, 1.5]], "credits": credits})
    found = connections.tier(hosts()["the_odds_api"])
    assert found.windows == (Window(limit=600, seconds=1.5),)
    assert found.credits == Credits(**credits)


@pytest.mark.parametrize(
    "written",
    [
        {"host": "http://api.balldontlie.io"},
        {"host": "API.balldontlie.io", "schema": "http"},
        {"host": "http://api.balldontlie.io:80/"},
    ],
)
def test_key_is_not_sent_to_the_real_upstream_in_clear_text(define: Define, written: Any) -> None:
    define("balldontlie", conn_type="http", password="a-key", **written)
    with pytest.raises(Problem, match=r"balldontlie has the host .* unencrypted"):
        connections.upstream(hosts()["balldontlie"])


@pytest.mark.parametrize(
    ("conn_id", "host"),
    [
        ("balldontlie", "http://sandbox:8900/balldontlie"),
        ("balldontlie", "https://api.balldontlie.io"),
        ("nba_cdn", "http://cdn.nba.com"),
    ],
)
def test_sandbox_and_what_needs_no_key_may_be_asked_in_clear_text(
    define: Define, conn_id: str, host: str
) -> None:
    define(conn_id, conn_type="http", host=host)
    assert connections.upstream(hosts()[conn_id]).base_url == host


RESOLVE_ALL = """
from nba_airflow import connections, specs
for host in specs.hosts().values():
    connections.reached(host)
found = [connections.ops_url(), connections.raw_store().url, connections.warehouse().url]
print(*found, connections.connection(connections.MAIL).host, len(specs.hosts()))
"""


@pytest.mark.parametrize("without", ["", "AIRFLOW_CONN_MAIL"])
def test_every_connection_comes_from_the_environment_alone(tmp_path: Path, without: str) -> None:
    """As from any secrets backend: Airflow's own database is one that nobody answers for."""
    away = "postgresql+psycopg://nobody@127.0.0.1:9/airflow?connect_timeout=2"
    given: dict[str, dict[str, Any]] = {
        "ops_db": {"conn_type": "postgres", "host": "db", "login": "ops", "schema": "ops"},
        "raw_store": {"conn_type": "generic", "extra": {"url": f"file://{tmp_path}/raw"}},
        "warehouse": {"conn_type": "generic", "extra": {"url": f"duckdb://{tmp_path}/house"}},
        "mail": {"conn_type": "generic", "host": f"file://{tmp_path}/outbox"},
    }
    given |= {name: {"conn_type": "http", "password": "a-key"} for name in hosts()}
    environment = {
        **os.environ,
        "AIRFLOW_HOME": str(tmp_path),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": away,
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC": away,
        "PYTHONPATH": f"{ROOT}:{ROOT / 'plugins'}",
        **{f"AIRFLOW_CONN_{name.upper()}": json.dumps(each) for name, each in given.items()},
    }
    environment.pop(without, None)
    command = [sys.executable, "-c", RESOLVE_ALL]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode == 0) is not bool(without), done.stderr
    if not without:
        *_, last = done.stdout.splitlines()
        assert last.endswith(
            f" file://{tmp_path}/raw duckdb://{tmp_path}/house file://{tmp_path}/outbox"
            f" {len(hosts())}"
        )
