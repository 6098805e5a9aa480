"""The README says what is there: its table of DAGs, its paths, its make targets, its modules and
its commands."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()


def code(text: str) -> str:
    """Every code block and code span, one after the other."""
    return "\n".join(
        block or span
        for block, span in re.findall(r"```.*?\n(.*?)```|`([^`\n]+)`", text, re.DOTALL)
    )


CODE = code(README)

# What running the project makes; such a path is right when it lies below a folder that git ignores.
MADE = tuple(
    line.rstrip("/") for line in (ROOT / ".gitignore").read_text().split() if line.endswith("/")
)
_PATH = re.compile(
    r"(?<![\w:/.{$=-])(?:\.?[\w-]+/)+[\w.-]*|(?<![\w/.-])\.env\.example|(?<![\w/.-])Makefile"
)


def paths(text: str) -> Iterator[str]:
    """Whatever looks like a path below the project, in code and in links."""
    for found in _PATH.findall(code(text)):
        yield found.rstrip(".")
    for found in re.findall(r"\]\(([^)#]+)\)", text):
        if "://" not in found:
            yield found


def test_table_of_dags_is_that_of_the_specs(airflow_environment: None) -> None:
    from devstack.dag_table import update

    assert update(README) == README, (
        "the README's table is old: PYTHONPATH=.:plugins python -m devstack.dag_table"
    )


def test_plan_that_the_sandbox_sells_is_that_of_its_connection() -> None:
    from devstack.connections import PLAN

    plan = PLAN["credits"]
    sold = f"{plan['monthly']:,} credits a month there, of which {plan['live_reserve']} are kept"
    assert sold in README


def test_every_path_exists_or_is_made_by_running() -> None:
    named = sorted(set(paths(README)))
    assert len(named) > 8, f"the paths were not found: {named}"
    assert [
        path for path in named if not (ROOT / path).exists() and path.split("/")[0] not in MADE
    ] == []


def test_every_make_target_exists() -> None:
    named = set(re.findall(r"\bmake ([a-z][a-z-]*)", CODE))
    targets = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert {"demo", "test", "down", "new-source"} <= named
    assert named - targets == set()


def test_every_module_exists() -> None:
    named = set(re.findall(r"python -m ([\w.]+)", CODE))
    assert named
    assert [name for name in named if importlib.util.find_spec(name) is None] == []


def test_every_flag_of_the_backfill_command_exists(airflow_environment: None) -> None:
    from nba_airflow.cli.commands import BACKFILL

    commands = re.findall(r"airflow dags backfill [^\n`]*", CODE)
    flags = {flag for each in commands for flag in re.findall(r"(?<!\S)--?[a-z][a-z-]*", each)}
    assert "--rerun-failed-tasks" in flags
    assert flags - {flag for arg in BACKFILL.args for flag in arg.flags} == set()


def test_every_nba_command_exists(airflow_environment: None) -> None:
    from nba_airflow.cli.commands import NBA

    named = set(re.findall(r"airflow nba ([a-z-]+)", CODE))
    assert named - {command.name for command in NBA.subcommands} == set()


@pytest.mark.parametrize(
    "text",
    ["[x](dags/no_such_dag.py)", "`dags/no_such_dag.py`", "```\ncat dags/no_such_dag.py\n```"],
)
def test_path_is_seen_in_links_spans_and_blocks(text: str) -> None:
    assert list(paths(text)) == ["dags/no_such_dag.py"]


def test_address_of_another_site_is_no_path() -> None:
    assert (
        list(paths("[x](https://example.com/a) `http://127.0.0.1:8080/b/` `file:///srv/c`")) == []
    )
