"""`make new-source`: what it writes passes every suite at once, and a name that cannot be one is
refused."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from devstack.new_source import MAX_NAME, SAYS_NOTHING, BadName, check_name
from tests.test_policy import ATTICS

ROOT = Path(__file__).resolve().parents[2]
KEPT = (
    "Makefile",
    "README.md",
    "CHANGELOG.md",
    "pyproject.toml",
    "requirements.txt",
    ".gitignore",
    ".env.example",
)
FOLDERS = ("dags", "devstack", "docs", "include", "plugins", "tests", ".ci")
SUITES = (
    "tests/plugins/test_specs.py",
    "tests/plugins/test_dags.py",
    "tests/devstack/test_readme.py",
)
NAMES = ("my_source", "a" * MAX_NAME)


def copied(folder: Path) -> Path:
    """The project as a fresh checkout has it, in a folder of its own."""
    for name in FOLDERS:
        if (ROOT / name).is_dir():
            shutil.copytree(
                ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__")
            )
    for name in KEPT:
        shutil.copy2(ROOT / name, folder / name)
    return folder


def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """The command in the copy, which knows nothing of this session's Airflow."""
    ours = ("AIRFLOW", "NBA_", "PYTHONPATH", "PYTEST")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def new_source(folder: Path, name: str) -> subprocess.CompletedProcess[str]:
    """`make new-source NAME=`, with this session's Python for the copy's environment."""
    python = f"BIN={Path(sys.executable).parent}"
    return run(
        folder,
        "make",
        "--no-print-directory",
        "-o",
        ".venv/.installed",
        python,
        "new-source",
        f"NAME={name}",
    )


@pytest.mark.slow
def test_new_sources_pass_conformance_policy_lint_and_load_as_dags(tmp_path: Path) -> None:
    folder = copied(tmp_path)
    for name in NAMES:
        made = new_source(folder, name)
        assert (made.returncode, made.stderr) == (0, "")
        assert made.stdout.splitlines()[:2] == [
            f"wrote dags/{name}.py",
            f"wrote tests/fixtures/{name}/players.2025-01-15.json",
        ]

    suites = run(
        folder,
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "no:cacheprovider",
        *SUITES,
        "tests/test_policy.py",
        "-vv",
    )

    assert suites.returncode == 0, suites.stdout[-3000:]
    for name in NAMES:
        assert (
            f"test_items_fill_every_blank_of_the_request[{name}-players.2025-01-15.json] PASSED"
            in suites.stdout
        )
    ruff = str(Path(sys.executable).parent / "ruff")
    for lint in (("check",), ("format", "--check")):
        linted = run(folder, ruff, *lint, "--no-cache", *(f"dags/{name}.py" for name in NAMES))
        assert linted.returncode == 0, linted.stdout
    assert "| [`my_source`](dags/my_source.py) | my_source: " in (folder / "README.md").read_text()
    assert "## `raw.my_source`\n" in (folder / "docs" / "dictionary.md").read_text()
    limit = "from nba_airflow.specs import hosts; print(hosts()['my_source'].windows[0].limit)"
    path = f"PYTHONPATH={folder}:{folder / 'plugins'}"
    asked = run(
        folder, "env", path, f"AIRFLOW_HOME={folder / '.airflow'}", sys.executable, "-c", limit
    )
    assert asked.stdout.strip() == "60", asked.stderr


@pytest.mark.slow
def test_refused_name_is_one_line_and_nothing_is_written(tmp_path: Path) -> None:
    folder = copied(tmp_path)
    readme = (folder / "README.md").read_text()
    there = {
        path.relative_to(folder)
        for name in ("dags", "tests")
        for path in (folder / name).rglob("*")
    }

    refused = new_source(folder, "bdl_box_scores")

    assert (refused.returncode, refused.stdout) == (2, "")
    said, of_make = refused.stderr.splitlines()
    assert said == "new-source: 'bdl_box_scores' exists: dags/bdl_box_scores.py"
    assert of_make.startswith(("make: ***", "make["))
    assert (folder / "README.md").read_text() == readme
    there_now = {
        path.relative_to(folder)
        for name in ("dags", "tests")
        for path in (folder / name).rglob("*")
    }
    assert {
        path for path in there_now - there if path.suffix != ".pyc" and path.name != "__pycache__"
    } == set()


@pytest.mark.parametrize(
    "name",
    [
        "",
        "Bad",
        "my-source",
        "2x",
        "_x",
        "x_",
        "a__b",
        "a b",
        "é",
        "class",
        "x\n",
        "../x",
        "a" * (MAX_NAME + 1),
    ],
)
def test_malformed_name_is_refused_with_an_example(name: str) -> None:
    with pytest.raises(BadName) as refused:
        check_name(name)
    assert (
        str(refused.value)
        == f"{name!r} is not a name for a source: lower-case words joined by _, at most 40 letters,"
        " for example espn_injuries"
    )


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("backfill_summary", "dags/backfill_summary.py"),
        ("nbacom_schedule", "dags/nbacom_schedule.py"),
        ("odds_api_game_lines", "it is a table of another source"),
        ("nba_cdn", "it is the connection or pool of something else"),
        ("ops_db", "it is the connection or pool of something else"),
        ("default_pool", "it is the connection or pool of something else"),
    ],
)
def test_name_that_is_taken_is_refused_with_what_has_it(name: str, why: str) -> None:
    with pytest.raises(BadName) as refused:
        check_name(name)
    assert str(refused.value) == f"{name!r} exists: {why}"


def test_name_that_the_policy_would_refuse_is_refused_first() -> None:
    assert SAYS_NOTHING == ATTICS
    with pytest.raises(
        BadName, match=r"^'player_utils' says nothing with 'utils': name it for what it holds$"
    ):
        check_name("player_utils")


@pytest.mark.parametrize("name", ["x", "espn_injuries", "source2", "a" * MAX_NAME])
def test_good_name_is_taken_as_it_is(name: str) -> None:
    assert check_name(name) == name
