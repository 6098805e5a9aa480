"""Which task gets a free worker first: the mail's, then live dates, then backfills."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.task.priority_strategy import PriorityWeightStrategy

if TYPE_CHECKING:
    from airflow.models.taskinstance import TaskInstance

MAIL = 1000
"""The weight of the mail's task, which has no other rule."""
LIVE = 100
BACKFILL = 1

_LAST = {"backfill", "inputs"}
"""What the ids begin with of runs that nobody waits for: a backfill's, also Airflow's type of them,
and those that follow from changed inputs (metadata/derived.py)."""


class LiveFirst(PriorityWeightStrategy):
    """The tasks of backfills, and of what is made of other tables, go after all others.

    Partitioned runs have no logical date, by which Airflow orders tasks of one weight: ties go by
    DAG id, so that a DAG early in the alphabet takes every worker (3.3.2).
    """

    def get_weight(self, ti: TaskInstance) -> int:
        """The weight of a task; 3.3.2 asks for it when the task is made, which knows only the id
        of its run then, and when it is cleared."""
        run = getattr(ti, "dag_run", None)
        kinds = {ti.run_id.partition("__")[0], str(run.run_type) if run else ""}
        return BACKFILL if kinds & _LAST else LIVE


LIVE_FIRST = f"{LiveFirst.__module__}.{LiveFirst.__qualname__}"
"""By its name: Airflow writes an instance among a DAG's default arguments with its address, and
would make a new version of the DAG at each parse (3.3.2)."""
