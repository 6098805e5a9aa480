"""What reporting costs: three thousand dates in the ledger, and forty of which twelve failed for three reasons."""

from __future__ import annotations

import re
import time
import tracemalloc
from dataclasses import dataclass
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


class Counting(psycopg.Cursor[Any]):
    """Counts the statements that are sent."""

    sent = 0

    def execute(self, *args: Any, **options: Any) -> Counting:
        Counting.sent += 1
        super().execute(*args, **options)
        return self


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What a report and its mail took: statements, seconds of processor time, MB of Python's memory at the peak."""

    statements: int
    seconds: float
    megabytes: float


def reported(db: psycopg.Connection[Any], batch: batches.Batch) -> tuple[Report, bytes, Cost]:
    """The batch's report and mail. Made twice, because measuring memory takes processor time."""

    def mail() -> tuple[Report, bytes]:
        report = report_of(db, batch)
        return report, stored(message_for(report, Envelope(sender="a@b.example", recipients=["c@d.example"])))

    db.cursor_factory = Counting
    sent, begun = Counting.sent, time.process_time()
    report, content = mail()
    statements, seconds = Counting.sent - sent, time.process_time() - begun
    db.cursor_factory = psycopg.Cursor
    tracemalloc.start()
    try:
        assert mail()[1] == content
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    cost = Cost(statements=statements, seconds=seconds, megabytes=peak / 1e6)
    print(f"\n{len(report.dates)} dates, mail of {len(content)} bytes: {cost}")  # noqa: T201
    return report, content, cost


def named_in(text: str) -> set[date]:
    """The dates that the mail's groups name, in full or by month (``2016-10: 25, 28..30``)."""
    days: set[date] = set()
    for month, spans in re.findall(r"(\d{4}-\d\d): ((?:\d+(?:\.\.\d+)?(?:,\s+)?)+)", text):
        for span in re.split(r",\s+", spans.strip().rstrip(",")):
            first, last = (span.split("..") * 2)[:2]
            days |= {date.fromisoformat(f"{month}-{day:02}") for day in range(int(first), int(last) + 1)}
    return days | {date.fromisoformat(day) for day in re.findall(r"\d{4}-\d\d-\d\d", text)}


@pytest.mark.parametrize("failing", [3000, 1000, 0])
def test_three_thousand_dates_are_reported_in_two_seconds_of_work_and_100_kilobytes(ops_db: str, failing: int) -> None:
    with connect(ops_db) as db:
        report, mail, cost = reported(db, closed_batch(db, 1 + failing, 3000, failing))

    assert len(report.dates) == 3000
    assert sum(group.count for group in groups(report)) == failing
    failed = {FIRST + timedelta(days=n) for n in range(failing)}
    assert failed <= named_in(" ".join(render(report).text.split()))
    assert len(mail) < 100_000
    assert cost.seconds < 2  # of processor time, whatever else the machine does
    assert cost.megabytes < 200


def test_three_thousand_corrected_dates_are_reported_at_the_same_price(ops_db: str) -> None:
    with connect(ops_db) as db:
        batch = closed_batch(db, 4, 3000, 0)
        db.execute(
            "UPDATE ops.outcomes SET changes_total = 250, changes ="
            " (SELECT array_agg(format('GSW@UTA, Stephen Curry, GSW, player_id %s: ast 6 -> 7', n))"
            " FROM generate_series(1, 200) n) WHERE run_id LIKE 'run-4-%'"
        )
        report, mail, cost = reported(db, batch)

    assert sum(one.total for one in report.corrections) == 750_000
    assert len(mail) < 100_000
    assert cost.seconds < 2
    assert cost.megabytes < 200


def test_a_report_asks_as_often_for_three_thousand_dates_as_for_three(ops_db: str) -> None:
    with connect(ops_db) as db:
        _, _, few = reported(db, closed_batch(db, 5, 3, 3))
        _, _, many = reported(db, closed_batch(db, 6, 3000, 3000))

    assert few.statements == many.statements < 5


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
