"""Batches in a ledger, as the scheduler writes them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import psycopg

from include.ops import batches
from include.ops.batches import Batch, BatchRun

DAY = date(2025, 1, 15)
QUEUED = datetime(2026, 10, 1, 10, tzinfo=UTC)


def batch_run(
    after: int = 0,
    state: str = "success",
    *,
    started: bool = True,
    queued: datetime = QUEUED,
    run_id: str = "",
) -> BatchRun:
    """The run of DAY + ``after``: started a minute after it was queued, ended an hour later."""
    over = state not in ("queued", "running")
    return BatchRun(
        run_id=run_id or f"backfill__{after}",
        day=DAY + timedelta(days=after),
        state=state,
        queued_at=queued,
        started_at=queued + timedelta(minutes=1) if started else None,
        ended_at=queued + timedelta(hours=1) if over else None,
    )


def write(db: psycopg.Connection[Any], batch_id: str, *runs: BatchRun, over: bool = True) -> Batch:
    """The batch of these runs, or of one that ended well; closed if it is over."""
    batches.write(db, batch_id, runs or [batch_run()], over=over)
    db.commit()
    found = batches.get(db, batch_id)
    assert found
    return found
