"""The project as a wheel, installed beside what Python has already."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

BUNDLE = {"name": "nba-backfill", "classpath": "nba_airflow.bundle.PackagedDags", "kwargs": {}}

TEAM_SETTINGS = """
def dag_policy(dag):
    dag.tags.add("of the team")
"""


def build(folder: Path) -> Path:
    """Builds the wheel with the pinned backend, without a network; its path."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    return wheel


def install(wheel: Path, folder: Path) -> None:
    """Installs it without what it depends on into a folder, which belongs on PYTHONPATH."""
    beside = os.pathsep.join((str(Path(sys.executable).parent), str(ROOT / ".venv" / "bin")))
    uv = shutil.which("uv", path=beside) or "uv"
    command = [uv, "pip", "install", "-q", "--offline", "--no-deps", "--target", str(folder)]
    subprocess.run([*command, "--python", sys.executable, str(wheel)], check=True)


def write_team(folder: Path) -> None:
    """A team's own code: its airflow_local_settings, and a module in its own `include`."""
    (folder / "include").mkdir(parents=True)
    (folder / "include" / "team_words.py").write_text('WORDS = "of the team"\n')
    (folder / "airflow_local_settings.py").write_text(TEAM_SETTINGS)
