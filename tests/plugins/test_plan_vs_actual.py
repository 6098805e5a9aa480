"""What a summary says beyond its dates: the plan and the credits that are left. It goes out without
them too."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from include.limits.allowance import month_of
from include.mail.report import Report
from include.ops.backfills import Backfill, note
from include.ops.db import connect
from include.outcome import Outcome
from include.results import DateResult
from nba_airflow.plan_vs_actual import add_plan_vs_actual, count_games

DAY = date(2025, 1, 15)
AT = datetime(2026, 1, 1, tzinfo=UTC)
HOSTS = ("balldontlie", "the_odds_api")


@pytest.fixture
def db(
    ops_db: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[psycopg.Connection[Any]]:
    for name in HOSTS:
        monkeypatch.setenv(
            f"AIRFLOW_CONN_{name.upper()}", json.dumps({"conn_type": "http", "host": "http://x"})
        )
    for name, url in (
        ("raw_store", f"file://{tmp_path}/raw"),
        ("warehouse", f"duckdb://{tmp_path}/warehouse"),
    ):
        monkeypatch.setenv(
            f"AIRFLOW_CONN_{name.upper()}",
            json.dumps({"conn_type": "generic", "extra": {"url": url}}),
        )
    with connect(ops_db) as connection:
        connection.execute("TRUNCATE ops.credit_months, ops.backfills, ops.outcomes CASCADE")
        connection.commit()
        yield connection


def report(
    dag_id: str = "bdl_box_scores", *, games: Sequence[int | None] = (11, None, 8), **more: Any
) -> Report:
    dates = [
        DateResult(
            day=DAY + timedelta(days=n),
            outcome=Outcome.COMPLETE if count else Outcome.FAILED,
            games_expected=count,
        )
        for n, count in enumerate(games)
    ]
    facts: dict[str, Any] = {
        "kind": "backfill",
        "state": "finished",
        "requests": 0,
        "credits_used": 0,
        **more,
    }
    return Report(
        batch_id="1",
        dag_id=dag_id,
        first_day=DAY,
        last_day=dates[-1].day,
        started_at=AT,
        ended_at=AT,
        dates=dates,
        **facts,
    )


def planned(found: Report) -> tuple[int | None, int | None, int | None]:
    """Requests and credits of the plan, and the credits left."""
    return found.planned_requests, found.planned_credits, found.credits_left


def test_free_source_has_a_plan_without_credits(db: psycopg.Connection[Any]) -> None:
    found = add_plan_vs_actual(db, report())
    assert planned(found) == (3, None, None)
    # Three requests of what the spec declares at the slowest, three tasks, and a start.
    assert found.planned_minutes == pytest.approx((3 * 0.5 * 3 + 3 * 3.0 + 15) / 60)


def test_batch_that_was_planned_before_it_began_is_compared_with_that_plan(
    db: psycopg.Connection[Any],
) -> None:
    plan = {"requests": 40, "credits": 7, "minutes": 12.5}
    noted = Backfill(
        backfill_id=1, dag_id="bdl_box_scores", batch_id="1", started_by="ann", plan=plan
    )
    note(db, noted)
    db.commit()
    found = add_plan_vs_actual(db, report(ran_before=True))
    assert (planned(found), found.planned_minutes) == ((40, None, None), 12.5)


def test_what_it_cost_stands_beside_what_was_planned(
    db: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    bought = {"conn_type": "http", "extra": {"credits": {"monthly": 20_000, "live_reserve": 0}}}
    monkeypatch.setenv("AIRFLOW_CONN_THE_ODDS_API", json.dumps(bought))
    free = add_plan_vs_actual(db, report())
    assert (free.cost, free.planned_cost) == (None, None)
    plan = {"requests": 40, "credits": 800, "minutes": 12.5, "operations": 57, "dollars": 1.2}
    noted = Backfill(
        backfill_id=1, dag_id="odds_api_props", batch_id="1", started_by="ann", plan=plan
    )
    note(db, noted)
    db.commit()
    taken = report("odds_api_props", credits_used=600, bucket_writes=20_000, bucket_reads=5000)
    found = add_plan_vs_actual(db, taken)
    # 20,000 credits are $30 a month, a million writes $5, as many reads $0.40.
    assert found.cost == pytest.approx(0.9 + 0.1 + 0.002)
    assert (found.planned_cost, found.planned_operations) == (1.2, 57)


def test_plan_has_the_markets_that_the_connection_chooses(
    db: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def credits_of(**extra: Any) -> int | None:
        fields = {"conn_type": "http", "extra": extra}
        monkeypatch.setenv("AIRFLOW_CONN_THE_ODDS_API", json.dumps(fields))
        return add_plan_vs_actual(db, report("odds_api_props")).planned_credits

    dates, games = 3, 11 + 10 + 8
    assert credits_of() == 32 * dates + 10 * games
    assert credits_of(markets="main") == 32 * dates + 40 * games
    assert credits_of(markets="main", regions="us,eu") == 62 * dates + 80 * games


def test_paid_source_tells_what_is_left_of_the_month(db: psycopg.Connection[Any]) -> None:
    month = month_of(datetime.now(UTC).date())
    db.execute(
        "INSERT INTO ops.credit_months (account, month, billed) VALUES ('the_odds_api', %s, 120)",
        (month,),
    )
    games = 11 + 10 + 8  # where nobody counted, the others' average
    found = add_plan_vs_actual(db, report("odds_api_props"))
    assert planned(found) == (3 + games + 2 * 3, 3 + 10 * games + 3 * 31, 380)


@pytest.mark.parametrize("kind", ["rerun", "live"])
def test_only_backfills_and_catchup_have_a_plan(db: psycopg.Connection[Any], kind: str) -> None:
    assert planned(add_plan_vs_actual(db, report("odds_api_props", kind=kind))) == (None, None, 500)
    assert planned(add_plan_vs_actual(db, report(kind="catchup"))) == (3, None, None)


def test_dates_that_ran_before_have_no_plan(db: psycopg.Connection[Any]) -> None:
    assert planned(add_plan_vs_actual(db, report(ran_before=True))) == (None, None, None)


def test_without_any_count_of_games_there_is_no_plan(db: psycopg.Connection[Any]) -> None:
    nothing = report(games=(None, None))
    assert (count_games(nothing), add_plan_vs_actual(db, nothing)) == ({}, nothing)


@pytest.mark.parametrize(
    ("dag_id", "missing", "said"),
    [
        ("bdl_box_scores", "BALLDONTLIE", "Airflow connection balldontlie is not defined"),
        ("bdl_box_scores", "WAREHOUSE", "Airflow connection warehouse is not defined"),
        ("removed_dag", "", "removed_dag has no spec any more"),
    ],
)
@pytest.mark.usefixtures("books")
def test_summary_goes_out_without_a_plan_that_nobody_knows(
    db: psycopg.Connection[Any],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    dag_id: str,
    missing: str,
    said: str,
) -> None:
    monkeypatch.delenv(f"AIRFLOW_CONN_{missing}", raising=False)
    before = report(dag_id)
    with caplog.at_level(logging.WARNING, logger="nba_airflow.plan_vs_actual"):
        assert add_plan_vs_actual(db, before) == before
    assert said in caplog.text


@pytest.mark.usefixtures("books")
def test_what_is_made_of_other_tables_has_no_plan_and_nothing_is_wrong_with_that(
    db: psycopg.Connection[Any], caplog: pytest.LogCaptureFixture
) -> None:
    before = report("prop_results")
    with caplog.at_level(logging.WARNING, logger="nba_airflow.plan_vs_actual"):
        assert add_plan_vs_actual(db, before) == before
    assert caplog.messages == []
