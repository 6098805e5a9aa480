"""From the ledger's rows of a batch to the report that the mail is rendered from."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

from include.mail.report import Correction, DateResult, Report
from include.ops import batches, outcomes
from include.ops.batches import Batch, BatchRun
from include.ops.outcomes import OutcomeRow
from include.outcome import Outcome
from include.partition import day_ranges

if TYPE_CHECKING:
    import psycopg
_STEPS = ("fetched", "loaded")
"""Rows of steps that went well and leave the date's own outcome to the next step."""


def report_of(connection: psycopg.Connection[Any], batch: Batch) -> Report:
    """The batch as one report: a result per date and endpoint, also for dates that never ran."""
    runs = batches.runs(connection, batch.batch_id)
    rows = outcomes.of_runs(connection, batch.dag_id, [run.run_id for run in runs])
    mine = [row for row in rows if row.ended_at >= batch.opened_at]
    results = date_results(runs, outcomes.latest(rows), cancelled=batch.cancelled)
    earlier = outcomes.latest([row for row in rows if row.ended_at < batch.opened_at])
    bad = sorted({r.day for r in results if not r.outcome.done})
    days = [run.day for run in runs]
    first = (
        batches.get(connection, f"{batch.dag_id}:{batch.backfill_id}:0")
        if batch.kind == "rerun"
        else None
    )
    return Report(
        batch_id=batch.batch_id,
        dag_id=batch.dag_id,
        kind=batch.kind,
        first_day=min(days),
        last_day=max(days),
        state="cancelled" if batch.cancelled else "finished",
        started_at=batch.opened_at,
        ended_at=batch.closed_at or batch.opened_at,
        dates=results,
        requests=sum(row.requests for row in mine),
        credits_used=sum(row.credits for row in mine),
        bytes=sum(row.bytes for row in mine if row.task == "scrape"),
        rerun_command=rerun_command(batch.dag_id, bad),
        ui_url=os.environ.get("AIRFLOW__API__BASE_URL", ""),
        recovered=_recovered(results, earlier) if batch.kind != "backfill" else (),
        corrections=corrections(mine),
        in_reply_to=_message_id_of(connection, first.batch_id) if first else None,
        code_version=os.environ.get("NBA_VERSION", ""),
    )


def date_results(
    runs: Sequence[BatchRun], latest: dict[Any, OutcomeRow], *, cancelled: bool
) -> list[DateResult]:
    """One result per date and endpoint. A failed run whose last word was not a failure was lost
    (worker killed).

    So was a failed run that never spoke, also where an earlier try, or another endpoint, had said
    that all is well.
    """
    by_day: dict[date, list[OutcomeRow]] = {}
    for (day, _), row in sorted(latest.items()):
        by_day.setdefault(day, []).append(row)
    results = []
    for run in runs:
        rows = by_day.get(run.day, [])
        done = all(how_it_stands(row)[0].done for row in rows)
        silent = not rows or (run.state == "failed" and done)
        if silent and cancelled and run.started_at is None:
            words = "cancelled before it ran"
            results.append(DateResult(day=run.day, outcome=Outcome.CANCELLED, message=words))
        elif silent:
            words = "ended without a word: cancelled, or its worker was lost"
            results.append(DateResult(day=run.day, outcome=Outcome.LOST, message=words))
        else:
            results.extend(_result(row) for row in rows)
    return results


def how_it_stands(row: OutcomeRow) -> tuple[Outcome, str]:
    """The outcome of a row and its message. A step that went well and was followed by none is
    lost."""
    if row.outcome in _STEPS:
        return Outcome.LOST, f"nothing was heard after `{row.task}`: the worker was killed or lost"
    return Outcome(row.outcome), row.message


def _result(row: OutcomeRow) -> DateResult:
    outcome, message = how_it_stands(row)
    return DateResult(
        day=row.day,
        outcome=outcome,
        endpoint=row.endpoint,
        error_class=row.error_class,
        fingerprint=row.fingerprint,
        message=message,
        log_url=row.log_url,
        games_found=row.games_found,
        games_expected=row.games_expected,
        missing=row.missing,
        rows=row.rows,
        first_at=row.started_at,
        last_at=row.ended_at,
    )


def rerun_command(dag_id: str, days: Sequence[Any]) -> str:
    """The command that reruns these dates and leaves the good ones between them alone; empty
    without dates."""
    if not days:
        return ""
    runs = day_ranges(list(days))
    return (
        f"airflow dags backfill {dag_id} -s {runs[0][0]} -e {runs[-1][1]} --rerun-failed-tasks -y"
    )


def _recovered(results: Sequence[DateResult], earlier: dict[Any, OutcomeRow]) -> list[date]:
    """Dates that were not done before this batch and are now, all their endpoints."""
    bad_before = {day for (day, _), row in earlier.items() if not how_it_stands(row)[0].done}
    bad_now = {result.day for result in results if not result.outcome.done}
    return sorted({result.day for result in results} & bad_before - bad_now)


def corrections(rows: Sequence[OutcomeRow]) -> list[Correction]:
    """What these tries (oldest first) found to be corrected upstream and have loaded, per date and
    endpoint.

    A load tells it before it replaces the rows. One that was killed in between and tried again
    tells it twice in a row, which counts once; one that was never tried again has corrected
    nothing.
    """
    told: dict[tuple[date, str], list[OutcomeRow]] = {}
    open_ended: dict[tuple[date, str], OutcomeRow] = {}
    for row in rows:
        key = (row.day, row.endpoint)
        before = open_ended.pop(key, None)
        if row.changes_total and row.outcome in ("fetched", Outcome.LOST):
            open_ended[key] = row
        elif row.changes_total:
            told.setdefault(key, []).append(row)
        elif before and (row.outcome == "loaded" or how_it_stands(row)[0].done):
            told.setdefault(key, []).append(before)
    return [
        Correction(
            day=day,
            endpoint=endpoint,
            changes=tuple(change for row in of_date for change in row.changes),
            total=sum(row.changes_total for row in of_date),
        )
        for (day, endpoint), of_date in told.items()
    ]


def _message_id_of(connection: psycopg.Connection[Any], mail_id: str) -> str | None:
    found = connection.execute(
        "SELECT message_id FROM ops.outbox WHERE mail_id = %s", (mail_id,)
    ).fetchone()
    return str(found[0]) if found else None
