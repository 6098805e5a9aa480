"""Starting, waiting for and stopping the supervisor from a terminal."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from typing import Any

import psutil

from devstack import postgres
from devstack.environment import ROOT, Home, ui_password
from devstack.processes import leftovers, stop
from devstack.supervisor import state_path, supervisor_pid

PATIENCE = 240  # seconds; the first start of Airflow under load was seen to take 90
FIRST_WORD = 20  # seconds after which a supervisor that holds no lock has not come up at all


def state(at: Home) -> dict[str, Any]:
    """What the supervisor last said; an empty dict before its first word."""
    path = state_path(at)
    return dict(json.loads(path.read_text())) if path.is_file() else {}


def up(at: Home, sandbox_options: list[str]) -> dict[str, Any]:
    """Starts the supervisor unless it runs, and waits until everything is healthy. Returns its
    ports and pids.

    Raises SystemExit with the log to look at when it does not get there.
    """
    if supervisor_pid(at) is None:
        state_path(at).unlink(missing_ok=True)
        _start_supervisor(at, sandbox_options)
    said = ""
    began = time.monotonic()
    while (elapsed := time.monotonic() - began) < PATIENCE:
        now = state(at)
        phase = str(now.get("phase", ""))
        if phase != said and phase:
            print(f"  {elapsed:4.0f} s  {phase}", flush=True)
            said = phase
        if phase == "ready":
            return now
        if phase in ("failed", "stopped") or (elapsed > FIRST_WORD and supervisor_pid(at) is None):
            raise SystemExit(
                f"starting failed: {now.get('error', 'the supervisor ended')}; logs are in"
                f" {at.logs}"
            )
        time.sleep(0.2)
    raise SystemExit(f"not ready after {PATIENCE} s (last: {said}); logs are in {at.logs}")


def _start_supervisor(at: Home, sandbox_options: list[str]) -> None:
    """Starts it as a child of nobody, without our mark: it looks for marked processes to stop."""
    at.logs.mkdir(parents=True, exist_ok=True)
    command = ["setsid", "--fork", sys.executable, "-m", "devstack", "supervise", *sandbox_options]
    with (at.logs / "supervisor.log").open("ab") as log:
        subprocess.run(
            command,
            env={**os.environ, "PYTHONPATH": str(ROOT), "NBA_ROOT": str(at.root)},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=ROOT,
            check=True,
        )


def down(at: Home) -> int:
    """Stops the supervisor, then whatever of its children a crash has left. Returns how many
    processes that were."""
    count = 0
    if pid := supervisor_pid(at):
        count = 1 + len(psutil.Process(pid).children(recursive=True))
        stop([psutil.Process(pid)], patience=60)
    left = leftovers(str(at.airflow))
    stop(left, patience=10)
    if postgres.running(at.postgres):
        postgres.stop(at.postgres)
        count += 1
    return count + len(left)


def word_state(at: Home) -> str:
    """What runs, for a person."""
    if supervisor_pid(at) is None:
        return "nothing runs; make up starts it"
    now = state(at)
    running = [f"{name} {pid}" for name, pid in sorted(now.get("pids", {}).items())]
    lines = [f"{now['phase']}; process ids: {', '.join(running) or 'none yet'}"]
    return "\n".join([*lines, where(at, now["ports"])] if now["phase"] == "ready" else lines)


def where(at: Home, ports: dict[str, int]) -> str:
    """How to reach the UI and the command line."""
    ui = f"http://127.0.0.1:{ports['api']}"
    return (
        f"Airflow's UI: {ui} (user admin, password {ui_password(at)})\n"
        f"How every date stands: {ui}/plugin/nba-game-dates\n"
        f"Its commands in this shell: . {os.path.relpath(at.env_file)}\n"
        "Stop everything: make down"
    )
