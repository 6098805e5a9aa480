"""The environment of the BigQuery engine is made with the Python that asks for it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from devstack.environment import ROOT

_MAKE = """
from pathlib import Path
from devstack import engines
engines.PINS, engines.BIGQUERY = Path("none.txt"), Path("made")
engines.ensure_environment()
"""


def test_the_engine_has_the_python_that_asks_for_it(tmp_path: Path) -> None:
    (tmp_path / "none.txt").touch()
    # What uv would choose by itself.
    env = {"PYTHONPATH": str(ROOT), "HOME": str(tmp_path), "UV_PYTHON": "/none"}
    command = [sys.executable, "-c", _MAKE]
    done = subprocess.run(
        command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    settings = (tmp_path / "made" / "pyvenv.cfg").read_text().splitlines()
    (home,) = (line.removeprefix("home = ") for line in settings if line.startswith("home = "))
    assert Path(home).samefile(Path(sys.base_prefix) / "bin")
