"""``limiter``: what one admission costs when 1, 4 and 16 processes ask for it at once."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from devstack import postgres
from devstack.bench.lines import Line, compared
from devstack.environment import ROOT
from include.limits.limiter import Limiter
from include.ops.migrate import migrate
from include.ops.session import Session
from include.sources.spec import Window

NAME = "bench"
RULES = {NAME: (Window(limit=1_000_000, seconds=1.0),)}
TIMES = 400


def bench() -> Iterator[Line]:
    """Milliseconds from asking to admitted, and CPU milliseconds at our end, means of many."""
    with tempfile.TemporaryDirectory(prefix="nba-bench-") as folder:
        data = Path(folder) / "data"
        try:
            postgres.start(data)
            url = postgres.ensure_database(data, "bench")
            migrate(url)
            alone = _admissions(url, 1)
            for processes in (1, 4, 16):
                seconds, cpu = alone if processes == 1 else _admissions(url, processes)
                against = "1 process"
                name = f"limiter_{processes}_processes"
                yield compared(name, 1000 * seconds, "ms", against, 1000 * alone[0])
                yield compared(f"{name}_cpu", 1000 * cpu, "CPU-ms", against, 1000 * alone[1])
        finally:
            postgres.stop(data)


def _admissions(url: str, processes: int) -> tuple[float, float]:
    """Seconds and CPU seconds of one, the mean over all processes."""
    command = [sys.executable, "-m", "devstack.bench.limiter", url, str(TIMES // processes)]
    workers = [
        subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        for _ in range(processes)
    ]
    answers = [json.loads(worker.communicate()[0]) for worker in workers]
    return sum(a[0] for a in answers) / processes, sum(a[1] for a in answers) / processes


def main() -> None:
    """A process that asks so many times; prints seconds and CPU seconds an admission."""
    url, times = sys.argv[1], int(sys.argv[2])
    with Session(url) as session:
        limiter = Limiter(session, RULES)
        limiter.admit(NAME, max_wait=10.0).release()
        began, cpu = time.perf_counter(), time.process_time()
        for _ in range(times):
            limiter.admit(NAME, max_wait=10.0).release()
        each = (time.perf_counter() - began) / times, (time.process_time() - cpu) / times
    sys.stdout.write(json.dumps(each))


if __name__ == "__main__":
    main()
