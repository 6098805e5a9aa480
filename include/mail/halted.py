"""The report of a batch whose breaker has opened: what has ended, and what waits, as halted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from include.mail.batch_report import read_report
from include.mail.report import Report
from include.ops import backfills, batches
from include.ops.batches import Batch
from include.ops.breakers import Breaker
from include.outcome import Outcome
from include.results import DateResult

if TYPE_CHECKING:
    import psycopg


def read_halted(
    connection: psycopg.Connection[Any], breaker: Breaker, endpoints: Sequence[str]
) -> Report | None:
    """As the batch was last looked at; None while nobody has.

    A date that waits has no row of its own for that: it is halted because its run waits and the
    breaker is open.
    """
    batch = _find_batch(connection, breaker)
    if batch is None:
        return None
    report = read_report(connection, batch, endpoints)
    states = {run.day: run.state for run in batches.runs(connection, batch.batch_id)}
    return replace(
        report,
        state="halted",
        ended_at=breaker.opened_at,
        dates=[_see(each, states.get(each.day, ""), breaker) for each in report.dates],
        rerun_command=f"airflow nba resume {breaker.dag_id}",
    )


def _find_batch(connection: psycopg.Connection[Any], breaker: Breaker) -> Batch | None:
    """That of its backfill; once that is closed, that of the dates which run again."""
    known = backfills.read(connection, [breaker.backfill_id]).get(breaker.backfill_id)
    own = batches.name_backfill(breaker.dag_id, breaker.backfill_id)
    batch = batches.get(connection, known.batch_id if known else own)
    if batch is None or batch.closed_at is None:
        return batch
    number = batches.count_closed(connection, [breaker.dag_id]).get((breaker.dag_id, "rerun"), 0)
    return batches.get(connection, f"{breaker.dag_id}:rerun:{number}") or batch


def _see(result: DateResult, state: str, breaker: Breaker) -> DateResult:
    """What is not over has not ended without a word."""
    if result.outcome.done or result.outcome.wrong or state not in ("queued", "running"):
        return result
    if state == "queued":
        why = f"{breaker.flag}: {breaker.why}"
        return replace(result, outcome=Outcome.HALTED, message=why)
    return replace(result, outcome=Outcome.NOT_YET, message="under way when this was written")
