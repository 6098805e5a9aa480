"""A shell completes our commands as it does Airflow's own: by argcomplete, which Airflow asks."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
BIN = Path(sys.executable).parent


@pytest.fixture
def offered(airflow_environment: None) -> Callable[[str], list[str]]:
    """Asks as the function does that `register-python-argcomplete airflow` defines in bash: the
    line in variables, the answer on descriptor 8."""

    def ask(line: str) -> list[str]:
        asked = {
            "_ARGCOMPLETE": "1",
            "_ARGCOMPLETE_IFS": "\n",
            "_ARGCOMPLETE_SHELL": "bash",
            "COMP_LINE": line,
            "COMP_POINT": str(len(line)),
            "COMP_TYPE": "9",
            "PYTHONPATH": f"{ROOT}:{ROOT / 'plugins'}",
        }
        done = subprocess.run(
            ["bash", "-c", f'exec "{BIN}/airflow" 8>&1 9>/dev/null >/dev/null 2>/dev/null'],
            env={**os.environ, **asked},
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        return [word.strip() for word in done.stdout.splitlines()]

    return ask


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("airflow nba re", ["reconcile", "record", "release", "repair", "reprocess", "resume"]),
        ("airflow dags backfi", ["backfill"]),
        ("airflow dags backfill --ref", ["--refetch"]),
        ("airflow dags backfill bdl", ["bdl_box_scores"]),
        ("airflow nba gaps nba", ["nbacom_box_scores", "nbacom_schedule"]),
        ("airflow nba resume odds", ["odds_api_props"]),
    ],
)
def test_the_shell_completes_our_commands_flags_and_dags(
    offered: Callable[[str], list[str]], line: str, words: list[str]
) -> None:
    assert sorted(offered(line)) == words
