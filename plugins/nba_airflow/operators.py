"""The three operators of a date: each finds its partition, calls the pipeline and reports what came of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path
from traceback import extract_tb
from typing import TYPE_CHECKING, Any, Literal

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowFailException

from include.errors import ErrorClass, Problem
from include.partition import Partition, parse_day
from include.storage.refetch import refetch_moment
from nba_airflow import connections

if TYPE_CHECKING:
    from airflow.sdk import Context

    from include.sources.spec import Endpoint, Source
    from nba_airflow.report import Report

# How long a date that is not complete yet waits before it is asked again.
ASK_AGAIN = timedelta(minutes=30)
SOONEST = timedelta(seconds=5)
# How often a date waits for proxies that rest (five minutes each) before it fails.
MOST_RESTS = 6
# What only code that is wrong raises. Everything else (a database that is away) is worth Airflow's retries.
_BUGS = (ArithmeticError, AssertionError, AttributeError, ImportError, LookupError, NameError, TypeError, ValueError)


class Wait(Exception):
    """The step goes on at ``until``, deferred: it holds no worker and no slot meanwhile."""

    def __init__(self, until: datetime, why: str, *, rests: int = 0) -> None:
        super().__init__(why)
        self.until, self.why, self.rests = until, why, rests


class DateOperator(BaseOperator):
    """A step of one endpoint's date. The date is the run's partition key, never a clock's.

    A Problem fails the task for good (the HTTP client has retried what is worth it), and so does a bug; Airflow's own
    retries are for workers and databases that were lost.
    """

    template_fields: Sequence[str] = ()

    def __init__(self, *, source: Source, endpoint: Endpoint, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.source = source
        self.endpoint = endpoint

    def execute(self, context: Context, event: Any = None, rests: int = 0) -> None:
        """The step under the partition's lease, its outcome in the ledger.

        ``rests``: how often in a row it has waited for proxies to recover.
        """
        from include.ledger.leases import lease

        self._rests = rests
        partition = self.partition(context)
        try:
            with self.reported(context, partition) as report, lease(connections.ops_url(), partition):
                self.step(context, partition, report)
        except Wait as wait:
            self._defer(wait)

    def step(self, context: Context, partition: Partition, report: Report) -> None:
        """What the task does. Raises Problem, or Wait to be called again later."""
        raise NotImplementedError

    def partition(self, context: Context) -> Partition:
        """The run's partition. Raises AirflowFailException for a run without one (a plain manual trigger)."""
        key = context["dag_run"].partition_key
        if not key:
            raise AirflowFailException(
                f"this run has no partition key, so no game date: use `airflow dags backfill {self.source.dag_id}"
                " -s DATE -e DATE`, or give a partition key when triggering"
            )
        return Partition(dag_id=self.source.dag_id, endpoint=self.endpoint.name, day=parse_day(key))

    @contextmanager
    def reported(self, context: Context, partition: Partition) -> Iterator[Report]:
        """Writes the step's outcome to the ledger, whether it ends well, with a Problem or with a bug."""
        from nba_airflow.report import Report

        report = Report(partition, context)
        try:
            yield report
        except Problem as problem:
            report.failed(problem)
            raise AirflowFailException(str(problem)) from None
        except _BUGS as error:
            problem = _bug(error, partition)
            report.failed(problem)
            raise AirflowFailException(str(problem)) from error

    def fetch(self, context: Context, partition: Partition, report: Report) -> None:
        """Fetches what the raw layer lacks of the date. Raises Wait while it cannot be final, or cannot be paid."""
        from include.checks.completeness import Outcome
        from include.http.addresses import AllResting
        from include.ledger.leases import lease
        from include.limits.credits import QuotaWait
        from include.limits.limiter import MustWait
        from include.pipeline import available_at, incomplete, late_at, scrape
        from nba_airflow.wire import wire

        if (final := available_at(self.endpoint, partition.day)) > datetime.now(UTC):
            raise Wait(final, "its games cannot be final before then")
        refetch = self._refetch(context)
        group = self.endpoint.shared(partition.day) if self.endpoint.shared else ""
        alone = lease(connections.ops_url(), partition, group=group) if group else nullcontext()
        try:
            with alone, wire(self.source, self._purpose(context, partition)) as lines:
                scraped = scrape(self.source, self.endpoint, partition, connections.stores(), lines, refetch=refetch)
        except (MustWait, QuotaWait) as wait:
            report.waits(Outcome.QUOTA_WAIT, str(wait))
            raise Wait(wait.until, str(wait)) from None
        except AllResting as wait:
            if self._rests >= MOST_RESTS:
                message = f"{wait}, for the {MOST_RESTS + 1}th time: check the proxies in the connection's extra"
                raise Problem(error_class=ErrorClass.BLOCKED, message=message) from None
            report.waits(Outcome.QUOTA_WAIT, str(wait))
            raise Wait(wait.until, str(wait), rests=self._rests + 1) from None
        report.scraped(scraped)
        if scraped.manifest.done:
            return
        if datetime.now(UTC) >= late_at(self.endpoint, partition.day):
            raise incomplete(scraped.manifest)
        report.waits(Outcome.NOT_YET, scraped.manifest.message)
        raise Wait(datetime.now(UTC) + ASK_AGAIN, scraped.manifest.message)

    def fetch_if_needed(self, context: Context, partition: Partition, report: Report) -> bool:
        """For the steps after the scrape, whose task alone is cleared: whether the date had to be fetched first."""
        from include.pipeline import is_whole

        if is_whole(partition, connections.stores()):
            return False
        self.log.info("raw does not have the whole date (any more): fetching it first")
        self.fetch(context, partition, report)
        return True

    def _refetch(self, context: Context) -> datetime | None:
        """The moment before which bodies do not count, if the run's conf orders fresh ones."""
        order = (context["dag_run"].conf or {}).get("refetch")
        try:
            return refetch_moment(order, run_began=context["dag_run"].start_date)
        except ValueError as error:
            raise Problem(error_class=ErrorClass.INTERNAL, message=f"the run's conf: {error}") from None

    def _purpose(self, context: Context, partition: Partition) -> Literal["live", "backfill"]:
        """Which part of paid credits the run may use: a date that is over a day late is no live one, who ever asks."""
        from include.pipeline import late_at

        # Compared, not printed: the enum of the task SDK prints as DagRunType.BACKFILL (3.3.2).
        asked_for = context["dag_run"].run_type == "backfill"
        late = datetime.now(UTC) > late_at(self.endpoint, partition.day) + timedelta(days=1)
        return "backfill" if asked_for or late else "live"

    def _defer(self, wait: Wait) -> None:
        """Defers in any case: a moment that has just passed must not look like a step that has ended well."""
        from airflow.providers.standard.triggers.temporal import DateTimeTrigger

        moment = max(wait.until, datetime.now(UTC) + SOONEST)
        self.log.info("waiting until %s: %s", moment.isoformat(timespec="seconds"), wait.why)
        self.defer(trigger=DateTimeTrigger(moment=moment), method_name="execute", kwargs={"rests": wait.rests})


