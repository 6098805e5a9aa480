"""Fixtures that more than one package's tests use: a real Postgres, a fresh operations database,
recorded bodies."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from argparse import ArgumentParser

    from airflow.dag_processing.dagbag import DagBag
    from google.cloud.storage import Client

    from include.sources.spec import Source


ROOT = Path(__file__).resolve().parents[1]

# The same examples on every machine and in every run: derandomize keeps no database, so nothing
# depends on what an earlier run left in .hypothesis/. How fast a machine draws or runs them is not
# judged. `--hypothesis-profile=default` searches with other examples each time.
# "few": for another Python, which searches nothing anew.
settings.register_profile(
    "project",
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    print_blob=True,
)
settings.register_profile("few", settings.get_profile("project"), max_examples=10)
settings.load_profile("project")

# Temporary files in memory, where there is enough of it: Postgres waits for the disk at every
# commit, which took three quarters of such a test's time. A kill loses nothing there either.
MEMORY = Path("/dev/shm")
ENOUGH = 8_000_000_000
if "TMPDIR" not in os.environ and MEMORY.is_dir() and shutil.disk_usage(MEMORY).free >= ENOUGH:
    os.environ["TMPDIR"] = tempfile.tempdir = str(MEMORY)


@pytest.fixture(scope="session")
def recorded() -> Path:
    """Folder of recorded upstream bodies, read in place: variable RECORDED, else beside the
    checkout."""
    folder = Path(os.environ.get("RECORDED") or ROOT.parent / "shared" / "recorded")
    if not folder.is_dir():
        pytest.skip(f"no recorded bodies in {folder}: set RECORDED")
    return folder


@pytest.fixture(scope="session")
def postgres_dir() -> Iterator[Path]:
    """Data folder of a running Postgres of this test session.

    Not below pytest's own folders: as root those are closed to the system user that Postgres runs
    as.
    """
    from devstack import postgres

    folder = Path(tempfile.mkdtemp(prefix="nba-pg-"))
    data = folder / "data"
    try:
        postgres.start(data)
        yield data
    finally:
        postgres.stop(data)
        shutil.rmtree(folder)


@pytest.fixture(scope="module")
def ops_db(postgres_dir: Path, request: pytest.FixtureRequest) -> str:
    """URL of a migrated operations database, fresh for every test module."""
    from devstack import postgres
    from include.ops.migrate import migrate

    url = postgres.ensure_database(postgres_dir, request.module.__name__.replace(".", "_"))
    migrate(url)
    return url


@pytest.fixture(scope="session")
def gcs_folder() -> Iterator[Path]:
    """Where the session's server of Google Cloud Storage has its buckets, as folders."""
    with tempfile.TemporaryDirectory(prefix="nba-gcs-") as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
def gcs_url(gcs_folder: Path) -> Iterator[str]:
    """URL of a server of Google Cloud Storage's API of this test session."""
    from devstack import gcs

    try:
        gcs.find_binary()
    except gcs.GcsError as error:
        pytest.skip(str(error))
    with gcs.running(gcs_folder) as url:
        yield url


@pytest.fixture
def gcs_client() -> Iterator[Callable[..., Client]]:
    """Makes clients of Google Cloud Storage's API at a URL, which are closed at the end."""
    from tests.cloud import make_client

    with ExitStack() as clients:
        yield lambda *given: clients.enter_context(make_client(*given))


@pytest.fixture
def bucket(gcs_url: str, gcs_client: Callable[..., Client]) -> str:
    """The name of a new, empty bucket there."""
    name = f"raw-{uuid4().hex}"
    gcs_client(gcs_url).create_bucket(name)
    return name


@pytest.fixture(scope="session")
def airflow_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("airflow")


@pytest.fixture(scope="module")
def airflow_environment(airflow_home: Path) -> Iterator[None]:
    """An Airflow of this test session: its own home, our DAGs and plugins, no database that
    anything is asked of.

    Airflow reads where it lives when it is first imported, so no module that uses this imports it
    at its top. Taken back after each module: other tests start real Airflow processes.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW_HOME", str(airflow_home))
        patch.setenv("AIRFLOW__CORE__UNIT_TEST_MODE", "True")
        patch.setenv("AIRFLOW__CORE__DAGS_FOLDER", str(ROOT / "dags"))
        patch.setenv("AIRFLOW__CORE__PLUGINS_FOLDER", str(ROOT / "plugins"))
        patch.setenv("AIRFLOW__CORE__LOAD_EXAMPLES", "False")
        patch.delenv("NBA_LIVE_SINCE", raising=False)
        # At whatever hour the tests run, and of whatever fails on purpose: those of quiet hours and
        # of the breaker state their own.
        patch.setenv("NBA_QUIET_HOURS", '{"*": null}')
        patch.setenv("NBA_BREAKER", '{"*": null}')
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


@pytest.fixture(scope="module")
def documented(sources: dict[str, Source]) -> dict[str, Source]:
    """Those that documents and example files speak of: all but new ones that still ask what their
    template does."""
    from devstack.connections import find_examples

    new = set(find_examples())
    return {
        dag_id: source
        for dag_id, source in sources.items()
        if not new.intersection(host.connection for host in source.hosts)
    }


@pytest.fixture
def documented_alone(
    documented: dict[str, Source], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The project as it was before any new source was written from a template."""
    from nba_airflow import specs

    new = {*specs.source_ids()} - documented.keys()
    folder = shutil.copytree(specs.DAGS, tmp_path / "dags")
    for dag_id in new:
        (folder / f"{dag_id}.py").unlink()
    monkeypatch.setattr(specs, "DAGS", folder)
    monkeypatch.setattr("devstack.connections.find_examples", list)


@pytest.fixture(scope="module")
def parser(airflow_environment: None) -> Iterator[ArgumentParser]:
    """Airflow's own parser with our commands, made anew: the module takes them when it is
    imported."""
    from airflow.cli import cli_config

    from nba_airflow.cli.commands import extend

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cli_config, "core_commands", list(cli_config.core_commands))
        patch.delitem(sys.modules, "airflow.cli.cli_parser", raising=False)
        extend()
        yield import_module("airflow.cli.cli_parser").get_parser()
