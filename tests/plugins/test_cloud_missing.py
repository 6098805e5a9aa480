"""What can be missing or wrong about the cloud, once each, as a date's task meets it: one line that
names the repair, before any upstream is asked."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from devstack.sandbox.server import Sandbox, running
from tests.plugins.test_operators import fails, run
from tests.steps import credentials
from tests.storage.wire import Wire as StorageWire
from tests.storage.wire import between
from tests.warehouse.conftest import client, engine
from tests.warehouse.wire import Wire as BigQueryWire
from tests.warehouse.wire import watching

if TYPE_CHECKING:
    from google.cloud.bigquery import Client as BigQuery

    from include.sources.spec import Source

__all__ = ["client", "engine"]

READING = ["storage.objects.get", "storage.objects.list"]
ALL = ["storage.objects.create", "storage.objects.delete", *READING]


@dataclass
class Cloud:
    """The installation's connections, and the wires to both services."""

    bucket: str
    project: str
    storage: StorageWire
    bigquery: BigQueryWire
    client: BigQuery
    connections: dict[str, dict[str, Any]] = field(default_factory=dict)

    def url(self, name: str, url: str) -> None:
        self.connections[name] = {"conn_type": "generic", "extra": {"url": url}}

    def google(self, **extra: Any) -> None:
        self.connections["google_cloud_default"] = {
            "conn_type": "google_cloud_platform",
            "extra": extra,
        }

    def dataset(self, name: str, location: str = "US") -> None:
        from google.cloud.bigquery import Dataset

        made = Dataset(f"{self.project}.{name}")
        made.location = location
        self.client.create_dataset(made)


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    limits: dict[str, list[Any]] = {"balldontlie": []}
    folder = tmp_path_factory.mktemp("sandbox")
    with running(folder, limits=limits, keys=credentials.KEYS) as server:
        yield server


@pytest.fixture
def cloud(
    sandbox: Sandbox, ops_db: str, gcs_url: str, bucket: str, engine: str, client: BigQuery
) -> Iterator[Cloud]:
    """All is there, and nothing is wrong."""
    with ExitStack() as stack:
        storage = stack.enter_context(between(gcs_url))
        bigquery = stack.enter_context(watching(engine))
        made = Cloud(bucket, str(client.project), storage, bigquery, client)
        made.connections |= credentials.connections(sandbox, ops_db)
        made.url("raw_store", f"gs://{bucket}/nba")
        made.url("warehouse", f"bigquery://{made.project}?location=US")
        made.google(is_anonymous=True)
        yield made


