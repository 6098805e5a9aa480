"""The newcomer's story as a process of its own: `make demo` on recorded input, then `make down`
after a crash."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import psutil
import pytest

from devstack import control, postgres
from devstack.environment import ROOT, Home
from devstack.processes import leftovers
from devstack.supervisor import supervisor_pid
from include.warehouse.local import LocalWarehouse

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def home() -> Iterator[Home]:
    home = Home(root=Path(tempfile.mkdtemp(prefix="nba-demo-")))
    yield home
    control.down(home)
    shutil.rmtree(home.root)


def local(home: Home, *words: str) -> subprocess.CompletedProcess[str]:
    """What a target of the Makefile runs."""
    ours = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("NBA_", "AIRFLOW"))
    }
    command = [sys.executable, "-m", "devstack", *words]
    return subprocess.run(
        command,
        cwd=ROOT,
        env={**ours, "NBA_ROOT": str(home.root)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_demo_on_recorded_input_ends_well_and_again(home: Home, recorded: Path):
    for _ in range(2):  # the second finds the first one's runs, files and mails
        done = local(home, "demo", "--recorded", str(recorded))
        assert done.returncode == 0, done.stdout + done.stderr

        with LocalWarehouse(home.data / "warehouse").connect() as connection:
            counted = connection.execute(
                "SELECT game_date, count(*), count(*) FILTER (did_not_play), count(DISTINCT"
                " home_tricode) FROM raw.bdl_box_scores GROUP BY 1 ORDER BY 1"
            ).fetchall()
        assert counted == [(date(2024, 1, 15), 384, 155, 11), (date(2026, 1, 9), 347, 139, 10)]
        objects = (
            home.data / "raw" / "bdl_box_scores" / "2026" / "01" / "2026-01-09" / "box_scores"
        ).glob("all-*.gz")
        # The answer that lacked a game, and the whole one; asking again has stored neither twice.
        assert len(list(objects)) == 2


def test_down_leaves_no_process_even_after_the_supervisor_was_killed(home: Home):
    assert local(home, "up").returncode == 0
    pid = supervisor_pid(home)
    assert pid is not None
    started = psutil.Process(pid).children(recursive=True)
    os.kill(pid, signal.SIGKILL)
    assert leftovers(str(home.airflow))

    done = local(home, "down")

    assert done.returncode == 0
    # Not by the mark that `down` itself looks for.
    assert [
        process
        for process in started
        if process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    ] == []
    assert leftovers(str(home.airflow)) == []
    assert not postgres.running(home.postgres)
    assert supervisor_pid(home) is None
