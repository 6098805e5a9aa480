"""What the batch took, against what its plan said: duration, requests, credits, cost, data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from include import wording as say
from include.guards.prices import BILLED, READS, WRITES
from include.mail.report import Report

MIN_COMPARED = 300.0  # seconds planned; below, a percentage would show Airflow's own pace alone


@dataclass(frozen=True, kw_only=True)
class Usage:
    """One quantity in words; ``planned`` and ``deviation`` are empty where they are not known."""

    label: str
    actual: str
    planned: str = ""
    deviation: str = ""


def list_usage(report: Report) -> list[Usage]:
    """A line for each quantity that is known. How far off the plan is said of finished batches
    only: the others are compared with a plan that they did not carry out."""
    seconds = (report.ended_at - report.started_at).total_seconds()
    lines = [
        _word_duration(report, seconds),
        _word(report, "Requests", report.requests, report.planned_requests, say.number),
    ]
    credits = (report.planned_credits, report.credits_left)
    if report.credits_used or credits != (None, None):
        used, planned = report.credits_used, report.planned_credits
        lines.append(_word(report, "Credits", used, planned, say.number))
    if report.credits_left is not None:
        lines.append(Usage(label="Credits left", actual=say.number(report.credits_left)))
    if (report.cost, report.planned_cost) != (None, None):
        lines.append(_word(report, "Cost", report.cost, report.planned_cost, say.money))
    lines.append(Usage(label="Data", actual=say.size(report.bytes)))
    lines.append(Usage(label="Rows", actual=say.number(sum(r.rows for r in report.dates))))
    if report.warehouse_jobs:
        lines.append(Usage(label="BigQuery", actual=_word_bigquery(report)))
    operations = report.bucket_writes + report.bucket_reads
    if operations:
        planned = report.planned_operations
        compared = _word(report, "Bucket", operations, planned, say.number)
        lines.append(replace(compared, actual=_word_bucket(report)))
    return lines


def _word_bigquery(report: Report) -> str:
    jobs, billed = say.counted(report.warehouse_jobs, "job"), say.size(report.bytes_billed)
    return f"{jobs}, {billed} billed, {say.money(BILLED.pay(report.bytes_billed))}"


def _word_bucket(report: Report) -> str:
    writes, reads = report.bucket_writes, report.bucket_reads
    dollars = say.money(WRITES.pay(writes) + READS.pay(reads))
    return f"{say.counted(writes, 'write')}, {say.counted(reads, 'read')}, {dollars}"


def _word_duration(report: Report, seconds: float) -> Usage:
    if report.planned_minutes is None:
        return Usage(label="Duration", actual=say.duration(seconds))
    planned = report.planned_minutes * 60
    if planned < MIN_COMPARED:
        actual = say.duration(seconds)
        return Usage(label="Duration", actual=actual, planned=say.duration(planned))
    return _word(report, "Duration", seconds, planned, say.duration)


def _word(
    report: Report,
    label: str,
    actual: float | None,
    planned: float | None,
    words: Callable[[float], str],
) -> Usage:
    if actual is None:
        return Usage(label=label, actual="not known", planned=words(planned or 0))
    if planned is None:
        return Usage(label=label, actual=words(actual))
    finished = report.state == "finished"
    return Usage(
        label=label,
        actual=words(actual),
        planned=words(planned),
        deviation=say.deviation(actual, planned) if finished else "",
    )
