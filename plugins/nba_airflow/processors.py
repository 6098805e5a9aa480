"""DAGs whose tables are made of other tables: their operator, and the DAG itself."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from airflow.sdk import DAG, BaseOperator
from airflow.sdk.exceptions import AirflowFailException

from include.analytics.spec import Processor
from include.errors import Problem
from include.outcome import Later
from nba_airflow import connections
from nba_airflow.dag_page import list_links, shown
from nba_airflow.factory import DEFAULT_ARGS
from nba_airflow.lineage import make_asset
from nba_airflow.operators import defer_task, in_time, make_entry, read_partition
from nba_airflow.timetable import ProcessedDateTimetable

if TYPE_CHECKING:
    from airflow.sdk import Context

    from include.ops.session import Session
    from include.steps.entry import Entry

MAX_ACTIVE_RUNS = 16
MAX_ACTIVE_TASKS = 8
"""Half of the workers, whatever a backfill may have under way: a season's dates can become due at
once, and live dates must find a place. BigQuery takes 16 changes of a table at a time."""


class ProcessOperator(BaseOperator):
    """Replaces a date's rows of a processor's tables by what its inputs give; asks no upstream."""

    template_fields: Sequence[str] = ()
    ui_color = "#dcfce7"

    def __init__(self, *, processor: Processor, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.processor = processor

    def execute(
        self,
        context: Context,
        event: Any = None,
        queued_since: str | None = None,
        **before: Any,
    ) -> None:
        """One try of the date under its lease, its outcome in the ledger, and what it was made of.

        ``before``: what ``defer_task`` has handed over.
        """
        from include.ops.leases import lease
        from include.ops.session import Session

        partition = read_partition(context, self.processor.dag_id, self.processor.name)
        since = datetime.fromisoformat(queued_since) if queued_since else None
        with Session(connections.ops_url()) as session:
            entry = make_entry(context, partition, session, **before)
            try:
                with entry.recorded(), in_time(), lease(session, partition, queued_since=since):
                    _process(self.processor, partition.day, session, entry)
            except Later as later:
                defer_task(self, later, entry)
            except Problem as problem:
                if problem.passing or not entry.written:
                    raise  # the operations database is, or was, away: left to Airflow's retries
                raise AirflowFailException(str(problem)) from problem.__cause__


def _process(processor: Processor, day: date, session: Session, entry: Entry) -> None:
    """The date, and the note of what it was made of: read before the rows are, so that what changes
    meanwhile makes the date stale again."""
    from include.analytics.process import process
    from include.ops import built

    ready = session.run(lambda c: built.read_ready(c, processor.inputs, [day]))
    process(processor, day, connections.warehouse(), entry)
    if made_of := ready.get(day):
        session.run(lambda c: built.note_built(c, processor.dag_id, day, made_of.content))


def processed_dag(processor: Processor, doc: str | None) -> DAG:
    """The DAG of a processor, with no live schedule: the scheduler makes its runs when their inputs
    are done (metadata/derived.py); ``doc`` becomes its page in the UI."""
    with DAG(
        dag_id=processor.dag_id,
        schedule=ProcessedDateTimetable(),
        start_date=datetime(2000, 1, 1, tzinfo=UTC),
        catchup=False,
        max_active_runs=MAX_ACTIVE_RUNS,
        max_active_tasks=MAX_ACTIVE_TASKS,
        **shown(processor.dag_id, doc, list_links(processor.dag_id)),
        tags=list(processor.tags),
        default_args={"owner": processor.owner, **DEFAULT_ARGS},
    ) as dag:
        ProcessOperator(
            task_id=processor.name,
            processor=processor,
            outlets=[make_asset(table) for table in processor.tables],
        )
    return dag