class ScrapeOperator(DateOperator):
    """Fetches what the raw layer lacks of the date. Waits, deferred, while the date cannot be final yet."""

    ui_color = "#dbeafe"

    def step(self, context: Context, partition: Partition, report: Report) -> None:
        self.fetch(context, partition, report)


class LoadOperator(DateOperator):
    """Replaces the date's partition in the warehouse by what raw holds."""

    ui_color = "#dcfce7"

    def step(self, context: Context, partition: Partition, report: Report) -> None:
        from include.pipeline import load

        self.fetch_if_needed(context, partition, report)
        report.loaded(load(self.endpoint, partition, connections.stores(), corrected=report.corrected))


class AuditOperator(DateOperator):
    """Counts the warehouse against raw and schedule. Only here does a date become ``complete`` or ``no_games``."""

    ui_color = "#fef9c3"

    def step(self, context: Context, partition: Partition, report: Report) -> None:
        from include.pipeline import audit, load

        if self.fetch_if_needed(context, partition, report):
            load(self.endpoint, partition, connections.stores(), corrected=report.corrected)
        audited = audit(self.endpoint, partition, connections.stores())
        report.audited(audited.manifest, audited.rows)


def _bug(error: Exception, partition: Partition) -> Problem:
    """Names the place, not the text, which may hold anything; the task's log has the traceback."""
    place = extract_tb(error.__traceback__)[-1]
    where = f"{place.name} ({Path(place.filename).name}:{place.lineno})"
    return Problem(
        error_class=ErrorClass.INTERNAL,
        message=f"{type(error).__name__} in {where}, a bug: the log has its traceback; repair it and rerun the date",
        source=partition.dag_id,
        endpoint=partition.endpoint,
        day=partition.day,
    )
