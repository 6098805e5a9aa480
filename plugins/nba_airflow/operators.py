"""The three operators of a date: each finds its partition, calls the pipeline and reports what came of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
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


class DateOperator(BaseOperator):
    """A step of one endpoint's date. The date is the run's partition key, never a clock's.

    A Problem fails the task for good (the HTTP client has retried what is worth it); Airflow's own retries are for
    workers that were lost.
    """

    template_fields: Sequence[str] = ()

    def __init__(self, *, source: Source, endpoint: Endpoint, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.source = source
        self.endpoint = endpoint

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
        """Writes the step's outcome to the ledger, whether it ends well or with a Problem."""
        from nba_airflow.report import Report

        report = Report(partition, context)
        try:
            yield report
        except Problem as problem:
            report.failed(problem)
            raise AirflowFailException(str(problem)) from None


class ScrapeOperator(DateOperator):
    """Fetches what the raw layer lacks of the date. Waits, deferred, while the date cannot be final yet."""

    ui_color = "#dbeafe"

    def execute(self, context: Context, event: Any = None) -> None:
        from include.checks.completeness import Outcome
        from include.ledger.leases import lease
        from include.limits.credits import QuotaWait
        from include.limits.limiter import MustWait
        from include.pipeline import available_at, incomplete, late_at, scrape
        from nba_airflow.wire import wire

        partition = self.partition(context)
        self._wait_until(available_at(self.endpoint, partition.day), "its games cannot be final before then")
        purpose = self._purpose(context, partition)
        group = self.endpoint.shared(partition.day) if self.endpoint.shared else ""
        try:
            with (
                self.reported(context, partition) as report,
                lease(connections.ops_url(), partition, group=group),
                wire(self.source, purpose) as lines,
            ):
                refetch = self._refetch(context)
                scraped = scrape(self.source, self.endpoint, partition, connections.stores(), lines, refetch=refetch)
                report.scraped(scraped)
                if scraped.manifest.done:
                    return
                if datetime.now(UTC) >= late_at(self.endpoint, partition.day):
                    raise incomplete(scraped.manifest)
                again, why = datetime.now(UTC) + ASK_AGAIN, scraped.manifest.message
                report.waits(Outcome.NOT_YET, why)
        except (MustWait, QuotaWait) as wait:
            again, why = wait.until, str(wait)
            report.waits(Outcome.QUOTA_WAIT, why)
        self._wait_until(again, why)

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

    def _wait_until(self, moment: datetime, why: str) -> None:
        from airflow.providers.standard.triggers.temporal import DateTimeTrigger

        if moment > datetime.now(UTC):
            self.log.info("waiting until %s: %s", moment.isoformat(timespec="seconds"), why)
            self.defer(trigger=DateTimeTrigger(moment=moment), method_name="execute")


class LoadOperator(DateOperator):
    """Replaces the date's partition in the warehouse by what raw holds. Makes no request."""

    ui_color = "#dcfce7"

    def execute(self, context: Context) -> None:
        from include.ledger.leases import lease
        from include.pipeline import load

        partition = self.partition(context)
        with self.reported(context, partition) as report, lease(connections.ops_url(), partition):
            report.loaded(load(self.endpoint, partition, connections.stores(), corrected=report.corrected))


class AuditOperator(DateOperator):
    """Counts the warehouse against raw and schedule. Only here does a date become ``complete`` or ``no_games``."""

    ui_color = "#fef9c3"

    def execute(self, context: Context) -> None:
        from include.ledger.leases import lease
        from include.pipeline import audit

        partition = self.partition(context)
        with self.reported(context, partition) as report, lease(connections.ops_url(), partition):
            audited = audit(self.endpoint, partition, connections.stores())
            report.audited(audited.manifest, audited.rows)
