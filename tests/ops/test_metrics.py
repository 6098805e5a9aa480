"""The numbers that a dashboard shows, out of a real ledger."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from include.limits.limiter import Limiter
from include.ops import backfills, batches, outbox
from include.ops.batches import BatchRun
from include.ops.db import connect
from include.ops.metrics import Gauge, read_gauges
from include.ops.outcomes import OutcomeRow, record
from include.ops.session import Session
from include.outcome import Outcome
from include.sources.spec import Window

DAG = "bdl_box_scores"
FIRST = date(2025, 1, 15)
NOW = datetime.now(UTC)
DOCS = Path(__file__).parents[2] / "docs" / "metrics.md"


@pytest.fixture
def db(ops_db: str) -> Iterator[psycopg.Connection[Any]]:
    with connect(ops_db) as connection:
        connection.execute(
            "TRUNCATE ops.outcomes, ops.batches, ops.outbox, ops.limiters, ops.credit_months,"
            " ops.holds CASCADE"
        )
        connection.commit()
        yield connection


def tried(
    db: psycopg.Connection[Any], days_on: int, outcome: Outcome, *, ended: datetime = NOW
) -> None:
    row = OutcomeRow(
        dag_id=DAG,
        endpoint="box_scores",
        day=FIRST + timedelta(days=days_on),
        run_id=f"r{days_on}",
        attempt=1,
        phase="audit",
        outcome=outcome,
        started_at=ended,
        ended_at=ended,
        requests=2,
    )
    record(db, row)


def run(days_on: int, state: str) -> BatchRun:
    day = FIRST + timedelta(days=days_on)
    ended = NOW if state in ("success", "failed") else None
    return BatchRun(
        run_id=f"r{days_on}", day=day, state=state, queued_at=NOW, started_at=NOW, ended_at=ended
    )


def fill(db: psycopg.Connection[Any], ops_db: str) -> None:
    """A batch of four dates, one of which failed, one runs and one was done long ago."""
    states = ("success", "failed", "running", "success")
    outcomes = (Outcome.COMPLETE, Outcome.PARTIAL, Outcome.LOST, Outcome.COMPLETE)
    for days_on, outcome in enumerate(outcomes):
        tried(db, days_on, outcome, ended=NOW - timedelta(days=7) if days_on == 3 else NOW)
    runs = [run(n, state) for n, state in enumerate(states)]
    batches.write(db, f"{DAG}:7:0", runs, over=False)
    for name in ("m", "sent"):
        mail = outbox.Mail(mail_id=name, message_id=f"<{name}@nba>", subject="s", content=b"x")
        outbox.put(db, mail, [])
    outbox.sent(db, "sent", "accepted")
    for backfill, kind in ((7, "breaker"), (7, "quiet hours"), (8, "breaker")):
        backfills.hold(db, backfill, kind, "why")
    db.execute(
        "INSERT INTO ops.credit_months (account, month, billed, open_live, upstream_total,"
        " exhausted_under) VALUES"
        " ('the_odds_api', date_trunc('month', now())::date, 120, 30, 500, 0),"
        " ('balldontlie', date_trunc('month', now())::date, 5, 0, NULL, 0),"
        " ('bigdataball', date_trunc('month', now())::date, 7, 0, 500, 500),"
        " ('the_odds_api', '2020-01-01', 400, 0, 500, 0)"
    )
    db.commit()
    with Session(ops_db) as session:
        rules = {name: [Window(limit=9, seconds=1)] for name in ("nba_stats@a", "nba_stats@b")}
        limiter = Limiter(session, rules, request_timeout=60)
        for name in rules:
            limiter.slow_down(name)
    db.execute("UPDATE ops.limiters SET paused_until = '-infinity', waited_total = 1.5")
    db.commit()


def test_the_totals_are_those_of_the_ledger(db: psycopg.Connection[Any], ops_db: str) -> None:
    fill(db, ops_db)
    dates = {"dag_id": DAG, "endpoint": "box_scores"}
    batch = {"dag_id": DAG, "kind": "backfill"}
    stats = {"connection": "nba_stats"}
    odds = {"connection": "the_odds_api"}
    assert read_gauges(db, []) == [
        Gauge(name="nba.dates", value=2, tags={**dates, "outcome": "complete"}),
        Gauge(name="nba.dates", value=1, tags={**dates, "outcome": "lost"}),
        Gauge(name="nba.dates", value=1, tags={**dates, "outcome": "partial"}),
        Gauge(name="nba.requests_last_day", value=6, tags=dates),
        Gauge(name="nba.refusals", value=2, tags=stats),
        Gauge(name="nba.waited_seconds", value=3, tags=stats),
        Gauge(name="nba.paused_seconds", value=0, tags=stats),
        Gauge(name="nba.credits_spent", value=5, tags={"connection": "balldontlie"}),
        Gauge(name="nba.credits_spent", value=7, tags={"connection": "bigdataball"}),
        Gauge(name="nba.credits_left", value=0, tags={"connection": "bigdataball"}),
        Gauge(name="nba.credits_spent", value=150, tags=odds),
        Gauge(name="nba.credits_left", value=350, tags=odds),
        Gauge(name="nba.batch_dates", value=4, tags=batch),
        Gauge(name="nba.batch_dates_ended", value=3, tags=batch),
        Gauge(name="nba.batch_dates_failed", value=1, tags=batch),
        Gauge(name="nba.mails_unsent", value=1),
        Gauge(name="nba.backfills_held", value=2, tags={"kind": "breaker"}),
        Gauge(name="nba.backfills_held", value=0, tags={"kind": "preflight"}),
        Gauge(name="nba.backfills_held", value=1, tags={"kind": "quiet hours"}),
    ]


def test_what_requests_wait_for_their_place_adds_up(
    db: psycopg.Connection[Any], ops_db: str
) -> None:
    with Session(ops_db) as session:
        rules = {"balldontlie": [Window(limit=2, seconds=1)]}
        limiter = Limiter(session, rules, request_timeout=60, sleep=lambda seconds: None)
        gaps = [limiter._book("balldontlie", 10.0) for _ in range(2)]
    (waited,) = (g.value for g in read_gauges(db, []) if g.name == "nba.waited_seconds")
    assert gaps[1][1] > 0
    assert round(waited, 1) == round(gaps[1][1], 1)


def test_the_documentation_lists_every_metric_with_its_tags(
    db: psycopg.Connection[Any], ops_db: str
) -> None:
    fill(db, ops_db)
    listed = {
        cells[1].strip(" `"): {tag for tag in re.findall(r"`(\w+)`", cells[2])}
        for cells in (line.split("|") for line in DOCS.read_text().splitlines())
        if len(cells) > 3 and "`nba." in cells[1]
    }
    assert listed == {gauge.name: set(gauge.tags) for gauge in read_gauges(db, [])}
