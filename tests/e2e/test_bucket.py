"""A week whose raw bodies lie in a bucket, by a real scheduler: the bodies, their manifests and the
rows that name them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from google.cloud.storage import Client

    from tests.e2e.conftest import System

pytestmark = pytest.mark.slow

DAG = "bdl_box_scores"
BUCKET, PREFIX = "raw-of-a-week", "nba"
WEEK = [date(2025, 1, 13) + timedelta(days=n) for n in range(7)]
LIVE_DAYS = 0
VARIABLES = {
    "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
    "AIRFLOW_CONN_RAW_STORE": json.dumps(
        {"conn_type": "generic", "extra": {"url": f"gs://{BUCKET}/{PREFIX}"}}
    ),
    "AIRFLOW_CONN_GOOGLE_CLOUD_DEFAULT": json.dumps(
        {"conn_type": "google_cloud_platform", "extra": {"is_anonymous": True}}
    ),
}


@pytest.fixture(scope="module", autouse=True)
def server(gcs_url: str) -> None:
    """Before the installation starts, it is told where Google is."""
    VARIABLES["STORAGE_EMULATOR_HOST"] = gcs_url


def test_week_is_in_the_bucket_and_its_rows_name_the_bodies(
    system: System, gcs_url: str, gcs_client: Callable[..., Client], gcs_folder: Path
) -> None:
    gcs_client(gcs_url).create_bucket(BUCKET)
    code, answer = system.backfill(f"{DAG} -s {WEEK[0]} -e {WEEK[-1]}")
    assert Counter(each["outcome"] for each in answer["dates"].values()) == {"complete": 7}
    assert code == 0

    top = gcs_folder / BUCKET / PREFIX
    there = {path.relative_to(top).as_posix() for path in (top / DAG).rglob("*.json*")}
    folders = {f"{DAG}/2025/01/{day}/box_scores" for day in WEEK}
    assert {path.rpartition("/")[0] for path in there} == folders
    assert {f"{folder}/_manifest.json" for folder in folders} <= there
    sources = {source for (source,) in system.rows("SELECT source_file FROM raw.bdl_box_scores")}
    assert {source.rpartition("/")[0] for source in sources} == folders
    assert sources <= there
    assert not (system.home.data / "raw").exists()

    asked = len(system.requests())
    assert system.airflow(f"nba gaps {DAG} -s {WEEK[0]} -e {WEEK[-1]}").code == 0
    assert len(system.requests()) == asked
