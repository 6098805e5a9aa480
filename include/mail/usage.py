"""What the batch took, against what its plan said: duration, requests, credits, cost, data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from include import wording as say
from include.guards.prices import BILLED, READS, WRITES
from include.mail.report import Report

MIN_COMPARED = 300.0  # seconds planned; below, a percentage would show Airflow's own pace alone
Unit = tuple[Callable[[float], str], Callable[[float], float]]
"""A quantity in words, and rounded as these words tell it: how far two are apart is told of what is
read."""
NUMBER: Unit = (say.number, round)
MONEY: Unit = (say.money, say.round_money)
DURATION: Unit = (partial(say.duration, exact=True), say.round_duration)


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
        _word(report, "Requests", report.requests, report.planned_requests, NUMBER),
    ]
    credits = (report.planned_credits, report.credits_left)
    if report.credits_used or credits != (None, None):
        used, planned = report.credits_used, report.planned_credits
        lines.append(_word(report, "Credits", used, planned, NUMBER))
    if report.credits_left is not None:
        lines.append(Usage(label="Credits left", actual=say.number(report.credits_left)))
    if (report.cost, report.planned_cost) != (None, None):
        lines.append(_word(report, "Cost", report.cost, report.planned_cost, MONEY))
    lines.append(Usage(label="Data", actual=say.size(report.bytes)))
    lines.append(Usage(label="Rows", actual=say.number(sum(r.rows for r in report.dates))))
    if report.warehouse_jobs:
        lines.append(Usage(label="BigQuery", actual=_word_bigquery(report)))
    operations = report.bucket_writes + report.bucket_reads
    if operations:
        planned = report.planned_operations
        compared = _word(report, "Bucket", operations, planned, NUMBER)
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
    planned = None if report.planned_minutes is None else report.planned_minutes * 60
    compared = _word(report, "Duration", seconds, planned, DURATION)
    enough = planned is not None and planned >= MIN_COMPARED
    return compared if enough else replace(compared, deviation="")


def _word(
    report: Report,
    label: str,
    actual: float | None,
    planned: float | None,
    unit: Unit,
) -> Usage:
    words, rounded = unit
    if actual is None:
        return Usage(label=label, actual="not known", planned=words(planned or 0))
    if planned is None:
        return Usage(label=label, actual=words(actual))
    finished = report.state == "finished"
    return Usage(
        label=label,
        actual=words(actual),
        planned=words(planned),
        deviation=say.deviation(rounded(actual), rounded(planned)) if finished else "",
    )
