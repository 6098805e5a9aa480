"""``start``: what our part adds to the start of a command, and to the reading of a DAG file."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from devstack.bench.lines import Line, compared
from devstack.bench.usage import children_cpu
from devstack.environment import ROOT

AIRFLOW = str(Path(sys.executable).with_name("airflow"))
DAG_FILE = ROOT / "dags" / "bdl_box_scores.py"
TIMES = 7

PAIRS = {
    "start_command": (
        [AIRFLOW, "dags", "backfill", "--help"],
        [AIRFLOW, "version"],
        "airflow version",
    ),
    "start_dag_file": (
        [sys.executable, "-c", f"import airflow.sdk, runpy; runpy.run_path({str(DAG_FILE)!r})"],
        [sys.executable, "-c", "import airflow.sdk"],
        "import airflow.sdk",
    ),
}


def bench() -> Iterator[Line]:
    """CPU seconds of each command beside Airflow's own, in turn; the least of each counts, since
    others use the machine too."""
    with tempfile.TemporaryDirectory() as home:
        env = {
            **os.environ,
            "AIRFLOW_HOME": home,
            "PYTHONPATH": f"{ROOT}:{ROOT / 'plugins'}",
            "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
        }
        for name, (ours, theirs, against) in PAIRS.items():
            took: list[tuple[float, float]] = []
            for _ in range(TIMES + 1):  # the first fills the caches
                took.append((_cpu_seconds(ours, env), _cpu_seconds(theirs, env)))
            least = [min(column) for column in zip(*took[1:], strict=True)]
            yield compared(name, least[0], "CPU-s", against, least[1])


def _cpu_seconds(command: Sequence[str], env: Mapping[str, str]) -> float:
    before = children_cpu()
    subprocess.run(command, env=env, cwd=ROOT, capture_output=True, check=True)
    return children_cpu() - before
