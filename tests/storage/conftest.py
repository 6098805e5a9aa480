"""Each kind of raw store, empty: what is asked of `store` is asked of all of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from include.storage.local import LocalStore
from include.storage.store import Store


@pytest.fixture(params=["local"])
def store(tmp_path: Path) -> Store:
    return LocalStore(tmp_path / "raw")
