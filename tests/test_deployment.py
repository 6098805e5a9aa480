"""What is deployed works without what is not: dags/, plugins/ and include/ alone."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DEPLOYED = ("dags", "plugins", "include")

IMPORT_ALL = """
import pkgutil, sys
from importlib import import_module
from pathlib import Path

names = ["nba_plugin", "airflow_local_settings", "include", "nba_airflow"]
for package in ("include", "nba_airflow"):
    walked = pkgutil.walk_packages(import_module(package).__path__, package + ".")
    names += [module.name for module in walked]
for name in names:
    import_module(name)

from airflow.dag_processing.dagbag import DagBag

bag = DagBag("dags")
assert not bag.import_errors, bag.import_errors
assert len(bag.dags) == len(list(Path("dags").glob("*.py")))
strangers = sorted({name.partition(".")[0] for name in sys.modules} & {"devstack", "tests"})
assert strangers == [], strangers
print(len(names))
"""


def test_every_module_and_dag_is_read_from_a_copy_without_the_rest(tmp_path: Path) -> None:
    for folder in DEPLOYED:
        shutil.copytree(ROOT / folder, tmp_path / folder)
    env = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
    env |= {
        "AIRFLOW_HOME": str(tmp_path / "airflow"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(tmp_path / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(tmp_path / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "PYTHONPATH": f"{tmp_path}:{tmp_path / 'plugins'}",
    }
    done = subprocess.run(
        [sys.executable, "-c", IMPORT_ALL],
        cwd=tmp_path,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert int(done.stdout.splitlines()[-1]) > 80
