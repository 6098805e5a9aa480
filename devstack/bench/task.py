"""``task``: what a task's process costs with and without what the scheduler imports before it
forks."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from devstack import postgres
from devstack.bench.lines import Line, compared
from devstack.bench.task_process import Order, Seen, run
from devstack.environment import Home
from devstack.sandbox.server import running
from include.ops.migrate import migrate

DAG = "bdl_box_scores"
DAYS = tuple(f"2025-01-{day}" for day in range(15, 20))


def bench() -> Iterator[Line]:
    """CPU seconds of a task, its imports, and the longest of those; the medians of some dates."""
    with tempfile.TemporaryDirectory(prefix="nba-bench-") as folder:
        after = _tasks(Path(folder) / "after", preloaded=True)
        before = _tasks(Path(folder) / "before", preloaded=False)
    against = "without preloading"
    cpu = [median(seen.cpu for seen in each) for each in (after, before)]
    importing = [median(seen.importing for seen in each) for each in (after, before)]
    longest = [max(_longest(seen) for seen in each) for each in (after, before)]
    yield compared("task_cpu", cpu[0], "CPU-s", against, cpu[1])
    yield compared("task_imports", 1000 * importing[0], "ms", against, 1000 * importing[1])
    yield compared("task_longest_import", 1000 * longest[0], "ms", against, 1000 * longest[1])


def _longest(seen: Seen) -> float:
    return max((each.seconds for each in seen.imports), default=0.0)


def _tasks(folder: Path, *, preloaded: bool) -> list[Seen]:
    folder.mkdir()
    data, limits = folder / "postgres", {"balldontlie": []}
    try:
        postgres.start(data)
        ops = postgres.ensure_database(data, "ops")
        migrate(ops)
        with running(folder, now="2026-03-01T20:00:00Z", limits=limits) as sandbox:
            home = Home(root=folder)
            order = Order(days=DAYS, out=str(folder / "out"), dags=[DAG], preloaded=preloaded)
            return run(home, sandbox.url, ops, order)
    finally:
        postgres.stop(data)
