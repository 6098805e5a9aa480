"""What Celery costs the scheduler at each of its turns, ten a second, and need not."""

from __future__ import annotations

import gc
from importlib import import_module
from typing import Any


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


def leave_out_of_collections() -> None:
    """What is imported by now stays to the end, and each full collection went through all of it:
    11 % of the scheduler's time. LocalExecutor's has more to go through, and does so less often."""
    gc.freeze()
