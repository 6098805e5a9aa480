"""Processes that share one allowance, and some that are killed while they use it."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from include.limits.credit_rows import balance
from tests.limits.credits.ledger import NOON, ODDS, REQUEST_TIMEOUT, open_reservations

ROOT = Path(__file__).resolve().parents[3]

WORKER = """
import sys
from datetime import datetime, timedelta
from include.limits.credits import Meter
from include.ops.db import connect
from include.ops.session import Session
from include.outcome import Later
from include.sources.spec import Credits

url, now, dies_at = sys.argv[1], datetime.fromisoformat(sys.argv[2]), int(sys.argv[3])
credits = {"the_odds_api": Credits(monthly=500, live_reserve=100)}
meter = Meter(Session(url), credits, purpose="backfill", spread=False, now=lambda: now)
upstream = connect(url)
upstream.autocommit = True
sent = 0
while True:
    try:
        reservation = meter.reserve("the_odds_api", 10)
    except Later as wait:
        if wait.until > now + timedelta(minutes=1):
            break
        continue
    (used,) = upstream.execute("UPDATE public.bill SET used = used + 10 RETURNING used").fetchone()
    sent += 1
    if sent == dies_at:
        print("sent", flush=True)
        sys.stdin.read()
    reservation.settle(cost=10, used=used, remaining=500 - used)
"""


@pytest.fixture
def bill(db: psycopg.Connection[Any]) -> Callable[[], int]:
    """The upstream's bill, kept in the same server and by nobody of ours."""
    db.execute("DROP TABLE IF EXISTS public.bill; CREATE TABLE public.bill AS SELECT 0 AS used")

    def used() -> int:
        row = db.execute("SELECT used FROM public.bill").fetchone()
        assert row is not None
        return row[0]

    return used


def start(url: str, *, now: datetime = NOON, dies_at: int = 0) -> subprocess.Popen[str]:
    """A backfill that asks until nothing is left, or hangs after sending its request number
    ``dies_at``."""
    return subprocess.Popen(
        [sys.executable, "-c", WORKER, url, now.isoformat(), str(dies_at)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def end(*processes: subprocess.Popen[str]) -> list[int]:
    """Exit codes, once they have ended."""
    for process in processes:
        process.communicate(timeout=60)
    return [process.returncode for process in processes]


def test_eight_processes_use_400_of_500_credits_exactly(
    ops_db: str, db: psycopg.Connection[Any], bill: Callable[[], int]
) -> None:
    assert end(*(start(ops_db) for _ in range(8))) == [0] * 8
    assert (bill(), balance(db, ODDS, NOON.date()).committed) == (400, 400)
    assert open_reservations(db) == 0


def test_processes_that_were_killed_on_the_way_are_counted_and_then_billed(
    ops_db: str, db: psycopg.Connection[Any], bill: Callable[[], int]
) -> None:
    doomed = [start(ops_db, dies_at=n) for n in (1, 3)]
    for process in doomed:
        assert process.stdout is not None
        assert process.stdout.readline() == "sent\n"
        process.kill()
    assert end(*doomed) == [-signal.SIGKILL] * 2
    assert open_reservations(db) == 2
    assert bill() == 40
    assert balance(db, ODDS, NOON.date()).committed >= 40
    later = NOON + REQUEST_TIMEOUT + timedelta(seconds=1)
    assert end(*(start(ops_db, now=later) for _ in range(4))) == [0] * 4
    assert (bill(), balance(db, ODDS, NOON.date()).committed) == (400, 400)
    assert open_reservations(db) == 0
