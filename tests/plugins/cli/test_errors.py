"""`airflow nba errors`: one group per cause, with every date of it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import psycopg
import pytest

from include.wording import period
from nba_airflow.cli.errors import errors
from tests.plugins.cli.asking import DAG, DAY, NEXT, Call, Said, outcome

pytestmark = pytest.mark.usefixtures("stores")


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
        "  403 page",
        "  http://log",
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
            }
        ],
        "exit_code": 0,
    }
    assert call(errors, hours="1.5").out == "no failure in the last 1.5 hours\n"


@pytest.mark.parametrize("hours", ["x", "0", "-1", "nan", "inf", "8785", ""])
def test_hours_that_are_none_are_refused_on_one_line(call: Call, hours: str) -> None:
    said = call(errors, hours=hours)
    wanted = (
        f"airflow nba errors: {hours!r} is not a number of hours: write one above 0 and up to 8784,"
        " for example 24\n"
    )
    assert said == Said(code=2, out="", err=wanted)
