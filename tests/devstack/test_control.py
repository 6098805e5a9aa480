"""What `make status` tells a person."""

from __future__ import annotations

import fcntl
from pathlib import Path

from devstack.control import where, word_state
from devstack.environment import Home
from devstack.supervisor import lock_path, say


def test_nothing_runs(tmp_path: Path) -> None:
    assert word_state(Home(root=tmp_path)) == "nothing runs; make up starts it"


def test_processes_are_named_and_addresses_once_it_is_ready(tmp_path: Path) -> None:
    at, ports = Home(root=tmp_path), {"api": 8080}
    at.airflow.mkdir()
    with lock_path(at).open("w+") as lock:
        lock.write("1")
        lock.flush()
        fcntl.flock(lock, fcntl.LOCK_EX)
        say(at, "starting Postgres")
        assert word_state(at) == "starting Postgres; process ids: none yet"
        say(at, "ready", pids={"scheduler": 7, "api-server": 5}, ports=ports)
        lines = word_state(at).split("\n")
    assert lines[0] == "ready; process ids: api-server 5, scheduler 7"
    assert "\n".join(lines[1:]) == where(at, ports)
