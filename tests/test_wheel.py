"""The wheel: what is in it, and what an Airflow finds that has it installed, beside a team's own
settings, without a plugins folder."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest

from tests.installed import BUNDLE, ROOT, build, install, write_team

HOLDS = {
    "dags": "nba_airflow/dags",
    "include": "include",
    "plugins/nba_airflow": "nba_airflow",
}
"""Folder of the checkout -> folder of the installed package."""

LOOK = """
import json, sys
sys.argv[0] = "airflow"
from airflow.cli.cli_parser import get_parser
from airflow.dag_processing.bundles.manager import DagBundlesManager
from airflow.dag_processing.dagbag import DagBag
from airflow.listeners.listener import get_listener_manager
from airflow.plugins_manager import (
    get_fastapi_plugins,
    get_import_errors,
    get_priority_weight_strategy_plugins,
    get_timetables_plugins,
)

def commands(group):
    choices = get_parser()._subparsers._group_actions[0].choices
    return sorted(choices[group]._subparsers._group_actions[0].choices) if group in choices else []

def theirs():
    from include.team_words import WORDS
    return WORDS

found = {
    "nba": commands("nba"),
    "backfill": "backfill" in commands("dags"),
    "plugin errors": get_import_errors(),
    "listeners": [name for name, _ in get_listener_manager().pm.list_name_plugin()],
    "timetables": sorted(get_timetables_plugins()),
    "pages": [app["url_prefix"] for app in get_fastapi_plugins()[0]],
    "priorities": sorted(each for each in get_priority_weight_strategy_plugins() if "nba" in each),
    "of the team": theirs(),
}
for bundle in DagBundlesManager().get_all_dag_bundles():
    bag = DagBag(bundle.path)
    found["folder"] = str(bundle.path)
    found["dag errors"] = bag.import_errors
    found["dags"] = sorted(bag.dags)
    found["policy"] = all("of the team" in dag.tags for dag in bag.dags.values())
if not found["plugin errors"]:
    from nba_airflow.preload import ours
    names = set(ours({"gs", "bigquery"}))
    found["preloaded"] = [name for name in names if "team" in name or "__init__" in name]
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("dist"))


