"""An Airflow on real processes that has the project as a wheel, beside a team's own settings and
without a plugins folder."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.installed import BUNDLE, build, install, write_team

if TYPE_CHECKING:
    from tests.e2e.conftest import System

pytestmark = pytest.mark.slow

HERE = Path(tempfile.gettempdir()) / f"nba-wheel-{os.getpid()}"
TEAM, PACKAGES = HERE / "team", HERE / "packages"
DAG, DAY = "bdl_box_scores", "2024-12-23"
LIVE_DAYS = 0
VARIABLES = {
    "PYTHONPATH": f"{TEAM}:{PACKAGES}",
    "AIRFLOW__CORE__PLUGINS_FOLDER": None,
    "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": json.dumps([BUNDLE]),
    # Only the supervisor's, which counts the files in it: Airflow reads its bundles.
    "AIRFLOW__CORE__DAGS_FOLDER": str(PACKAGES / "nba_airflow" / "dags"),
}


@pytest.fixture(scope="module", autouse=True)
def installed() -> Iterator[None]:
    write_team(TEAM)
    install(build(HERE / "dist"), PACKAGES)
    yield
    shutil.rmtree(HERE)


def test_a_date_is_backfilled_and_mailed(system: System) -> None:
    (plugin,) = json.loads(system.airflow("plugins --output json").out)
    assert plugin["source"].startswith("nba-backfill==")
    tags = [tag["name"] for tag in system.api("GET", f"dags/{DAG}")["tags"]]
    assert sorted(tags) == ["box scores", "of the team", "source"]

    code, answer = system.backfill(f"{DAG} -s {DAY} -e {DAY} --unpause")

    assert (code, answer["dates"][DAY]["outcome"]) == (0, "complete")
    assert len(system.rows(f"SELECT DISTINCT game_id FROM raw.{DAG}")) > 5
    (mail,) = system.until(lambda: system.mails(DAG))
    assert mail["subject"] == f"[OK] {DAG} {DAY}: 1 date complete"
    ((bundle,),) = system.metadata(f"SELECT bundle_name FROM dag WHERE dag_id = '{DAG}'")
    assert (bundle, (system.home.airflow / "plugins").exists()) == (BUNDLE["name"], False)
