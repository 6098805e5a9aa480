"""Child processes of one installation: each in a group of its own, stopped for certain, found again
after a crash."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil

MARK = (  # in the environment of every process that the supervisor starts, and of no shell
    "NBA_SUPERVISED"
)


def spawn(
    command: Sequence[str], *, env: Mapping[str, str], mark: str, log: Path, cwd: Path
) -> subprocess.Popen[bytes]:
    """Starts ``command`` in a process group of its own, its output appended to ``log``."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        return subprocess.Popen(
            command,
            # Airflow names its processes, which overwrites their environment and the mark with it
            # (setproctitle 1.3), unless it is told to spare that.
            env={**env, MARK: mark, "SPT_NOENV": "1"},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=cwd,
            start_new_session=True,
        )


def leftovers(mark: str) -> list[psutil.Process]:
    """The live processes that carry this installation's mark, whoever their parent is by now."""
    found = []
    for process in psutil.process_iter():
        if process.pid == os.getpid():
            continue
        try:
            if process.status() != psutil.STATUS_ZOMBIE and process.environ().get(MARK) == mark:
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue  # gone in the meantime, or another user's: not ours
    return found


def session_of(pid: int) -> list[psutil.Process]:
    """The live processes of the session that a spawned process led, whether it still lives or
    not."""
    found = []
    for process in psutil.process_iter():
        try:
            if os.getsid(process.pid) == pid and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (ProcessLookupError, psutil.NoSuchProcess):
            continue  # gone in the meantime
    return found


def stop(processes: Sequence[psutil.Process], *, patience: float) -> None:
    """TERM, then KILL for those that are still there after ``patience`` seconds.

    Measured on Airflow 3.3.2: the idle workers that a killed scheduler leaves behind ignore TERM.
    """
    for process in processes:
        _signal(process, signal.SIGTERM)
    _, alive = psutil.wait_procs(processes, timeout=patience)
    for process in alive:
        _signal(process, signal.SIGKILL)
    _, alive = psutil.wait_procs(alive, timeout=10)
    for process in alive:
        print(
            f"process {process.pid} ({process.name()}) does not end: look at it by hand",
            file=sys.stderr,
        )


def _signal(process: psutil.Process, number: signal.Signals) -> None:
    try:
        process.send_signal(number)
    except psutil.NoSuchProcess:
        return
