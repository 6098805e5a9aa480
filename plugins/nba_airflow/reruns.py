"""Failed dates that run again, each in its own run: which they are, what they take, and starting
them. For the page; `airflow dags backfill --rerun-failed-tasks` does the same with a window."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from include.errors import Refused
from include.guards.plan_words import refuse
from include.ops.judgment import judge
from include.ops.stages import Stage
from include.partition import DateRange
from nba_airflow.fingerprints import read_fingerprint
from nba_airflow.metadata import runs
from nba_airflow.metadata.unfinished import read_unfinished
from nba_airflow.orders import Order, start
from nba_airflow.planning import read_plan
from nba_airflow.specs import endpoint_names

if TYPE_CHECKING:
    import psycopg

    from include.guards.plan import Plan

MAX_AT_ONCE = 16


@dataclass(frozen=True, kw_only=True)
class Rerun:
    """The dates of a DAG that would run again, their runs, what they take (None: no upstream is
    asked), why they are not started as they are (empty: they can be), and the backfills under way
    that are ``paused``, which their runs wait for."""

    dag_id: str
    days: Sequence[date]
    run_ids: Sequence[str]
    plan: Plan | None
    refusal: str
    paused: Collection[int]

    @property
    def mark(self) -> str:
        """The same for the same dates: what was asked is what is done."""
        return sha256(" ".join(map(str, self.days)).encode()).hexdigest()[:16]


def plan_rerun(ledger: psycopg.Connection[Any], dag_id: str, days: Collection[date]) -> Rerun:
    """Those of the dates that have ended and are not done. Raises Refused where there is none,
    and where the DAG starts no run."""
    from airflow.utils.session import create_session

    if not days:
        raise Refused(f"no date of {dag_id} was named")
    window = DateRange(min(days), max(days))
    with create_session() as session:
        runs.check_dag(dag_id, window, session, unpause=False)
        found = runs.read_runs(dag_id, window, session)
        paused = {b for b, each in read_unfinished(session).items() if each.is_paused}
    ended = {day: run for day, run in found.items() if day in days and run.finished}
    judged = judge(ledger, dag_id, list(ended.values()), endpoint_names(dag_id))
    bad = sorted({each.day for each in judged.results if not each.outcome.done})
    if not bad:
        raise Refused(f"no date of {dag_id} has ended by now that is not done")
    plan = read_plan(dag_id, bad, now=datetime.now(UTC), reruns=True)
    return Rerun(
        dag_id=dag_id,
        days=bad,
        run_ids=[ended[day].run_id for day in bad],
        plan=plan,
        refusal=refuse(plan, spread=False) if plan else "",
        paused=paused & {ended[day].backfill_id or 0 for day in bad},
    )


def start_rerun(rerun: Rerun, who: str) -> None:
    """Clears the failed tasks of their runs. Raises Refused, and Away."""
    if rerun.refusal:
        raise Refused(rerun.refusal)
    options = {"max_active_runs": MAX_AT_ONCE, "run_backwards": False, "refetch": False}
    order = Order(
        dag_id=rerun.dag_id,
        started_by=who,
        reason="unfinished dates again",
        options={**options, "reset_dagruns": False, "rerun_failed_tasks": True, "conf": None},
        plan=rerun.plan.facts() if rerun.plan else None,
        fingerprint=read_fingerprint(rerun.dag_id),
    )
    start(order, [Stage(stage="whole", days=[], cleared=rerun.run_ids)])
