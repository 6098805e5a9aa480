"""A running server per module, and one with tight windows per test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from devstack.sandbox.server import Sandbox, running


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """On 2026-03-01, without limits: what upstreams say, not how often they say it."""
    unlimited = {
        source: []
        for source in ("balldontlie", "the_odds_api", "nba_stats", "nba_cdn", "bigdataball")
    }
    settings = {"limits": unlimited, "now": "2026-03-01T20:00:00Z", "monthly_credits": 1_000_000}
    with running(tmp_path_factory.mktemp("sandbox"), **settings) as server:
        yield server


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Sandbox]:
    """With the real limits, for one test."""
    with running(tmp_path) as server:
        yield server
