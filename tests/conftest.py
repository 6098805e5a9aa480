"""Fixtures that more than one package's tests use: a real Postgres, a fresh operations database, recorded bodies."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def recorded() -> Path:
    """Folder of recorded upstream bodies, read in place: variable RECORDED, else beside the checkout."""
    folder = Path(os.environ.get("RECORDED") or ROOT.parent / "shared" / "recorded")
    if not folder.is_dir():
        pytest.skip(f"no recorded bodies in {folder}: set RECORDED")
    return folder


@pytest.fixture(scope="session")
def postgres_dir() -> Iterator[Path]:
    """Data folder of a running Postgres of this test session.

    Not below pytest's own folders: as root those are closed to the system user that Postgres runs as.
    """
    from include.local import postgres

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
    from include.ledger.migrate import migrate
    from include.local import postgres

    url = postgres.ensure_database(postgres_dir, request.module.__name__.replace(".", "_"))
    migrate(url)
    return url
