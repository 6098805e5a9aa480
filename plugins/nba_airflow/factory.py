"""Builds a source's DAG from its spec: one run per US/Eastern game date, one task per endpoint."""

from __future__ import annotations

import os
from datetime import date, datetime, time, timedelta

from airflow.sdk import DAG

from include.partition import EASTERN
from include.sources.spec import Source
from nba_airflow.operators import ScrapeOperator
from nba_airflow.priority import LIVE_FIRST
from nba_airflow.timetable import GameDateTimetable

# Retries are for lost workers (killed, out of memory): a Problem fails at once, see ScrapeOperator.
LOST_WORKER = {"retries": 2, "retry_delay": timedelta(seconds=10)}

# The last net, for what no deadline of ours ends. The longest that a task may take: 15 games and
# their lists at the slowest (17 exchanges of 45 s, each after a minute's wait for admission: 30
# min), the last of which is tried to the end (12 min), after two waits for a lease (20 s). Waits
# of a deferred task do not count: each time that it goes on the clock begins anew (3.3.2).
MAX_TASK = timedelta(hours=1)


def live_since(source: Source) -> datetime:
    """The moment of the first scheduled run; ``NBA_LIVE_SINCE`` (a game date) overrides the spec's
    date."""
    first = date.fromisoformat(os.environ.get("NBA_LIVE_SINCE") or str(source.live_since))
    return datetime.combine(first + timedelta(days=1), time(), tzinfo=EASTERN)


def daily_dag(source: Source, doc: str | None) -> DAG:
    """The DAG of a source; ``doc`` is the spec file's docstring and becomes its page in the UI."""
    with DAG(
        dag_id=source.dag_id,
        schedule=GameDateTimetable(),
        start_date=live_since(source),
        catchup=True,
        max_active_runs=16,
        doc_md=doc,
        tags=list(source.tags),
        default_args={
            "owner": source.owner,
            "do_xcom_push": False,
            "weight_rule": LIVE_FIRST,
            "execution_timeout": MAX_TASK,
            **LOST_WORKER,
        },
    ) as dag:
        for endpoint in source.endpoints:
            ScrapeOperator(
                task_id=endpoint.name,
                source=source,
                endpoint=endpoint,
                pool=endpoint.request.connection or source.connection,
            )
    return dag