@pytest.fixture(scope="module")
def package(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder into which it is installed."""
    folder = tmp_path_factory.mktemp("packages")
    install(wheel, folder)
    return folder


@pytest.fixture
def team(tmp_path: Path) -> Path:
    """The folder of a team's own code."""
    write_team(tmp_path / "team")
    return tmp_path / "team"


def run(home: Path, *path: Path, command: list[str], **variables: str) -> tuple[str, str]:
    """Standard output and error of a command, which ends well, in an Airflow that has nothing but
    these folders on PYTHONPATH, and no plugins folder."""
    mine = ("AIRFLOW", "PYTHON", "NBA_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(mine)}
    settings = {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": json.dumps([BUNDLE]),
        "PYTHONPATH": os.pathsep.join(map(str, path)),
    }
    done = subprocess.run(
        command,
        cwd=home.parent,
        env=kept | settings | variables,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout, done.stderr


def look(home: Path, *path: Path, **variables: str) -> dict[str, Any]:
    """What that Airflow finds."""
    out, _ = run(home, *path, command=[sys.executable, "-c", LOOK], **variables)
    return dict(json.loads(out.splitlines()[-1]))


def files(folder: Path) -> list[Path]:
    found = (path for path in folder.rglob("*") if path.is_file())
    return [path.relative_to(folder) for path in found if "__pycache__" not in path.parts]


def test_wheel_holds_all_that_is_deployed_and_nothing_else(wheel: Path) -> None:
    expected = {
        f"{name}/{path.as_posix()}": (ROOT / folder / path).read_bytes()
        for folder, name in HOLDS.items()
        for path in files(ROOT / folder)
    }
    del expected["include/__init__.py"]
    with ZipFile(wheel) as archive:
        held = {name: archive.read(name) for name in archive.namelist()}
    about = {name for name in held if ".dist-info/" in name}
    assert {name: held[name] for name in held.keys() - about} == expected
    assert {name.partition("/")[2] for name in about} == {
        *("METADATA", "WHEEL", "RECORD", "entry_points.txt")
    }
    endings = {Path(name).suffix for name in expected}
    assert endings == {".py", ".sql", ".j2", ".css", ".js"}


def test_the_page_names_the_bundle_and_the_names_that_are_taken() -> None:
    page = (ROOT / "docs" / "install.md").read_text()
    (bundles,) = re.findall(r"^AIRFLOW__\w+_LIST='(.+)'$", page, re.MULTILINE)
    assert json.loads(bundles) == [BUNDLE]
    (taken,) = re.findall(r"Taken are (.+?)\.\n", page, re.DOTALL)
    ours = {path.parts[0] for path in files(ROOT / "include")} - {"__init__.py"}
    assert re.findall(r"`(\w+)`", taken) == sorted(name.removesuffix(".py") for name in ours)


def found_by(package: Path) -> dict[str, Any]:
    from nba_airflow.cli.commands import NBA

    return {
        "nba": sorted(command.name for command in NBA.subcommands),
        "backfill": True,
        "plugin errors": {},
        "listeners": ["nba_airflow.listener"],
        "timetables": [
            f"nba_airflow.timetable.{name}"
            for name in ("GameDateTimetable", "ProcessedDateTimetable")
        ],
        "pages": ["/nba"],
        "priorities": ["nba_airflow.priority.LiveFirst"],
        "of the team": "of the team",
        "folder": str(package / "nba_airflow" / "dags"),
        "dag errors": {},
        "dags": sorted(path.stem for path in (ROOT / "dags").glob("*.py")),
        "policy": True,
        "preloaded": [],
    }


@pytest.mark.usefixtures("airflow_environment")
def test_airflow_finds_all_of_it_beside_a_teams_own_settings_and_include(
    package: Path, team: Path, tmp_path: Path
) -> None:
    assert look(tmp_path / "home", team, package) == found_by(package)


@pytest.mark.usefixtures("airflow_environment")
def test_beside_a_checkout_each_thing_is_there_once_and_airflow_says_so(
    package: Path, team: Path, tmp_path: Path
) -> None:
    found = look(
        tmp_path / "home",
        *(team, package),
        AIRFLOW__CORE__PLUGINS_FOLDER=str(ROOT / "plugins"),
    )
    ((source, message),) = found.pop("plugin errors").items()
    assert source.startswith("nba-backfill==")
    assert message == "Plugin 'nba' already registered, skipping"
    expected = found_by(package)
    del expected["plugin errors"], expected["preloaded"]
    assert found == expected


@pytest.mark.usefixtures("airflow_environment")
def test_include_that_hides_ours_is_named_and_breaks_nothing_else(
    package: Path, team: Path, tmp_path: Path
) -> None:
    (team / "include" / "__init__.py").touch()
    told = (
        f"nba-backfill's package `include` is hidden: Python finds ['{team}/include'] by that"
        " name; delete the __init__.py there, and both are found (docs/install.md)"
    )
    found = look(tmp_path / "home", team, package)
    errors = found.pop("dag errors")
    assert len(errors) == len(found_by(package)["dags"])
    assert found == {
        **{"nba": [], "backfill": False, "plugin errors": {"nba_airflow.plugin": told}},
        **{
            "listeners": [],
            "timetables": [],
            "pages": [],
            "priorities": [],
            "of the team": "of the team",
        },
        **{"folder": str(package / "nba_airflow" / "dags"), "dags": [], "policy": True},
    }
    airflow = str(Path(sys.executable).with_name("airflow"))
    out, error = run(tmp_path / "home", team, package, command=[airflow, "version"])
    assert out.count(".") == 2
    assert f'nba_airflow: commands not registered: ImportError("{told}")' in error
