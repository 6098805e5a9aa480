"""The three operators of a date: each finds its partition, calls the pipeline and reports what came
of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path
from traceback import extract_tb
from typing import TYPE_CHECKING, Any, Literal, NoReturn

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
# How often a date lets the upstream put it off (Retry-After, proxies that rest) before it fails.
MOST_PUT_OFF = 6
# What only code that is wrong raises. Everything else (a database that is away) is worth Airflow's
# retries.
_BUGS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    ImportError,
    LookupError,
    NameError,
    TypeError,
    ValueError,
)


class Wait(Exception):
    """The step goes on at ``until``, deferred: it holds no worker and no slot meanwhile."""

    def __init__(self, until: datetime, why: str) -> None:
        super().__init__(why)
        self.until, self.why = until, why


class DateOperator(BaseOperator):
    """A step of one endpoint's date. The date is the run's partition key, never a clock's.

    A Problem fails the task for good (the HTTP client has retried what is worth it), and so does a
    bug; Airflow's own retries are for workers and databases that were lost.
    """

    template_fields: Sequence[str] = ()

    def __init__(self, *, source: Source, endpoint: Endpoint, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.source = source
        self.endpoint = endpoint

    def execute(
        self, context: Context, event: Any = None, put_off: int = 0, spent: Sequence[int] = (0, 0)
    ) -> None:
        """The step under the partition's lease, its outcome in the ledger.

        ``put_off``: how often the upstream has put it off; ``spent``: requests and credits until it
        waited.
        """
        from include.ops.leases import lease
        from include.ops.session import Session

        self._put_off, self._spent = put_off, tuple(spent)
        partition = self.partition(context)
        try:
            with (
                self.reported(context, partition) as report,
                Session(connections.ops_url()) as self._session,
                lease(self._session, partition),
            ):
                self.step(context, partition, report)
        except Wait as wait:
            self._defer(wait)

    def step(self, context: Context, partition: Partition, report: Report) -> None:
        """What the task does. Raises Problem, or Wait to be called again later."""
        raise NotImplementedError

    def partition(self, context: Context) -> Partition:
        """The run's partition. Raises AirflowFailException for a run without one (a plain manual
        trigger)."""
        key = context["dag_run"].partition_key
        if not key:
            raise AirflowFailException(
                "this run has no partition key, so no game date: use `airflow dags backfill"
                f" {self.source.dag_id} -s DATE -e DATE`, or give a partition key when triggering"
            )
        return Partition(dag_id=self.source.dag_id, endpoint=self.endpoint.name, day=parse_day(key))

    @contextmanager
    def reported(self, context: Context, partition: Partition) -> Iterator[Report]:
        """Writes the step's outcome to the ledger, whether it ends well, with a Problem or with a
        bug."""
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
        """Fetches what the raw layer lacks of the date. Raises Wait while it cannot be final, or
        cannot be paid."""
        from include.checks.completeness import Outcome
        from include.ops.leases import lease
        from include.outcome import Later
        from include.steps.pipeline import available_at, incomplete, late_at, scrape
        from nba_airflow.wire import wire

        if (final := available_at(self.endpoint, partition.day)) > datetime.now(UTC):
            raise Wait(final, "its games cannot be final before then")
        refetch = self._refetch(context)
        group = self.endpoint.shared(partition.day) if self.endpoint.shared else ""
        alone = lease(self._session, partition, group=group) if group else nullcontext()
        try:
            purpose = self._purpose(context, partition)
            with alone, wire(self._session, self.source, purpose) as lines:
                stores, before = connections.stores(), self._spent
                try:
                    scraped = scrape(
                        self.source, self.endpoint, partition, stores, lines, refetch=refetch
                    )
                finally:
                    self._spent = (
                        before[0] + lines.client.requests,
                        before[1] + lines.client.credits,
                    )
                    report.spent(*self._spent)
        except Later as wait:
            report.waits(wait.outcome, wait.reason)
            raise Wait(wait.until, wait.reason) from None
        except Problem as problem:
            if problem.retry_at is None:
                raise
            self._wait_for_upstream(report, problem, problem.retry_at)
        report.scraped(scraped)
        if scraped.manifest.done:
            return
        if datetime.now(UTC) >= late_at(self.endpoint, partition.day):
            raise incomplete(scraped.manifest)
        report.waits(Outcome.NOT_YET, scraped.manifest.message)
        raise Wait(datetime.now(UTC) + ASK_AGAIN, scraped.manifest.message)

    def _wait_for_upstream(self, report: Report, problem: Problem, until: datetime) -> NoReturn:
        """The upstream, or all proxies to it, can be asked again then. Raises Wait, or the problem
        after so many."""
        from include.checks.completeness import Outcome

        if self._put_off >= MOST_PUT_OFF:
            raise problem
        self._put_off += 1
        why = f"{problem.message}; put off, number {self._put_off} of {MOST_PUT_OFF}"
        report.waits(Outcome.QUOTA_WAIT, why)
        raise Wait(until, why)

    def fetch_if_needed(self, context: Context, partition: Partition, report: Report) -> None:
        """For the steps after the scrape, where their task alone is cleared."""
        from include.steps.pipeline import is_whole

        if not is_whole(partition, connections.stores()):
            self.log.info("raw does not have the whole date (any more): fetching it first")
            self.fetch(context, partition, report)

    def _refetch(self, context: Context) -> datetime | None:
        """The moment before which bodies do not count, if the run's conf orders fresh ones."""
        order = (context["dag_run"].conf or {}).get("refetch")
        try:
            return refetch_moment(order, run_began=context["dag_run"].start_date)
        except ValueError as error:
            raise Problem(
                error_class=ErrorClass.INTERNAL, message=f"the run's conf: {error}"
            ) from None

    def _purpose(self, context: Context, partition: Partition) -> Literal["live", "backfill"]:
        """Which part of paid credits the run may use: a date that is over a day late is no live
        one, who ever asks."""
        from include.steps.pipeline import late_at

        # Compared, not printed: the enum of the task SDK prints as DagRunType.BACKFILL (3.3.2).
        asked_for = context["dag_run"].run_type == "backfill"
        late = datetime.now(UTC) > late_at(self.endpoint, partition.day) + timedelta(days=1)
        return "backfill" if asked_for or late else "live"

    def _defer(self, wait: Wait) -> None:
        """Defers in any case: a moment that has just passed must not look like a step that has
        ended well."""
        from airflow.providers.standard.triggers.temporal import DateTimeTrigger

        moment = max(wait.until, datetime.now(UTC) + SOONEST)
        kwargs = {"put_off": self._put_off, "spent": list(self._spent)}
        self.log.info("waiting until %s: %s", moment.isoformat(timespec="seconds"), wait.why)
        self.defer(trigger=DateTimeTrigger(moment=moment), method_name="execute", kwargs=kwargs)


