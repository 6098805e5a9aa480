"""Each kind of raw store, empty: what is asked of `store` is asked of all of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from include.storage.gcs import GcsStore
from include.storage.local import LocalStore
from include.storage.store import Store


@pytest.fixture(params=["local", "gcs"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if request.param == "local":
        return LocalStore(tmp_path / "raw")
    url, bucket, client = map(request.getfixturevalue, ("gcs_url", "bucket", "gcs_client"))
    return GcsStore(client(url), bucket, "nba/raw")
