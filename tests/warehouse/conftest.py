"""Every kind of warehouse, empty, for the tests of what each of them promises."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from devstack.engines import running_bigquery
from include.warehouse.local import LocalWarehouse
from include.warehouse.open import Warehouse
from tests.warehouse.wire import Wire, watching

if TYPE_CHECKING:
    from google.cloud.bigquery import Client

    from include.warehouse.bigquery.warehouse import BigQueryWarehouse

_PROJECTS = count(1)


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The BigQuery engine on loopback: its URL."""
    with running_bigquery(tmp_path_factory.mktemp("engine")) as url:
        yield url


def client_of(url: str, project: str) -> Client:
    from google.auth.credentials import AnonymousCredentials
    from google.cloud.bigquery import Client

    return Client(
        project=project,
        location="US",
        credentials=AnonymousCredentials(),
        client_options={"api_endpoint": url},
    )


@pytest.fixture
def client(engine: str) -> Client:
    """Of a project that is this test's own, so that it is empty."""
    return client_of(engine, f"project-{next(_PROJECTS)}")


@pytest.fixture
def cloud(client: Client) -> BigQueryWarehouse:
    """The warehouse in that project, its datasets made."""
    from include.warehouse.bigquery.warehouse import BigQueryWarehouse

    warehouse = BigQueryWarehouse(client)
    warehouse.create([])
    return warehouse


@pytest.fixture(params=["local", "bigquery"])
def open_again(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], Warehouse]:
    """Opens one warehouse anew, as each process does."""
    if request.param == "local":
        return lambda: LocalWarehouse(tmp_path / "warehouse")
    made = request.getfixturevalue("cloud")
    return lambda: type(made)(made.client)


@pytest.fixture
def warehouse(open_again: Callable[[], Warehouse]) -> Warehouse:
    return open_again()


@pytest.fixture
def wire(engine: str) -> Iterator[Wire]:
    with watching(engine) as found:
        yield found


@pytest.fixture
def watched(cloud: BigQueryWarehouse, wire: Wire) -> Callable[[], BigQueryWarehouse]:
    """Opens the project's warehouse anew, as each process does, by way of the proxy."""
    from include.warehouse.bigquery.warehouse import BigQueryWarehouse

    return lambda: BigQueryWarehouse(client_of(wire.url, str(cloud.client.project)))
