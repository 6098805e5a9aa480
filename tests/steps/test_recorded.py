"""Recorded bodies of real dates, served by the sandbox: the numbers of rows are those of the
bodies."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from devstack.sandbox.server import Sandbox, running
from include.errors import ErrorClass
from include.limits.limiter import Limiter
from include.storage import raw
from include.warehouse.local import LocalWarehouse
from tests.steps.line import NO_GAMES, Line, refused
from tests.steps.one_date import stores_in, wired


@pytest.fixture(scope="module")
def recorded_sandbox(tmp_path_factory: pytest.TempPathFactory, recorded: Path) -> Iterator[Sandbox]:
    folder = tmp_path_factory.mktemp("recorded")
    with running(
        folder, recorded=recorded, limits={"balldontlie": []}, now="2026-03-01T20:00:00Z"
    ) as server:
        yield server


@pytest.fixture
def real(recorded_sandbox: Sandbox, limiter: Limiter, tmp_path: Path) -> Iterator[Line]:
    with wired(recorded_sandbox.url, limiter) as wire:
        yield Line(sandbox=recorded_sandbox, wire=wire, stores=stores_in(tmp_path))
    recorded_sandbox.no_faults()


@pytest.mark.parametrize(
    ("day", "rows", "idle", "games"),
    [(date(2024, 1, 15), 384, 155, 11), (date(2026, 1, 9), 347, 139, 10)],
)
def test_recorded_date_of_either_shape_gives_all_its_rows(
    real: Line, day: date, rows: int, idle: int, games: int
) -> None:
    line = replace(real, day=day)
    assert line.run() == ("complete", rows)
    query = (
        "SELECT count(*), count(*) FILTER (did_not_play), count(DISTINCT game_id),"
        " typeof(any_value(minutes)) FROM raw.bdl_box_scores"
    )
    assert isinstance(line.stores.warehouse, LocalWarehouse)
    with line.stores.warehouse.connect() as connection:
        assert connection.execute(query).fetchone() == (rows, idle, games, "BIGINT")


def test_recorded_empty_body_is_a_date_without_games(real: Line, recorded: Path) -> None:
    line = replace(real, day=NO_GAMES)
    assert line.run() == ("no_games", 0)
    (body,) = (json.loads(raw.get_body(line.stores.raw, item)) for item in line.manifest().data())
    assert body == json.loads((recorded / "balldontlie" / "box_scores_empty.json").read_bytes())


def test_recorded_date_whose_body_lacks_a_listed_game_is_partial(real: Line) -> None:
    line = replace(real, day=date(2024, 1, 15))
    line.fault("missing_game")
    manifest = line.scrape().manifest
    assert (manifest.outcome, manifest.games_expected, manifest.games_found) == ("partial", 11, 10)
    assert len(manifest.missing) == 1
    assert refused(line.load).error_class is ErrorClass.STORAGE
    assert not line.part.exists()
