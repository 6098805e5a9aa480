"""`airflow nba errors`: one group per cause, with every date of it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import psycopg
import pytest

from include.ops import backfills
from include.ops.backfills import Backfill
from include.wording import moment, period
from nba_airflow.cli.errors import errors
from tests.plugins.cli.asking import DAG, DAY, NEXT, Call, Said, outcome

pytestmark = pytest.mark.usefixtures("stores")
RERUN = [
    f"airflow dags backfill {DAG} -s {first} -e {last} --rerun-failed-tasks -y"
    for first, last in (("2025-01-15", "2025-01-16"), ("2025-01-19", "2025-01-19"))
]


def test_errors_groups_what_failed_with_its_dates_and_a_log(
    call: Call, db: psycopg.Connection[Any]
) -> None:
    at = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=2)
    facts = {
        "error_class": "blocked",
        "fingerprint": "0123456789ab",
        "message": "403 page",
        "log_url": "http://log",
    }
    for n, day in enumerate((DAY, NEXT, date(2025, 1, 19))):
        moment = at + timedelta(minutes=n)
        outcome(db, day, "failed", **facts, started_at=moment, ended_at=moment)

    said = call(errors)

    assert (said.code, said.err) == (0, "")
    assert said.out.splitlines() == [
        f"3 x blocked: {DAG} box_scores, 3 dates [0123456789ab]",
        "  2025-01-15..2025-01-16, 2025-01-19",
        f"  {period(at, at + timedelta(minutes=2))}",
        "  new: none in the 24 hours before",
        "  403 page",
        "  http://log",
        "  3 not done by now; to run again:",
        *(f"    {command}" for command in RERUN),
    ]
    assert call(errors, json=True).facts == {
        "hours": 24.0,
        "groups": [
            {
                "dag_id": DAG,
                "endpoint": "box_scores",
                "outcome": "failed",
                **facts,
                "tries": 3,
                "days": ["2025-01-15", "2025-01-16", "2025-01-19"],
                "by_day": [],
                "first_at": at.isoformat(),
                "last_at": (at + timedelta(minutes=2)).isoformat(),
                "tries_before": 0,
                "open_days": ["2025-01-15", "2025-01-16", "2025-01-19"],
                "rerun": "\n".join(RERUN),
            }
        ],
        "red_flags": [],
        "exit_code": 0,
    }
    assert call(errors, hours="1.5").out == "no failure in the last 1.5 hours\n"


def test_dates_that_are_done_by_now_are_not_run_again(
    call: Call, db: psycopg.Connection[Any]
) -> None:
    for day in (DAY, NEXT):
        outcome(db, day, "failed", error_class="blocked", message="403 page")
    outcome(db, DAY, "complete", attempt=2)
    command = f"    airflow dags backfill {DAG} -s {NEXT} -e {NEXT} --rerun-failed-tasks -y"
    assert call(errors).out.splitlines()[-2:] == [
        "  1 not done by now; to run again:",
        command,
    ]
    outcome(db, NEXT, "complete", attempt=2)
    assert call(errors).out.splitlines()[-1] == "  all of them are done by now"


@pytest.mark.parametrize("hours", ["x", "0", "-1", "nan", "inf", "8785", ""])
def test_hours_that_are_none_are_refused_on_one_line(call: Call, hours: str) -> None:
    said = call(errors, hours=hours)
    wanted = (
        f"airflow nba errors: {hours!r} is not a number of hours: write one above 0 and up to 8784,"
        " for example 24\n"
    )
    assert said == Said(code=2, out="", err=wanted)


@pytest.mark.parametrize(
    ("now", "before", "says"),
    [
        (2, 0, "new: none"),
        (2, 1, "more: 1"),
        (2, 2, "as many: 2"),
        (1, 2, "fewer: 2"),
    ],
)
def test_each_cause_is_compared_with_the_period_before(
    call: Call, db: psycopg.Connection[Any], now: int, before: int, says: str
) -> None:
    ago = [timedelta(hours=1)] * now + [timedelta(hours=7)] * before
    for n, hours in enumerate((*ago, timedelta(hours=13))):
        ended = datetime.now(UTC) - hours
        moments = {"started_at": ended, "ended_at": ended}
        failure = {"error_class": "blocked", "message": "403 page", **moments}
        outcome(db, DAY + timedelta(days=n), "failed", **failure)
    said = call(errors, hours="6")
    assert [line for line in said.out.splitlines() if line.endswith("hours before")] == [
        f"  {says} in the 6 hours before"
    ]
    assert [row[:2] for row in call(errors, hours="6", output="plain").rows] == [
        [str(now), str(before)]
    ]


def test_red_flags_that_hold_a_backfill_are_named(call: Call, db: psycopg.Connection[Any]) -> None:
    order = Backfill(backfill_id=7, dag_id=DAG, batch_id=f"{DAG}:7:0", started_by="ann")
    db.execute("TRUNCATE ops.backfills, ops.holds")
    backfills.note(db, order)
    backfills.hold(db, 7, "breaker", "5 dates in a row failed alike: 403 page")
    backfills.hold(db, 7, "quiet hours", "games tonight")
    db.commit()
    (hold,) = [each for each in backfills.read_holds(db, [7]) if each.kind == "breaker"]
    since = moment(hold.since)
    assert call(errors).out.splitlines() == [
        "no failure in the last 24 hours",
        f"Red flag: {DAG} backfill 7 halted since {since}: 5 dates in a row failed alike: 403 page",
    ]
    (flag,) = call(errors, json=True).facts["red_flags"]
    assert (flag["dag_id"], flag["backfill_id"], flag["why"]) == (DAG, 7, hold.why)
