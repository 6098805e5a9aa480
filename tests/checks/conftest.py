"""A date whose upstream answers with given bodies."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.checks.told import Telling
from tests.http.conftest import scripted
from tests.http.scripted import Scripted

if TYPE_CHECKING:
    from include.sources.spec import Source

__all__ = ["scripted"]


@pytest.fixture
def telling(
    scripted: Scripted,
    sources: dict[str, Source],
    tmp_path: Path,
) -> Telling:
    return Telling(scripted=scripted, sources=sources, folder=tmp_path)
