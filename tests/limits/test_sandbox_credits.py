"""A backfill of 2,000 credits on a plan of 500, 100 of them for live runs: the sandbox bills, the
ledger follows."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest

from devstack.sandbox.server import Sandbox, running
from include import failpoints
from include.http.client import Client, Upstream
from include.limits.allowance import Month
from include.limits.credit_rows import balance
from include.limits.credits import Meter
from include.ops.db import connect
from include.ops.session import Session
from include.outcome import Later
from include.parsing import odds_api
from include.sources.spec import Credits, Get, Listing, QueryKey
from tests.steps.one_date import OpenGate

ROOT = Path(__file__).resolve().parents[2]
SPORT = "/v4/historical/sports/basketball_nba"
MARCH, APRIL = datetime(2026, 3, 10, 12, tzinfo=UTC), datetime(2026, 4, 2, 12, tzinfo=UTC)
MAY = datetime(2026, 5, 10, 12, tzinfo=UTC)
PLAN = Credits(monthly=500, live_reserve=100)
ODDS = Get(
    path=f"{SPORT}/events/{{event_id}}/odds",
    params={"date": "{snapshot}", "regions": "us", "markets": "player_points"},
    cost=lambda params: 10,
)
KILLED = """
import sys
from tests.limits.test_sandbox_credits import MAY, buying
database, base, event_id, snapshot = sys.argv[1:]
with buying(database, base, now=lambda: MAY, request_timeout=1.0) as buy:
    buy({"event_id": event_id, "snapshot": snapshot})
"""


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Sandbox]:
    with running(
        tmp_path, monthly_credits=500, now=MARCH.isoformat(), limits={"the_odds_api": []}
    ) as server:
        yield server


@contextmanager
def buying(
    database: str, base: str, *, now: Callable[[], datetime], request_timeout: float = 300.0
) -> Iterator[Callable[[dict[str, str]], None]]:
    """Buys one event's odds at a time, for a backfill that may use its share of the month at
    once."""
    upstream = Upstream(
        name="the_odds_api", base_url=base, key="sandbox-key", auth=QueryKey(name="apiKey")
    )
    allowances = {"the_odds_api": PLAN}
    with Session(database) as session:
        meter = Meter(
            session,
            allowances,
            purpose="backfill",
            spread=False,
            now=now,
            request_timeout=request_timeout,
        )
        with Client(OpenGate(), meter=meter) as client:
            yield lambda values: client.get(upstream, ODDS, values) and None


@pytest.fixture(scope="module")
def event(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What an event's odds are asked with; its list is bought elsewhere, so that the bills here
    begin with nothing."""
    listing = Get(path=f"{SPORT}/events", params={"date": "2025-01-15T12:00:00Z"})
    with (
        running(tmp_path_factory.mktemp("other"), now=MARCH.isoformat()) as other,
        Client(OpenGate()) as client,
    ):
        base = other.base("the_odds_api")
        upstream = Upstream(
            name="events", base_url=base, key="sandbox-key", auth=QueryKey(name="apiKey")
        )
        body = client.get(upstream, listing, {}).body
    found = Listing(day=datetime(2025, 1, 15, tzinfo=UTC).date(), expected=None, bodies=(body,))
    return dict(odds_api.before_tip_off(5, ("player_points",))(found)[0].values)


def month(db: psycopg.Connection[Any], now: datetime) -> Month:
    found = balance(db, "the_odds_api", now.date())
    db.commit()
    return found


def test_400_are_spent_then_it_waits_and_goes_on_in_the_new_month(
    sandbox: Sandbox, ops_db: str, event: dict[str, str]
) -> None:
    now = MARCH
    with (
        connect(ops_db) as db,
        buying(ops_db, sandbox.base("the_odds_api"), now=lambda: now) as buy,
    ):
        for bought in range(1, 41):  # of 200, which would be 2,000 credits
            buy(event)
            assert (
                month(db, now).billed == sandbox.bill()["used"] == 10 * bought
            )  # after every step
        with pytest.raises(Later) as waits:
            buy(event)
        assert month(db, now).committed == sandbox.bill()["used"] == 400
        assert waits.value.until == datetime(2026, 4, 1, tzinfo=UTC)

        now = APRIL
        sandbox.clock(APRIL)
        buy(event)
        assert (month(db, now).billed, sandbox.bill()["used"]) == (10, 10)


def test_a_process_killed_between_answer_and_settling_is_billed_all_the_same(
    sandbox: Sandbox, ops_db: str, event: dict[str, str]
) -> None:
    base = sandbox.base("the_odds_api")
    sandbox.clock(MAY)
    command = [sys.executable, "-c", KILLED, ops_db, base, event["event_id"], event["snapshot"]]
    before = sandbox.bill()["used"]
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, failpoints.AT: "before settle:1"}, check=False
    )
    assert done.returncode == -signal.SIGKILL
    assert sandbox.bill()["used"] == before + 10
    with connect(ops_db) as db:
        assert month(db, MAY).committed >= 10  # counted although nobody settled it

        later = MAY.replace(hour=13)
        with buying(ops_db, base, now=lambda: later, request_timeout=1.0) as buy:
            buy(event)

        assert (month(db, MAY).committed, sandbox.bill()["used"]) == (before + 20, before + 20)
