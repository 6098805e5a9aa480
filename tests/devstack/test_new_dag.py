"""`make new-source`, `new-processor`, `new-pipeline`: what they write passes every suite at once,
and a name that cannot be one is refused."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from devstack.new_dag import MAX_NAME, SAYS_NOTHING, SUFFIX, BadName, check, choose, word_end
from tests.test_policy import ATTICS

ROOT = Path(__file__).resolve().parents[2]
KEPT = (
    "Makefile",
    "README.md",
    "CHANGELOG.md",
    "pyproject.toml",
    "requirements.txt",
    "requirements-image.txt",
    "Dockerfile",
    "docker-compose.yaml",
    ".dockerignore",
    ".gitignore",
    ".env.example",
)
FOLDERS = ("dags", "devstack", "docs", "include", "plugins", "tests", "deploy", ".ci")
SUITES = (
    "tests/plugins/test_specs.py",
    "tests/plugins/test_dags.py",
    "tests/devstack/test_demo.py",
    "tests/devstack/test_documents.py",
    "tests/devstack/test_environment.py",
    "tests/devstack/test_readme.py",
    "tests/devstack/test_sizing_page.py",
    "tests/devstack/compose/test_secret_files.py",
    "tests/test_policy.py",
    "tests/test_simplicity.py",
)
FIXTURE = "players.2025-01-15.json"
LONGEST, FLOW = "a" * MAX_NAME, "c" * (MAX_NAME - len(SUFFIX))


def of_source(name: str) -> list[str]:
    return [
        f"include/parsing/{name}.py",
        f"tests/fixtures/{name}/{FIXTURE}",
        f"dags/{name}.py",
    ]


def of_processor(name: str) -> list[str]:
    return [
        f"include/analytics/{name}.py",
        f"tests/analytics/test_{name}.py",
        f"dags/{name}.py",
    ]


MADE = (
    ("new-source", LONGEST, of_source(LONGEST)),
    ("new-processor", "table_of_mine", of_processor("table_of_mine")),
    ("new-pipeline", FLOW, of_source(FLOW) + of_processor(FLOW + SUFFIX)),
)
"""Command, name, and what it writes."""
EDITED = "edited README.md and docs/dictionary.md, which list each DAG and table"


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


def make(folder: Path, target: str, name: str) -> subprocess.CompletedProcess[str]:
    """`make TARGET NAME=`, with this session's Python for the copy's environment."""
    python = f"BIN={Path(sys.executable).parent}"
    options = ("--no-print-directory", "-o", ".venv/.installed", python)
    return run(folder, "make", *options, target, f"NAME={name}")


@pytest.mark.slow
def test_what_is_written_passes_lint_types_density_and_suites_untouched(tmp_path: Path) -> None:
    """In one copy, which has all of them."""
    folder = copied(tmp_path)
    for target, name, files in MADE:
        made = make(folder, target, name)
        assert (made.returncode, made.stderr) == (0, "")
        said = made.stdout.splitlines()
        assert said[:-1] == [*(f"wrote {path}" for path in files), EDITED]
    written = [path for _, _, files in MADE for path in files]
    code = [path for path in written if path.endswith(".py")]
    own = [path for path in code if path.startswith("tests/")]

    pytest_ = (sys.executable, "-m", "pytest", "-p", "no:cacheprovider")
    suites = run(folder, *pytest_, *SUITES, *own, "-m", "not slow", "-vv")

    assert suites.returncode == 0, suites.stdout[-3000:]
    for name in (LONGEST, FLOW):
        assert (
            f"test_items_fill_every_blank_of_the_request[{name}-{FIXTURE}] PASSED" in suites.stdout
        )
    for path in own:
        assert f"{path}::test_a_date_is_made_whole_and_asks_nobody PASSED" in suites.stdout
    tools = Path(sys.executable).parent
    for lint in (("check",), ("format", "--check")):
        linted = run(folder, str(tools / "ruff"), *lint, "--no-cache", *code)
        assert linted.returncode == 0, linted.stdout
    modules = [path for path in code if path.startswith("include/")]
    typed = run(
        folder, "env", "MYPYPATH=.:plugins", str(tools / "mypy"), "--cache-dir=.mypy", *modules
    )
    assert typed.returncode == 0, typed.stdout
    dense = run(folder, sys.executable, "-m", "devstack.branches")
    assert dense.returncode == 0, dense.stdout
    readme = (folder / "README.md").read_text()
    assert f"| [`{FLOW}`](dags/{FLOW}.py) | {FLOW}: " in readme
    assert f"| `analytics.{FLOW}{SUFFIX}` |" in readme
    dictionary = (folder / "docs" / "dictionary.md").read_text()
    for table in (f"raw.{FLOW}", "analytics.table_of_mine"):
        assert f"## `{table}`\n" in dictionary
    told = (
        "from devstack.connections import find_examples as found; from nba_airflow.specs import"
        f" hosts; print(hosts()['{FLOW}'].windows[0].limit, *found())"
    )
    path = f"PYTHONPATH={folder}:{folder / 'plugins'}"
    home = f"AIRFLOW_HOME={folder / '.airflow'}"
    asked = run(folder, "env", path, home, sys.executable, "-c", told)
    limit, *examples = asked.stdout.split()
    assert limit == "60"
    assert {*examples} >= {LONGEST, FLOW}  # the checkout may have others


@pytest.mark.slow
def test_refused_name_is_one_line_and_nothing_is_written(tmp_path: Path) -> None:
    folder = copied(tmp_path)
    readme = (folder / "README.md").read_text()
    there = {
        path.relative_to(folder)
        for name in ("dags", "tests")
        for path in (folder / name).rglob("*")
    }

    refused = make(folder, "new-pipeline", "bdl_box_scores")

    assert (refused.returncode, refused.stdout) == (2, "")
    said, of_make = refused.stderr.splitlines()
    assert said == "new-pipeline: 'bdl_box_scores' exists: dags/bdl_box_scores.py"
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
    ("command", "names", "connection"),
    [
        ("new-source", "mine", True),
        ("new-pipeline", "mine,mine_totals", True),
        ("new-processor", "mine", False),
    ],
)
def test_end_says_what_was_edited_and_what_makes_the_connection(
    command: str, names: str, connection: bool
) -> None:
    made = (
        ", and makes connection mine, to the sandbox (so do `make down` and `make up`; until then"
        " `airflow nba status` says that it is not defined)"
    )
    assert word_end(choose(command, "mine")) == [
        EDITED,
        f"next: `make demo SOURCES={names}` runs it as it is{made if connection else ''};"
        " docs/add-a-source.md goes on from there",
    ]


def check_names(name: str, command: str = "new-source") -> None:
    for new in choose(command, name):
        check(new)


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
        check_names(name)
    assert (
        str(refused.value)
        == f"{name!r} is not a name for a DAG: lower-case words joined by _, at most 40 letters,"
        " for example espn_injuries"
    )


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("backfill_summary", "dags/backfill_summary.py"),
        ("nbacom_schedule", "dags/nbacom_schedule.py"),
        ("prop_results", "dags/prop_results.py"),
        ("balldontlie", "include/parsing/balldontlie.py"),
        ("unmatched_players", "it is a table of another DAG"),
        ("odds_api_game_lines", "it is a table of another DAG"),
        ("date_status", "it is a table of another DAG"),
        ("hit_rates", "it is a view"),
        ("nba_cdn", "it is the connection or pool of something else"),
        ("ops_db", "it is the connection or pool of something else"),
        ("default_pool", "it is the connection or pool of something else"),
    ],
)
def test_name_that_is_taken_is_refused_with_what_has_it(name: str, why: str) -> None:
    with pytest.raises(BadName) as refused:
        check_names(name)
    assert str(refused.value) == f"{name!r} exists: {why}"


def test_name_that_the_policy_would_refuse_is_refused_first() -> None:
    assert SAYS_NOTHING == ATTICS
    with pytest.raises(
        BadName, match=r"^'player_utils' says nothing with 'utils': name it for what it holds$"
    ):
        check_names("player_utils")


@pytest.mark.parametrize("name", ["x", "espn_injuries", "source2", "a" * MAX_NAME])
def test_good_name_is_taken_as_it_is(name: str) -> None:
    check_names(name)


def test_a_pipelines_second_dag_needs_a_name_too() -> None:
    with pytest.raises(BadName) as refused:
        check_names("a" * MAX_NAME, "new-pipeline")
    assert str(refused.value).startswith(f"{'a' * MAX_NAME + SUFFIX!r} is not a name for a DAG: ")


def test_what_a_processor_is_built_by_may_be_there_already() -> None:
    """The code of another DAG has the name."""
    with pytest.raises(BadName, match=r"^'settle' exists: include/analytics/settle.py$"):
        check_names("settle", "new-processor")
