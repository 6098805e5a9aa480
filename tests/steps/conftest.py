"""The sandbox on 2026-03-01 without limits of its own, and the real client and limiter in front of
it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from devstack.sandbox.server import Sandbox, running
from include.limits.limiter import Limiter
from include.ops.session import Session
from tests.http.conftest import client, gate, scripted, slept
from tests.steps.line import Line
from tests.steps.one_date import SOURCE, stores_in, wired

__all__ = ["client", "gate", "limiter", "line", "sandbox", "scripted", "slept"]


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    unlimited: dict[str, list[Any]] = {"balldontlie": [], "nba_stats": [], "nba_cdn": []}
    with running(
        tmp_path_factory.mktemp("sandbox"), limits=unlimited, now="2026-03-01T20:00:00Z"
    ) as server:
        yield server


@pytest.fixture(scope="module")
def limiter(ops_db: str) -> Iterator[Limiter]:
    with Session(ops_db) as session:
        yield Limiter(session, {host.connection: host.windows for host in SOURCE.hosts})


@pytest.fixture
def line(sandbox: Sandbox, limiter: Limiter, tmp_path: Path) -> Iterator[Line]:
    """2025-01-15 of Ball Don't Lie's box scores, nothing fetched yet."""
    with wired(sandbox.url, limiter) as wire:
        yield Line(sandbox=sandbox, wire=wire, stores=stores_in(tmp_path))
    sandbox.no_faults()
