"""Reports to render, send and judge: one builder with sound defaults, so that a test names only
what matters to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from email.message import EmailMessage
from typing import Any

import pytest

from include.mail.envelope import address, read_envelope
from include.mail.message import make_message
from include.mail.report import Report
from include.outcome import Outcome
from include.results import DateResult
from tests.mail.stand_in import StandIn, listening

MakeReport = Callable[..., Report]


@pytest.fixture(scope="session")
def make_report() -> MakeReport:
    """``make_report([results], **fields)``: a finished backfill of bdl_box_scores over the results'
    dates."""

    def make(dates: list[DateResult], **fields: Any) -> Report:
        days = [result.day for result in dates] or [date(2024, 10, 22)]
        defaults: dict[str, Any] = {
            "batch_id": "42",
            "dag_id": "bdl_box_scores",
            "kind": "backfill",
            "first_day": min(days),
            "last_day": max(days),
            "state": "finished",
            "started_at": datetime(2026, 10, 1, 10, 2, tzinfo=UTC),
            "ended_at": datetime(2026, 10, 1, 12, 16, tzinfo=UTC),
            "dates": dates,
            "requests": 10,
            "credits_used": 0,
        }
        return Report(**(defaults | fields))

    return make


@pytest.fixture(scope="session")
def mixed(make_report: MakeReport) -> Report:
    """Ten dates: five complete, one without games, two failed alike, one partial, one lost; with a
    plan."""
    at = datetime(2026, 10, 1, 10, 30, tzinfo=UTC)
    log_url = (
        "https://airflow.example.com/dags/bdl_box_scores/runs/2024-10-25/tasks/scrape?try_number=1"
    )
    good = [
        DateResult(
            day=date(2024, 10, day), outcome=Outcome.COMPLETE, endpoint="box_scores", rows=200
        )
        for day in (22, 23, 24, 29, 30)
    ]
    blocked = [
        DateResult(
            day=date(2024, 10, day),
            outcome=Outcome.FAILED,
            endpoint="box_scores",
            error_class="blocked",
            message=(
                f"a page for 2024-10-{day} (<title>Denied</title>):\nthe address is blocked,"
                " wait an hour or add another"
            ),
            log_url=log_url,
            first_at=at,
            last_at=at.replace(minute=31 + day - 25),
        )
        for day in (25, 26)
    ]
    partial = DateResult(
        day=date(2024, 10, 27),
        outcome=Outcome.PARTIAL,
        endpoint="box_scores",
        error_class="incomplete",
        message="3 of 5 games are final",
        log_url="javascript:alert(1)",
        games_found=3,
        games_expected=5,
        missing=("LAL@GSW", "DEN@PHX"),
        rows=60,
        first_at=at,
        last_at=at,
    )
    return make_report(
        [
            *good,
            *blocked,
            partial,
            DateResult(day=date(2024, 10, 28), outcome=Outcome.NO_GAMES, endpoint="box_scores"),
            DateResult(day=date(2024, 10, 31), outcome=Outcome.LOST, endpoint="box_scores"),
        ],
        requests=1318,
        planned_requests=1290,
        credits_used=340,
        credits_left=160,
        planned_minutes=125,
        cost=0.034,
        bytes=48_200_000,
        rerun_command=(
            "airflow dags backfill bdl_box_scores -s 2024-10-22 -e 2024-10-31"
            " --rerun-failed-tasks -y"
        ),
        ui_url="https://airflow.example.com/dags/bdl_box_scores",
        code_version="3f9c1e2",
    )


@pytest.fixture
def message(mixed: Report) -> EmailMessage:
    people = {
        "sender": "NBA backfills <backfills@example.com>",
        "recipients": ["a@example.com", "B Team <b@example.com>"],
        "reply_to": "oncall@example.com",
    }
    return address(make_message(mixed), read_envelope(people))


@pytest.fixture
def sendgrid(monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    """SendGrid's stand-in, reached without a proxy."""
    monkeypatch.setenv("no_proxy", "*")
    with listening() as stand_in:
        yield stand_in
