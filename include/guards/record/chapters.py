"""What a record tells, read from our tables: a backfill, and whatever ran its dates again."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

from include.mail.batch_report import read_report
from include.mail.report import Compared, Report
from include.ops import backfills, batches, outcomes
from include.ops.backfills import Backfill, Hold
from include.ops.batches import Batch, BatchRun
from include.ops.judgment import judge
from include.ops.outcomes import OutcomeRow
from include.ops.results import read_row
from include.partition import DateRange
from include.results import DateResult, find_worst

if TYPE_CHECKING:
    import psycopg

RECORDED = ("backfill", "catchup")
"""The kinds of batches that have a record of their own; a rerun is a chapter of the records of its
dates."""
SAID = (
    *("planned_minutes", "planned_requests", "planned_credits", "planned_cost", "cost"),
    *("credits_left", "code_version"),
)


@dataclass(frozen=True, kw_only=True)
class Chapter:
    """One batch: what was ordered, what held it up, how it ended, and its own tries, oldest
    first."""

    batch: Batch
    runs: Sequence[BatchRun]
    orders: Sequence[Backfill]
    report: Report
    tries: Sequence[OutcomeRow]
    holds: Sequence[Hold] = ()

    @property
    def order(self) -> Backfill:
        """What began it; without a word where nobody has noted any."""
        nobody = Backfill(
            backfill_id=0, dag_id=self.batch.dag_id, batch_id=self.batch.batch_id, started_by=""
        )
        return next(iter(self.orders), nobody)

    @property
    def done(self) -> set[date]:
        """The dates that were done when it had ended."""
        worst = find_worst(self.report.dates)
        return {day for day, result in worst.items() if result.outcome.done}

    @property
    def retried(self) -> list[DateResult]:
        """The tries that went wrong before a later one of the same batch ended well."""
        last = outcomes.latest(self.tries)
        return [
            read_row(row)
            for row in self.tries
            if row.outcome.wrong and last[row.day, row.endpoint].outcome.done
        ]


@dataclass(frozen=True, kw_only=True)
class Record:
    """The backfill is the first chapter; ``now`` is how its dates stand by all that has run
    since."""

    chapters: Sequence[Chapter]
    now: Sequence[DateResult]

    @property
    def report(self) -> Report:
        """The backfill's."""
        return self.chapters[0].report

    @property
    def name(self) -> str:
        """``2026-11-28-bdl_box_scores-2024-10-22-2025-04-13``, the UTC date on which it began."""
        return make_name(self.chapters[0].batch, self.report.window)

    def find_healer(self, day: date, after: int) -> int | None:
        """The number (from 1) of the first chapter after that one which ended with the date
        done."""
        later = range(after, len(self.chapters))
        return next((n + 1 for n in later if day in self.chapters[n].done), None)


def make_name(batch: Batch, window: DateRange) -> str:
    """What the record of a batch is called, without an ending."""
    began = batch.opened_at.astimezone(UTC).date()
    return f"{began}-{batch.dag_id}-{window.first}-{window.last}"


def note_said(report: Report) -> dict[str, Any]:
    """What the report has that cannot be found out later, as JSON has it."""
    compared = asdict(report.compared) if report.compared else None
    return {**{name: getattr(report, name) for name in SAID}, "compared": compared}


def find_records(
    connection: psycopg.Connection[Any], dag_id: str, days: Collection[date]
) -> list[Batch]:
    """The backfills whose records tell of any of these days, the oldest first. One that began on
    the day of another with its window is a chapter of that one's."""
    found: dict[str, Batch] = {}
    for batch in batches.read_of_days(connection, dag_id, days):
        if batch.kind in RECORDED:
            own = [run.day for run in batches.runs(connection, batch.batch_id)]
            found.setdefault(make_name(batch, DateRange(min(own), max(own))), batch)
    return list(found.values())


def list_names(connection: psycopg.Connection[Any], dag_id: str, began: date) -> list[str]:
    """What the records of the DAG's backfills are called that began on this UTC date, the newest
    first."""
    asked = "dag_id = %s AND kind = ANY(%s) AND closed_at IS NOT NULL AND opened_at >= %s"
    order = "opened_at < %s ORDER BY opened_at DESC, batch_id DESC"
    first = datetime.combine(began, time(), UTC)
    bounds = (first, first + timedelta(days=1))
    told = batches.read_batches(connection, f"{asked} AND {order}", (dag_id, [*RECORDED], *bounds))
    days = [[run.day for run in batches.runs(connection, each.batch_id)] for each in told]
    return [
        make_name(each, DateRange(min(own), max(own))) for each, own in zip(told, days, strict=True)
    ]


def read_record(
    connection: psycopg.Connection[Any], first: Batch, endpoints: Sequence[str]
) -> Record:
    """The record of a closed backfill. ``endpoints``: those of its source."""
    runs = batches.runs(connection, first.batch_id)
    days = {run.day for run in runs}
    told = batches.read_of_days(connection, first.dag_id, days)
    later = [each for each in told if _order(each) > _order(first)]
    chapters = [_read_chapter(connection, each, endpoints) for each in (first, *later)]
    newest = {run.run_id: run for chapter in chapters for run in chapter.runs if run.day in days}
    now = judge(connection, first.dag_id, list(newest.values()), endpoints).results
    return Record(chapters=chapters, now=now)


def _order(batch: Batch) -> tuple[datetime, str]:
    return batch.opened_at, batch.batch_id


def _read_chapter(
    connection: psycopg.Connection[Any], batch: Batch, endpoints: Sequence[str]
) -> Chapter:
    # What cannot be found out again is as the batch's mail had it.
    said = batches.read_said(connection, batch.batch_id)
    compared = said.pop("compared", None)
    report = replace(
        read_report(connection, batch, endpoints),
        **said,
        compared=Compared(**compared) if compared else None,
    )
    runs = batches.runs(connection, batch.batch_id)
    tries = judge(connection, batch.dag_id, runs, endpoints, until=batch.closed_at).mine
    orders = backfills.read_of_batch(connection, batch.batch_id)
    return Chapter(
        batch=batch,
        runs=runs,
        orders=orders,
        holds=backfills.read_all_holds(connection, [order.backfill_id for order in orders]),
        report=report,
        tries=tries,
    )
