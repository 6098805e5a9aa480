"""The operator of a date: it wires a try of the date to Airflow, and does nothing of it itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NoReturn

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowFailException, AirflowTaskTimeout

from include.errors import ErrorClass, Problem
from include.outcome import Later
from include.partition import BadDay, Partition, parse_day
from include.storage.refetch import refetch_moment
from nba_airflow import connections

if TYPE_CHECKING:
    from airflow.sdk import Context

    from include.ops.session import Session
    from include.sources.spec import Endpoint, Source
    from include.steps.entry import Entry
    from include.steps.job import Job

SOONEST = timedelta(seconds=5)


class ScrapeOperator(BaseOperator):
    """Makes one endpoint's date complete: fetches what raw lacks, loads the rows, audits the count.

    The date is the run's partition key, never a clock's. A Problem fails the task for good (the
    HTTP client has retried what is worth it), and so does a bug; Airflow's own retries are for
    workers and databases that were lost. While the date has to wait it is deferred: it holds
    neither a worker nor a pool slot.
    """

    template_fields: Sequence[str] = ()
    ui_color = "#dbeafe"

    def __init__(self, *, source: Source, endpoint: Endpoint, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.source = source
        self.endpoint = endpoint

    def execute(
        self,
        context: Context,
        event: Any = None,
        deferrals: int = 0,
        spent: Sequence[int] = (),
        began: str | None = None,
        queued_since: str | None = None,
        seconds: Mapping[str, float] = MappingProxyType({}),
    ) -> None:
        """One try of the date under its lease, its outcome in the ledger.

        ``deferrals``: how often the upstream has put it off; ``spent``: what this try had taken
        until it waited, ``seconds`` those at work; ``began``: when it began; ``queued_since``:
        from when on it waits for another run's lease.
        """
        from include.ops.leases import lease
        from include.ops.session import Session
        from include.steps.attempt import attempt

        partition = read_partition(context, self.source.dag_id, self.endpoint.name)
        since = datetime.fromisoformat(queued_since) if queued_since else None
        with Session(connections.ops_url()) as session:
            entry = make_entry(context, partition, session, deferrals, spent, began, seconds)
            try:
                with entry.recorded(), in_time():
                    self._check_open(context, session)
                    with lease(session, partition, queued_since=since):
                        attempt(self._job(context, partition, session, since), entry)
            except Later as later:
                defer_task(self, later, entry)
            except Problem as problem:
                if problem.passing or not entry.written:
                    raise  # the operations database is, or was, away: left to Airflow's retries
                raise AirflowFailException(str(problem)) from problem.__cause__

    def _check_open(self, context: Context, session: Session) -> None:
        """Raises Later in quiet hours, which are for backfills alone."""
        from nba_airflow.guards import check_open

        run = context["dag_run"]
        if run.run_type == "backfill":
            check_open(session, self.source.dag_id, run.conf or {}, session.now())

    def _job(
        self,
        context: Context,
        partition: Partition,
        session: Session,
        queued_since: datetime | None,
    ) -> Job:
        from include.steps.job import Job
        from nba_airflow.schedule_first import ask_schedule
        from nba_airflow.wire import reach

        run_type = context["dag_run"].run_type
        source = connections.chosen(self.source)
        endpoint = source.endpoint(self.endpoint.name)
        stores = connections.stores()
        # The schedule's own try is noted as one of this run's.
        return Job(
            source=source,
            endpoint=endpoint,
            partition=partition,
            stores=stores,
            # Compared, not printed: the enum of the task SDK prints as DagRunType.BACKFILL (3.3.2).
            reach=lambda: reach(
                session,
                source,
                endpoint,
                partition,
                backfill=run_type == "backfill",
                queued_since=queued_since,
            ),
            refetch=_ordered_at(context),
            ask_schedule=lambda: ask_schedule(
                *(session, stores, partition.day),
                run_id=context["dag_run"].run_id,
                attempt=context["ti"].try_number,
                backfill=run_type == "backfill",
            ),
        )


def read_partition(context: Context, dag_id: str, endpoint: str) -> Partition:
    """The run's partition. Raises AirflowFailException for a run without one (a plain manual
    trigger)."""
    key = context["dag_run"].partition_key
    if not key:
        raise AirflowFailException(
            "this run has no partition key, so no game date: use `airflow dags backfill"
            f" {dag_id} -s DATE -e DATE`, or give a partition key when triggering"
        )
    try:
        return Partition(dag_id=dag_id, endpoint=endpoint, day=parse_day(key))
    except BadDay as error:
        raise AirflowFailException(f"this run's partition key: {error}") from None


def make_entry(
    context: Context,
    partition: Partition,
    session: Session,
    deferrals: int = 0,
    spent: Sequence[int] = (),
    began: str | None = None,
    seconds: Mapping[str, float] = MappingProxyType({}),
) -> Entry:
    """The ledger's entry of this try of a task."""
    from include.ops.outcomes import record
    from include.steps.entry import Entry

    return Entry(
        partition,
        lambda row: record(session, row),
        run_id=context["dag_run"].run_id,
        attempt=context["ti"].try_number,
        log_url=context["ti"].log_url or "",
        spent=spent,
        seconds=seconds,
        deferrals=deferrals,
        began=datetime.fromisoformat(began) if began else None,
        now=session.now,
    )


def defer_task(task: BaseOperator, later: Later, entry: Entry) -> NoReturn:
    """Defers in any case: a moment that has just passed must not look like a date that has ended
    well."""
    from airflow.providers.standard.triggers.temporal import DateTimeTrigger

    from include.ops.leases import Taken

    moment = max(later.until, datetime.now(UTC) + SOONEST)
    kwargs: dict[str, Any] = {
        "deferrals": entry.deferrals,
        "spent": list(entry.spent),
        "seconds": entry.seconds,
        "began": entry.began.isoformat(),
    }
    if isinstance(later, Taken):
        kwargs["queued_since"] = later.since.isoformat()
    task.log.info("waiting until %s: %s", moment.isoformat(timespec="seconds"), later)
    task.defer(trigger=DateTimeTrigger(moment=moment), method_name="execute", kwargs=kwargs)


@contextmanager
def in_time() -> Iterator[None]:
    """Airflow's time-out, which is not an error that can be handled normally (3.3.2), as a Problem:
    what hung for so long once would hang three times."""
    try:
        yield
    except AirflowTaskTimeout:
        raise Problem(
            error_class=ErrorClass.HANG,
            message="the task did not end within its execution_timeout: see its log",
        ) from None


def _ordered_at(context: Context) -> datetime | None:
    """The moment before which bodies do not count, if the run's conf orders fresh ones."""
    order = (context["dag_run"].conf or {}).get("refetch")
    try:
        return refetch_moment(order, run_began=context["dag_run"].start_date)
    except ValueError as error:
        raise Problem(error_class=ErrorClass.INTERNAL, message=f"the run's conf: {error}") from None
