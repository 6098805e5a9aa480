"""What reporting costs: three thousand dates in the ledger, and forty of which twelve failed for three reasons."""

from __future__ import annotations

import resource
from datetime import date, timedelta
from typing import Any

import psycopg
import pytest

from include.digest.message import Envelope, message_for, stored
from include.digest.render import render
from include.digest.report import Report, groups
from include.ledger import batches
from include.ledger.db import connect
from nba_airflow.digest import report_of

DAG = "bdl_box_scores"
FIRST = date(2016, 10, 25)
REASONS = (
    ("failed", "upstream_down", "balldontlie: the upstream fails with status 500", "aaaaaaaaaaaa"),
    ("failed", "bad_key", "balldontlie: the key is refused, or its tier lacks this endpoint", "bbbbbbbbbbbb"),
    ("partial", "incomplete", "9 of 11 games: missing GSW@UTA, LAL@BOS", "cccccccccccc"),
)


def closed_batch(db: psycopg.Connection[Any], backfill: int, dates: int, failing: int) -> batches.Batch:
    """A batch of ``dates`` runs, of which the first ``failing`` failed, for the reasons in turn."""
    batch = batches.current(db, DAG, backfill)
    days = {f"run-{backfill}-{n}": FIRST + timedelta(days=n) for n in range(dates)}
    batches.register(db, batch.batch_id, days)
    rows = []
    for number, (run_id, day) in enumerate(days.items()):
        reason = REASONS[number % 3] if number < failing else ("complete", "", "", "")
        rows.append((DAG, "box_scores", day, run_id, "scrape" if number < failing else "audit", 1, *reason))
    with db.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO ops.outcomes (dag_id, endpoint, day, run_id, task, attempt, outcome, error_class, message,"
            " fingerprint, started_at) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, now())",
            rows,
        )
        cursor.execute(
            "UPDATE ops.batch_runs SET started_at = now(), ended_at = now(),"
            " state = CASE WHEN day < %s THEN 'failed' ELSE 'success' END WHERE batch_id = %s",
            (FIRST + timedelta(days=failing), batch.batch_id),
        )
    db.commit()
    assert batches.close(db, batch.batch_id)
    return next(each for each in batches.due(db) if each.batch_id == batch.batch_id)


@pytest.mark.parametrize(("backfill", "failing"), [(1, 3000), (2, 1000)])
def test_three_thousand_dates_are_reported_in_100_kilobytes(ops_db: str, backfill: int, failing: int) -> None:
    with connect(ops_db) as db:
        batch = closed_batch(db, backfill, 3000, failing)
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        report = report_of(db, batch)
        mail = stored(message_for(report, Envelope(sender="a@b.example", recipients=["c@d.example"])))
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory) / 1024

    assert len(report.dates) == 3000
    assert sum(group.count for group in groups(report)) == failing
    assert len(mail) < 100_000
    assert grown < 200  # MB


def test_forty_dates_of_which_twelve_failed_for_three_reasons_are_three_groups_with_every_date(ops_db: str) -> None:
    with connect(ops_db) as db:
        report: Report = report_of(db, closed_batch(db, 3, 40, 12))

    text = render(report).text

    found = groups(report)
    named = [
        first + timedelta(days=n) for g in found for first, last in g.ranges for n in range((last - first).days + 1)
    ]
    assert [group.count for group in found] == [4, 4, 4]
    assert sorted(named) == [FIRST + timedelta(days=n) for n in range(12)]
    assert all(str(day) in text for day in named)
    assert all(reason[2].split(":")[1].strip()[:20] in " ".join(text.split()) for reason in REASONS)