@pytest.fixture
def define(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Gives Airflow the connections as they are by now."""

    def define() -> None:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", cloud.storage.url)
        monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", cloud.bigquery.url)
        for name, connection in cloud.connections.items():
            monkeypatch.setenv(f"AIRFLOW_CONN_{name.upper()}", json.dumps(connection))

    return define


def no_bucket(cloud: Cloud) -> None:
    cloud.url("raw_store", "gs://raw-nowhere/nba")


def no_permission(cloud: Cloud) -> None:
    # The object that is not there, the bucket that is, and what the account may.
    for what in ("GET", "GET"):
        cloud.storage.meets(what)
    cloud.storage.meets(f"GET /b/{cloud.bucket}/iam", status=200, answer={"permissions": READING})


def wrong_key(cloud: Cloud) -> None:
    answer = {"error": "invalid_grant", "error_description": "Invalid JWT Signature."}
    cloud.storage.meets("POST /token", status=400, answer=answer)
    key = {
        "type": "service_account",
        "private_key": credentials.PRIVATE_KEY,
        "client_email": "loader@project.example",
        "token_uri": f"{cloud.storage.url}/token",
    }
    cloud.google(keyfile_dict=key)


def unread_key(cloud: Cloud) -> None:
    cloud.google(key_secret_name="the-key")


def no_dataset(cloud: Cloud) -> None:
    """The engine has none in this project."""


def other_location(cloud: Cloud) -> None:
    for name in ("raw", "staging"):
        cloud.dataset(name, "EU")


def other_table(cloud: Cloud) -> None:
    for name in ("raw", "staging"):
        cloud.dataset(name)
    cloud.client.query_and_wait("CREATE TABLE raw.bdl_box_scores (game_date STRING)")


def no_project(cloud: Cloud) -> None:
    for method in ("GET", "POST"):
        cloud.bigquery.refuse(method, "", 404, "notFound", "Not found: Project p")


def no_right_to_load(cloud: Cloud) -> None:
    said = "Access Denied: Dataset p:raw: Permission bigquery.tables.create denied"
    for method in ("GET", "POST"):
        cloud.bigquery.refuse(method, "", 403, "accessDenied", said)


def no_location(cloud: Cloud) -> None:
    cloud.url("warehouse", f"bigquery://{cloud.project}")


def no_url(cloud: Cloud) -> None:
    cloud.connections["raw_store"] = {"conn_type": "generic"}


GOOGLE = "connection google_cloud_default"
CASES: dict[Callable[[Cloud], None], str] = {
    no_bucket: (
        "storage: cannot read gs://raw-nowhere/nba/{path}/_manifest.json: there is no bucket"
        " raw-nowhere: create it, or correct the store's URL"
    ),
    no_permission: (
        "storage: cannot write below gs://{bucket}/nba: the account lacks storage.objects.create,"
        " storage.objects.delete: give it the role Storage Object User on the bucket"
    ),
    wrong_key: (
        "storage: cannot read gs://{bucket}/nba/{path}/_manifest.json: Google refuses the"
        f" credentials: renew the key of {GOOGLE} (invalid_grant: Invalid JWT Signature.)"
    ),
    unread_key: (
        f"bad_key: {GOOGLE} has key_secret_name, which is not read here: put the key into"
        " keyfile_dict, or keep the whole connection in a secrets backend"
    ),
    no_dataset: (
        "storage: BigQuery has not all datasets in location US: make them with `airflow nba repair"
        " --tables`, or name the location of those that are there in connection warehouse (Not"
        " found: dataset:{project}.raw)"
    ),
    other_location: (
        "storage: BigQuery: dataset raw is in location EU, not US: write location=EU in connection"
        " warehouse"
    ),
    other_table: (
        "storage: BigQuery: {project}.raw.bdl_box_scores.game_date is STRING in BigQuery and DATE"
        " in this version: rename or drop {project}.raw.bdl_box_scores, then `airflow nba repair"
        " --tables` makes it and `airflow nba reprocess` fills it from raw"
    ),
    no_project: (
        "storage: BigQuery does not know project {project}: correct connection warehouse (Not"
        " found: Project p)"
    ),
    no_right_to_load: (
        f"not_entitled: BigQuery refuses: give the account of {GOOGLE} the roles BigQuery Job User"
        " on project {project}, and BigQuery Data Editor on its datasets (Access Denied: Dataset"
        " p:raw: Permission bigquery.tables.create denied)"
    ),
    no_location: (
        "storage: connection warehouse is not one of BigQuery: write bigquery://project?location=US,"
        " and behind it, if at all, &prefix=dev_ (letters, digits and _) and &maximum_gib=10"
    ),
    no_url: (
        'internal: Airflow connection raw_store has no "url" in its extra: set it, for example'
        ' {{"url": "file:///srv/nba/raw"}}'
    ),
}


@pytest.mark.parametrize("break_it", CASES, ids=lambda break_it: break_it.__name__)
def test_what_is_missing_or_wrong_is_one_line_before_anything_is_asked(
    cloud: Cloud,
    define: Callable[[], None],
    sandbox: Sandbox,
    sources: dict[str, Source],
    break_it: Callable[[Cloud], None],
) -> None:
    break_it(cloud)
    define()
    asked = len(sandbox.log())
    said = fails(sources["bdl_box_scores"])
    path = "bdl_box_scores/2025/01/2025-01-16/box_scores"
    told = CASES[break_it].format(bucket=cloud.bucket, project=cloud.project, path=path)
    assert said.partition(" (bdl_box_scores box_scores")[0] == told
    assert (len(sandbox.log()), "\n" in said) == (asked, False)


def test_date_whose_cloud_has_all_that_it_needs_is_complete(
    cloud: Cloud, define: Callable[[], None], sandbox: Sandbox, sources: dict[str, Source]
) -> None:
    """A table that is missing is made."""
    for name in ("raw", "staging"):
        cloud.dataset(name)
    define()
    asked = len(sandbox.log())
    run(sources["bdl_box_scores"])
    assert len(sandbox.log()) > asked
    (found,) = cloud.client.query_and_wait("SELECT COUNT(*) FROM raw.bdl_box_scores")
    assert found[0] > 100
