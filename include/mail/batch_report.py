"""From the ledger's rows of a batch to the report that the mail is rendered from."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from include.mail.report import Report
from include.ops import batches, outcomes
from include.ops.batches import Batch
from include.ops.judgment import judge
from include.ops.results import find_recovered, gather_corrections
from include.reruns import word_reruns_within

if TYPE_CHECKING:
    import psycopg


def read_report(
    connection: psycopg.Connection[Any], batch: Batch, endpoints: Sequence[str]
) -> Report:
    """The closed batch as one report: a result per date and endpoint of its source, also for dates
    that never ran. Of the ledger that counts which was there when it was closed, however late it is
    told."""
    runs = batches.runs(connection, batch.batch_id)
    found = judge(connection, batch.dag_id, runs, endpoints, until=batch.closed_at)
    results, mine = found.results, found.mine
    days = [run.day for run in runs]
    bad = {result.day for result in results if not result.outcome.done}
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
        bytes=sum(row.bytes for row in mine),
        warehouse_jobs=sum(row.warehouse_jobs for row in mine),
        bytes_billed=sum(row.bytes_billed for row in mine),
        bucket_writes=sum(row.bucket_writes for row in mine),
        bucket_reads=sum(row.bucket_reads for row in mine),
        rerun_command=word_reruns_within(batch.dag_id, bad, days),
        ui_url=os.environ.get("AIRFLOW__API__BASE_URL", ""),
        ran_before=bool(found.before),
        recovered=find_recovered(results, outcomes.latest(found.before)),
        corrections=gather_corrections(mine),
        in_reply_to=_first_mail(connection, batch),
        code_version=os.environ.get("NBA_VERSION", ""),
    )


def _first_mail(connection: psycopg.Connection[Any], batch: Batch) -> str | None:
    """The Message-ID of the first mail that told of a run of this batch."""
    found = connection.execute(
        "SELECT o.message_id FROM unnest(%s::text[]) AS earlier (batch_id), LATERAL (SELECT"
        " message_id, created_at FROM ops.outbox WHERE mail_id = earlier.batch_id) o ORDER BY"
        " o.created_at LIMIT 1",
        (batches.read_sharing(connection, batch),),
    ).fetchone()
    return str(found[0]) if found else None
