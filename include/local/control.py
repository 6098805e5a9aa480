"""Starting, waiting for and stopping the supervisor from a terminal."""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any

import psutil

from include.local import postgres
from include.local.environment import ROOT, Home, ui_password
from include.local.processes import leftovers, spawn, stop
from include.local.supervisor import state_path, supervisor_pid

PATIENCE = 240  # seconds; the first start of Airflow under load was seen to take 90


def state(at: Home) -> dict[str, Any]:
    """What the supervisor last said; an empty dict before its first word."""
    path = state_path(at)
    return dict(json.loads(path.read_text())) if path.is_file() else {}


def up(at: Home, sandbox_options: list[str]) -> dict[str, Any]:
    """Starts the supervisor unless it runs, and waits until everything is healthy. Returns its ports and pids.

    Raises SystemExit with the log to look at when it does not get there.
    """
    if supervisor_pid(at) is None:
        state_path(at).unlink(missing_ok=True)
        log = at.logs / "supervisor.log"
        command = [sys.executable, "-m", "include.local", "supervise", *sandbox_options]
        # No mark: the supervisor looks for marked processes to stop, and must not find itself.
        process = spawn(command, env={**os.environ, "PYTHONPATH": str(ROOT)}, mark="", log=log, cwd=ROOT)
        alive = lambda: process.poll() is None  # noqa: E731
    else:
        alive = lambda: supervisor_pid(at) is not None  # noqa: E731
    said = ""
    began = time.monotonic()
    while time.monotonic() - began < PATIENCE:
        now = state(at)
        phase = str(now.get("phase", ""))
        if phase != said and phase:
            print(f"  {time.monotonic() - began:4.0f} s  {phase}", flush=True)
            said = phase
        if phase == "ready":
            return now
        if phase == "failed" or not alive():
            raise SystemExit(f"starting failed: {now.get('error', 'the supervisor ended')}; logs are in {at.logs}")
        time.sleep(0.2)
    raise SystemExit(f"not ready after {PATIENCE} s (last: {said}); logs are in {at.logs}")


def down(at: Home) -> int:
    """Stops the supervisor, then whatever of its children a crash has left. Returns how many processes that were."""
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


def where(at: Home, ports: dict[str, int]) -> str:
    """How to reach the UI and the command line."""
    return (
        f"Airflow's UI: http://127.0.0.1:{ports['api']} (user admin, password {ui_password(at)})\n"
        f"Its commands in this shell: . {os.path.relpath(at.env_file)}\n"
        "Stop everything: make down"
    )
