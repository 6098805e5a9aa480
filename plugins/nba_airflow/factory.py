"""Builds a source's DAG from its spec: one run per US/Eastern game date, one task per endpoint.

Dates that wait keep no others from starting. A date that waits is deferred: it has no worker and no
slot, but its run stays `running`, and Airflow 3.3.2 counts it in three places.

* A DAG's next live run is made while fewer than its `max_active_runs` are queued or running, and
  started while fewer are running; a backfill's runs are counted apart. Dates wait for days only
  where they wait for credits, at the longest for the next month's; such a DAG may have more active
  runs than a season has dates, so that the live date starts beside any number of late ones.
* Of all running runs the scheduler looks at `max_dagruns_per_loop_to_schedule` a turn, at those of
  backfills last. That setting is larger than what all DAGs together may have active, and whoever
  starts a scheduler without it is told.
* Each run that waits is looked at in every turn, which takes 4 ms: 170 of them 0.7 s.

Others were weighed. To end a run that waits and to start it again at its moment would make its date
red meanwhile, or green, and its batch close. To make late dates in another order than the
schedule's leaves holes where the scheduler is killed. To move the `run_after` of a run that waits
hides it from the scheduler, and from people who look for it at its date.
"""

from __future__ import annotations

import os
from datetime import date, datetime, time, timedelta

from airflow.sdk import DAG

from include.partition import EASTERN
from include.settings import MAX_ACTIVE_RUNS, MAX_WAITING_RUNS
from include.sources.spec import Source
from nba_airflow.dag_page import list_connections, shown
from nba_airflow.lineage import make_asset
from nba_airflow.operators import ScrapeOperator
from nba_airflow.priority import LIVE_FIRST
from nba_airflow.timetable import GameDateTimetable

# Retries are for lost workers (killed, out of memory): a Problem fails at once, see ScrapeOperator.
# Each try of our database lasts 15 s, so that four outlive a minute without it (with three tries,
# three of a season's dates did not).
LOST_WORKER = {"retries": 3, "retry_delay": timedelta(seconds=10)}

# The last net, for what no deadline of ours ends. The longest that a task may take: 15 games and
# their lists at the slowest (17 exchanges of 45 s, each after a minute's wait for admission: 30
# min), the last of which is tried to the end (12 min), after two waits for a lease (20 s). Waits
# of a deferred task do not count: each time that it goes on the clock begins anew (3.3.2). Where
# more is asked of each game (markets), so slow a date is ended, and a rerun goes on with what it
# has.
MAX_TASK = timedelta(hours=1)


DEFAULT_ARGS = {
    "do_xcom_push": False,
    "weight_rule": LIVE_FIRST,
    "execution_timeout": MAX_TASK,
    **LOST_WORKER,
}
"""Of the task of every date."""


def live_since(source: Source) -> datetime:
    """The moment of the first scheduled run; ``NBA_LIVE_SINCE`` (a game date) overrides the spec's
    date."""
    first = date.fromisoformat(os.environ.get("NBA_LIVE_SINCE") or str(source.live_since))
    return datetime.combine(first + timedelta(days=1), time(), tzinfo=EASTERN)


def max_active_runs(source: Source) -> int:
    """How many of its runs may be under way beside backfills: see above."""
    paid = any(host.credits for host in source.hosts)
    return MAX_WAITING_RUNS if paid else MAX_ACTIVE_RUNS


def daily_dag(source: Source, doc: str | None) -> DAG:
    """The DAG of a source; ``doc`` is the spec file's docstring and becomes its page in the UI."""
    with DAG(
        dag_id=source.dag_id,
        schedule=GameDateTimetable(),
        start_date=live_since(source),
        catchup=True,
        max_active_runs=max_active_runs(source),
        **shown(source.dag_id, doc, list_connections(source)),
        tags=list(source.tags),
        default_args={"owner": source.owner, **DEFAULT_ARGS},
    ) as dag:
        for endpoint in source.endpoints:
            ScrapeOperator(
                task_id=endpoint.name,
                source=source,
                endpoint=endpoint,
                pool=endpoint.request.connection or source.connection,
                outlets=[make_asset(endpoint.table)],
            )
    return dag
