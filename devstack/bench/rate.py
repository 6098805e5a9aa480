"""``dates_per_minute``: the whole work of a date with no limit in its way, beside Airflow doing
nothing, and beside scripts that do the work without Airflow."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path

from devstack.bench.installation import Backfill, installed
from devstack.bench.lines import Line, compared
from devstack.bench.usage import children_cpu
from devstack.environment import ROOT
from devstack.sandbox.server import running
from include.settings import SETTINGS

DAG = "bdl_box_scores"
SEASON = (date(2024, 10, 22), date(2025, 4, 13))
SHORT = (date(2024, 10, 22), date(2024, 12, 20))
"""For what is so slow that 60 dates tell as much."""

DEFAULTS: Mapping[str, str | None] = {setting.name: None for setting in SETTINGS} | {
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False"
}


def bench() -> Iterator[Line]:
    """Dates a minute and CPU seconds a date, each beside the four others."""
    ours = _product()
    others = {
        "an empty task, same settings": _nothing({}),
        "an empty task, Airflow's defaults": _nothing(DEFAULTS),
        "a sequential script": _script("sequential"),
        "a script of five threads": _script("threads"),
    }
    for against, other in others.items():
        yield compared(
            "dates_per_minute",
            ours.dates_per_minute,
            "dates/min",
            against,
            other.dates_per_minute,
        )
    for against, other in others.items():
        yield compared("cpu_per_date", ours.cpu_per_date, "CPU-s", against, other.cpu_per_date)


def _product() -> Backfill:
    """The season of Ball Don't Lie, one request a date, since the schedule is there."""
    with installed() as system:
        system.lift_limits("balldontlie", "nba_stats")
        system.set_pool("balldontlie", 128)
        system.backfill("nbacom_schedule", *SEASON)
        before = len(system.requests())
        found = system.backfill(DAG, *SEASON)
        if len(system.requests()) - before != found.dates + 1:
            raise RuntimeError("it was to be one request a date, and the preflight's")
        return found


def _nothing(variables: Mapping[str, str | None]) -> Backfill:
    """One task a date that does nothing, in a bare Airflow: no plugin, no other DAG."""
    with tempfile.TemporaryDirectory() as empty:
        bare = {
            "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "devstack" / "bench" / "dags"),
            "AIRFLOW__CORE__PLUGINS_FOLDER": empty,
        }
        first, last = SHORT if variables else SEASON
        options = "" if variables else "--max-active-runs 32"
        with installed({**bare, **variables}) as system:
            return system.bare_backfill("nothing", first, last, options)


def _script(way: str) -> Backfill:
    """The same work without Airflow."""
    first, last = SEASON
    dates = (last - first).days + 1
    with (
        tempfile.TemporaryDirectory() as folder,
        running(Path(folder), limits={"balldontlie": []}) as sandbox,
    ):
        command = [sys.executable, "-m", "devstack.bench.guide", way]
        command += [sandbox.base("balldontlie"), folder, str(first), str(last)]
        before, began = children_cpu(), time.monotonic()
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        seconds, cpu = time.monotonic() - began, children_cpu() - before
    if done.stdout.strip() != str(dates):
        raise RuntimeError(f"{done.stdout.strip()} of {dates} dates were right")
    return Backfill(dates=dates, seconds=seconds, cpu=cpu)
