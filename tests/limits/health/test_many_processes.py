"""Processes that look after one address at once, and those that die meanwhile."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections import deque
from pathlib import Path

import pytest

from include.ops.db import connect
from tests.limits.health.address import NAME, Db, Make, age, claims, cool_down, known

ROOT = Path(__file__).resolve().parents[3]


def locked_out(db: Db) -> int:
    """How many sessions wait for a lock on what is known."""
    rows = db.execute(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND"
        " wait_event_type = 'Lock' AND query LIKE '%address_health%'"
    ).fetchall()
    return rows[0][0]


@pytest.mark.parametrize(("meanwhile", "granted"), [("", 1), ("DELETE FROM ops.address_health", 8)])
def test_of_eight_that_find_the_cooldown_over_at_once_one_probes_unless_it_is_well_by_then(
    ops_db: str, make: Make, db: Db, meanwhile: str, granted: int
) -> None:
    cool_down(make())
    age(db)
    processes, found = [make() for _ in range(8)], deque[bool]()
    threads = [
        threading.Thread(target=lambda each=each: found.append(each.claim(NAME)))
        for each in processes
    ]
    with connect(ops_db) as holder:
        holder.execute("SELECT FROM ops.address_health FOR UPDATE")
        for thread in threads:
            thread.start()
        while locked_out(db) < 8:
            assert all(thread.is_alive() for thread in threads)
        if meanwhile:
            holder.execute(meanwhile)
    for thread in threads:
        thread.join()
    assert sorted(found) == [False] * (8 - granted) + [True] * granted


WORKER = """
import sys
from include.limits.health import SharedHealth
from include.ops.session import Session
health = SharedHealth(Session(sys.argv[1]))
print(*(getattr(health, step)(sys.argv[2]) for step in sys.argv[3:]), flush=True)
sys.stdin.read()
"""


def start(ops_db: str, *steps: str) -> subprocess.Popen[str]:
    """A process that takes the steps, says what each returned, and stays until its standard input
    is closed."""
    return subprocess.Popen(
        [sys.executable, "-c", WORKER, ops_db, NAME, *steps],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_what_a_process_knew_is_known_when_it_is_gone(ops_db: str, make: Make, db: Db) -> None:
    said, _ = (
        process := start(ops_db, "claim", "failed", "failed", "failed", "claim")
    ).communicate(timeout=60)
    assert (said, process.returncode) == ("True None None None False\n", 0)
    assert claims(make()) == [False]


def test_eight_processes_get_one_probe_and_when_it_is_killed_one_more_after_the_cooldown(
    ops_db: str, make: Make, db: Db
) -> None:
    cool_down(make())
    age(db)
    processes = [start(ops_db, "claim") for _ in range(8)]
    try:
        said = [process.stdout.readline() for process in processes if process.stdout]
        assert sorted(said) == ["False\n"] * 7 + ["True\n"]
        prober = processes[said.index("True\n")]
        prober.kill()
        assert prober.wait() == -signal.SIGKILL
        one, two = make(), make()
        assert claims(one, two) == [False, False]
        age(db)
        assert claims(one, two) == [True, False]
    finally:
        for process in processes:
            process.kill()
            process.communicate()


def test_a_forked_process_uses_a_connection_of_its_own(make: Make, db: Db) -> None:
    health = make()
    health.failed(NAME)
    child = os.fork()
    if child == 0:
        try:
            health.failed(NAME)
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    health.failed(NAME)
    assert known(db) == [(NAME, 3, True)]
