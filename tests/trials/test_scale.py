"""What reporting takes: a fixed number of statements, little memory, and no date is left out. `make
bench` times it."""

from __future__ import annotations

import re
from datetime import date, timedelta

from devstack.bench.reporting import FIRST, REASONS, close_batch, reported
from include.fold import fold
from include.mail.render import render
from include.mail.report import Report
from include.ops.db import connect


def named_in(text: str) -> set[date]:
    """The dates that the mail names, in full or by month (``2016-10: 25, 28..30``)."""
    days: set[date] = set()
    for month, spans in re.findall(r"(\d{4}-\d\d): ((?:\d+(?:\.\.\d+)?(?:, )?)+)", text):
        for span in spans.rstrip(", ").split(", "):
            first, last = (span.split("..") * 2)[:2]
            days |= {
                date.fromisoformat(f"{month}-{day:02}") for day in range(int(first), int(last) + 1)
            }
    return days | {date.fromisoformat(day) for day in re.findall(r"\d{4}-\d\d-\d\d", text)}


def test_three_thousand_dates_are_all_named_in_100_kilobytes(ops_db: str) -> None:
    with connect(ops_db) as db:
        report, mail, cost = reported(db, close_batch(db, 10, 3000, 3000))

    assert len(report.dates) == 3000
    assert sum(len(group.days) for group in fold(report.dates)) == 3000
    assert {FIRST + timedelta(days=n) for n in range(3000)} <= named_in(
        " ".join(render(report).text.split())
    )
    assert len(mail) < 100_000
    assert cost.megabytes < 200


def test_three_thousand_dates_with_two_hundred_corrections_each_fit_as_well(ops_db: str) -> None:
    with connect(ops_db) as db:
        batch = close_batch(db, 1, 3000, 0)
        db.execute(
            "UPDATE ops.outcomes SET changes_total = 250, changes ="
            " (SELECT array_agg(format('GSW@UTA, Stephen Curry, GSW, player_id %s: ast 6 -> 7', n))"
            " FROM generate_series(1, 200) n) WHERE run_id LIKE 'run-1-%'"
        )
        report, mail, cost = reported(db, batch)

    assert sum(one.total for one in report.corrections) == 750_000
    assert len(mail) < 100_000
    assert cost.megabytes < 200


def test_a_report_asks_the_ledger_as_often_for_three_thousand_dates_as_for_three(
    ops_db: str,
) -> None:
    with connect(ops_db) as db:
        _, _, few = reported(db, close_batch(db, 2, 3, 3))
        _, _, many = reported(db, close_batch(db, 3, 3000, 3000))

    assert few.statements == many.statements <= 7


def test_forty_dates_of_which_twelve_failed_for_three_reasons_are_three_groups_with_every_date(
    ops_db: str,
) -> None:
    report: Report
    with connect(ops_db) as db:
        report, _, _ = reported(db, close_batch(db, 4, 40, 12))

    text = render(report).text

    found = fold(report.dates)
    named = [day for group in found for day in group.days]
    assert [len(group.days) for group in found] == [4, 4, 4]
    assert sorted(named) == [FIRST + timedelta(days=n) for n in range(12)]
    assert all(str(day) in text for day in named)
    assert all(reason[2].split(":")[1].strip()[:20] in " ".join(text.split()) for reason in REASONS)