class ScrapeOperator(DateOperator):
    """Fetches what the raw layer lacks of the date. Waits, deferred, while the date cannot be final
    yet."""

    ui_color = "#dbeafe"

    def step(self, context: Context, partition: Partition, report: Report) -> None:
        self.fetch(context, partition, report)


class LoadOperator(DateOperator):
    """Replaces the date's partition in the warehouse by what raw holds."""

    ui_color = "#dcfce7"

    def step(self, context: Context, partition: Partition, report: Report) -> None:
        from include.steps.pipeline import load

        self.fetch_if_needed(context, partition, report)
        report.loaded(
            load(self.endpoint, partition, connections.stores(), corrected=report.corrected)
        )


class AuditOperator(DateOperator):
    """Counts the warehouse against raw and schedule. Only here does a date become ``complete`` or
    ``no_games``."""

    ui_color = "#fef9c3"

    def step(self, context: Context, partition: Partition, report: Report) -> None:
        from include.steps.pipeline import audit

        self.fetch_if_needed(context, partition, report)
        audited = audit(self.endpoint, partition, connections.stores(), corrected=report.corrected)
        report.audited(audited.manifest, audited.rows)


def _bug(error: Exception, partition: Partition) -> Problem:
    """Names the place, not the text, which may hold anything; the task's log has the traceback."""
    place = extract_tb(error.__traceback__)[-1]
    where = f"{place.name} ({Path(place.filename).name}:{place.lineno})"
    return Problem(
        error_class=ErrorClass.INTERNAL,
        message=(
            f"{type(error).__name__} in {where}, a bug: the log has its traceback; repair it and"
            " rerun the date"
        ),
        source=partition.dag_id,
        endpoint=partition.endpoint,
        day=partition.day,
    )
