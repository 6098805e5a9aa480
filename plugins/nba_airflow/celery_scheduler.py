"""What Celery costs the scheduler at each of its turns, ten a second, and need not."""

from __future__ import annotations

import gc
import time
from importlib import import_module
from typing import Any

TURN = 1.0
"""Seconds between two turns of the scheduler at least while every slot is taken."""


def keep_connection() -> None:
    """The scheduler asks at each turn how the tasks under way are. Celery (5.6.3) keeps a
    connection to its results only in processes that were forked, since one from before a fork
    would be several processes': the scheduler with CeleryExecutor forks none, and connected anew
    each time, 7 ms with Postgres' part. A connection that broke is made anew by Celery's retry.
    """
    manager = import_module("celery.backends.database.session").SessionManager
    make = manager.__init__

    def make_keeping(self: Any) -> None:
        make(self)
        self.forked = True

    manager.__init__ = make_keeping


def pace_turns() -> None:
    """Each turn looks at all runs under way, 5 ms each, and after one that has queued something the
    next begins at once: half of a core went into looks, ten at each run, while every slot was taken
    and nothing could be queued. What ends within a second makes room together. LocalExecutor's
    scheduler, which has less of the machine beside its own tasks, looks three times."""
    executor = import_module("airflow.providers.celery.executors.celery_executor").CeleryExecutor
    sync, began = executor.sync, float("-inf")

    def sync_in_time(self: Any) -> None:
        nonlocal began
        if len(self.workloads) >= self.parallelism:
            time.sleep(max(0.0, began + TURN - time.monotonic()))
        began = time.monotonic()
        sync(self)

    executor.sync = sync_in_time


def leave_out_of_collections() -> None:
    """What is imported by now stays to the end, and each full collection went through all of it:
    11 % of the scheduler's time. LocalExecutor's has more to go through, and does so less often."""
    gc.freeze()
