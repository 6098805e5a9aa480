"""Every kind of warehouse, empty, for the tests of what each of them promises."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from include.warehouse.local import LocalWarehouse
from include.warehouse.open import Warehouse


@pytest.fixture(params=["local"])
def open_again(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], Warehouse]:
    """Opens one warehouse anew, as each process does."""
    return lambda: LocalWarehouse(tmp_path / "warehouse")


@pytest.fixture
def warehouse(open_again: Callable[[], Warehouse]) -> Warehouse:
    return open_again()
