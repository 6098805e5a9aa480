"""kill -9 at every point of a date, then a rerun: the right rows, once."""

from __future__ import annotations

import ast
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from devstack.sandbox.server import Sandbox
from include import failpoints
from tests.steps.line import DAY, Line
from tests.steps.one_date import OpenGate, stores_in, wired

ROOT = Path(__file__).resolve().parents[2]

# What a date of two bodies comes by: (point, the time it is reached): (requests of the rerun, is
# the date loaded). Until its manifest is written the date is asked for again: its one body holds
# all games.
SPOTS = {
    ("before fetch", 1): (2, False),
    ("after fetch", 1): (2, False),
    ("before swap", 1): (2, False),
    ("after raw write", 1): (2, False),
    ("after fetch", 2): (2, False),
    ("before swap", 2): (2, False),
    ("after raw write", 2): (2, False),
    ("before manifest", 1): (2, False),
    ("before swap", 3): (2, False),
    ("after manifest", 1): (0, False),
    ("before load", 1): (0, False),
    ("before swap", 4): (0, False),
    ("after load", 1): (0, True),
    ("before outcome", 1): (0, True),
    ("after outcome", 1): (0, True),
}


def killed(folder: Path, sandbox: Sandbox, spot: str) -> int:
    """The exit code of a process that takes the date through its steps and is killed at the
    spot."""
    folder.mkdir(exist_ok=True)
    command = [sys.executable, "-m", "tests.steps.one_date", str(folder), sandbox.url, str(DAY)]
    return subprocess.run(
        command, cwd=ROOT, env={**os.environ, failpoints.AT: spot}, check=False
    ).returncode


@pytest.fixture(scope="module")
def wrecks(
    sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory
) -> dict[tuple[str, int], tuple[Path, int]]:
    """Per spot the folder that a killed process left behind, and how it ended; two at a time."""
    base = tmp_path_factory.mktemp("wrecks")
    folders = {spot: base / f"{n}" for n, spot in enumerate(SPOTS)}
    with ThreadPoolExecutor(max_workers=2) as pool:
        codes = pool.map(
            lambda spot: killed(folders[spot], sandbox, f"{spot[0]}:{spot[1]}"), folders
        )
        return {spot: (folders[spot], code) for spot, code in zip(folders, codes, strict=True)}


@pytest.fixture
def whole(line: Line) -> tuple[bytes, list[str]]:
    """The date as it is without a crash: bytes of its partition, names of its raw objects."""
    line.run()
    return line.part.read_bytes(), sorted(path.name for path in line.folder.glob("*.gz"))


@pytest.fixture
def open_line(sandbox: Sandbox, line: Line) -> Iterator[Line]:
    with wired(sandbox.url, OpenGate()) as wire:
        yield replace(line, wire=wire)


@pytest.mark.parametrize("spot", SPOTS, ids=lambda spot: f"{spot[0]} {spot[1]}")
def test_killed_date_is_right_after_a_rerun(
    open_line: Line,
    whole: tuple[bytes, list[str]],
    wrecks: dict[tuple[str, int], tuple[Path, int]],
    spot: tuple[str, int],
) -> None:
    folder, code = wrecks[spot]
    line = replace(open_line, stores=stores_in(folder))
    requests, loaded = SPOTS[spot]
    assert code == -signal.SIGKILL
    assert line.part.exists() is loaded
    before = len(line.asked())

    assert line.run() == ("complete", len(line.rows()))

    assert len(line.asked()) - before == requests
    assert (line.part.read_bytes(), sorted(path.name for path in line.folder.glob("*.gz"))) == whole
    assert [path.name for path in line.part.parent.parent.rglob("*.parquet")] == ["part.parquet"]


def test_killed_reload_leaves_the_rows_that_were_there(
    line: Line, sandbox: Sandbox, tmp_path: Path
) -> None:
    line.run()
    whole = line.part.read_bytes()
    line.stores.warehouse.replace(line.endpoint.table, DAY, line.rows()[:5])
    five = line.part.read_bytes()
    assert killed(tmp_path, sandbox, "before swap:1") == -signal.SIGKILL
    assert line.part.read_bytes() == five
    line.load()
    assert line.part.read_bytes() == whole


def test_process_that_nobody_wants_dead_lives(sandbox: Sandbox, tmp_path: Path) -> None:
    assert [
        killed(tmp_path / str(n), sandbox, spot) for n, spot in enumerate(("", "after load:2"))
    ] == [0, 0]


def points_in(*files: Path) -> set[str]:
    """The names that the files hand to ``reach_failpoint``."""
    return {
        node.args[0].value
        for path in files
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "reach_failpoint"
        and isinstance(node.args[0], ast.Constant)
    }


def test_every_point_in_the_code_is_known() -> None:
    assert points_in(*(ROOT / "include").rglob("*.py"), *(ROOT / "plugins").rglob("*.py")) == set(
        failpoints.POINTS
    )


def test_every_point_of_a_dates_steps_is_tried() -> None:
    steps = points_in(*(ROOT / "include" / "steps").glob("*.py"), ROOT / "include" / "files.py")
    assert steps == {point for point, _ in SPOTS}
