"""`airflow nba gaps`: what the data itself lacks, and the commands that fill it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import psycopg
import pytest

from include.outcome import Outcome
from include.parsing.nbacom import SCHEDULE
from include.partition import DateRange, Partition
from include.sources.spec import Source
from include.steps.job import Stores
from include.storage import raw
from include.warehouse.local import LocalWarehouse
from nba_airflow.cli.gaps import gaps, list_due
from tests.plugins.cli.asking import DAG, DAY, NEXT, Call, Said, outcome
from tests.plugins.running import Airflow

pytestmark = pytest.mark.usefixtures("stores")


def window(first: date = DAY, last: date = NEXT, dag_id: str = DAG) -> dict[str, str]:
    return {"dag_id": dag_id, "start_date": str(first), "end_date": str(last)}


def off_day(stores: Stores, day: date) -> None:
    stores.warehouse.replace(SCHEDULE, day, [])


def test_gaps_of_a_whole_window_are_none(
    call: Call, stores: Stores, done: Callable[[date], None]
) -> None:
    done(DAY)
    off_day(stores, NEXT)
    said = call(gaps, **window())
    assert said == Said(code=0, out=f"{DAG}: 2025-01-15..2025-01-16: no gaps in 2 dates\n", err="")
    assert call(gaps, **window(last=DAY)).out == f"{DAG}: 2025-01-15: no gaps in 1 date\n"


def test_gaps_are_found_beside_the_data_whatever_the_ledger_says(
    call: Call, db: psycopg.Connection[Any], stores: Stores, done: Callable[[date], None]
) -> None:
    done(DAY)
    done(NEXT)
    for day in (DAY, NEXT):
        outcome(db, day, "complete")
    assert isinstance(stores.warehouse, LocalWarehouse)
    (part,) = stores.warehouse.root.glob(f"raw/{DAG}/game_date={NEXT}/*")
    part.unlink()

    said = call(gaps, **window(last=date(2025, 1, 17)))

    assert (said.code, said.err) == (1, "")
    assert said.out.splitlines() == [
        f"{DAG}: 2025-01-15..2025-01-17: 2 of 3 dates have gaps",
        (
            f"  partial box_scores: 2025-01-16: raw.{DAG} has other rows than raw: the partition is"
            " not there"
        ),
        (
            "  not_run box_scores: 2025-01-17: never fetched, and the schedule does not have"
            " the date either: `airflow dags backfill nbacom_schedule -s DATE -e DATE` gets it"
        ),
        f"Heal them: airflow nba repair {DAG} -s 2025-01-15 -e 2025-01-17",
        "or, as backfills:",
        f"  airflow dags backfill {DAG} -s 2025-01-16 -e 2025-01-17 --reset-dagruns -y",
    ]


def test_gaps_as_json_name_the_missing_games(
    call: Call, stores: Stores, done: Callable[[date], None]
) -> None:
    done(DAY)
    at = Partition(dag_id=DAG, endpoint="box_scores", day=DAY)
    whole = raw.read_manifest(stores.raw, at)
    assert whole
    message = "1 of 2 games: missing MIA@BOS"
    partial = raw.Manifest(
        **{
            **vars(whole),
            "outcome": Outcome.PARTIAL,
            "message": message,
            "games_expected": 2,
            "missing": ("MIA@BOS",),
        }
    )
    raw.write_manifest(stores.raw, at, partial, over=whole)
    said = call(gaps, **window(last=DAY), json=True)
    assert said.code == 1
    assert said.facts == {
        "dag_id": DAG,
        "first": "2025-01-15",
        "last": "2025-01-15",
        "dates": 1,
        "days": ["2025-01-15"],
        "gaps": [
            {
                "endpoint": "box_scores",
                "outcome": "partial",
                "message": message,
                "days": ["2025-01-15"],
            }
        ],
        "missing": [{"endpoint": "box_scores", "day": "2025-01-15", "games": ["MIA@BOS"]}],
        "faults": [{"endpoint": "box_scores", "day": "2025-01-15", "fault": "missing game"}],
        "commands": [f"airflow dags backfill {DAG} -s 2025-01-15 -e 2025-01-15 --reset-dagruns -y"],
        "under_way": "",
        "exit_code": 1,
    }


def test_backfill_that_still_runs_dates_of_the_window_is_named(
    call: Call, airflow: Airflow
) -> None:
    number = airflow.backfill(DateRange(DAY, date(2025, 1, 17)))
    airflow.start(DAY)
    airflow.end(DAY)
    said = call(gaps, **window())
    told = f"Backfill {number} (2025-01-15..2025-01-17) is under way: 1 date of these not ended yet"
    lines = [line for line in said.out.splitlines() if line.startswith((DAG, "Backfill"))]
    assert lines == [f"{DAG}: 2025-01-15..2025-01-16: 2 of 2 dates have gaps", told]
    airflow.end(NEXT)
    assert "Backfill" not in call(gaps, **window()).out


def test_gaps_look_at_every_endpoint(call: Call) -> None:
    said = call(gaps, **window(last=DAY, dag_id="nbacom_box_scores"), json=True)
    assert [gap["endpoint"] for gap in said.facts["gaps"]] == ["box_scores", "play_by_play"]


def test_date_that_cannot_be_final_yet_is_no_gap(sources: dict[str, Source]) -> None:
    days = DateRange(DAY, NEXT)
    just_before_six_eastern = datetime(2025, 1, 17, 10, 59, tzinfo=UTC)
    assert list_due(sources[DAG], days, just_before_six_eastern) == [("box_scores", DAY)]
    assert list_due(sources[DAG], days, just_before_six_eastern + timedelta(minutes=1)) == [
        ("box_scores", DAY),
        ("box_scores", NEXT),
    ]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (window(dag_id="nope"), "'nope' is not the DAG of a source: those are "),
        (
            window(dag_id="backfill_summary"),
            "'backfill_summary' is not the DAG of a source: those are ",
        ),
        (
            window(first=NEXT, last=DAY),
            "the end 2025-01-15 is before the start 2025-01-16: swap them",
        ),
        (window(last=date(2099, 1, 1)), "2099-01-01 is not over yet in US/Eastern"),
        ({**window(), "end_date": "2025-02-30"}, "'2025-02-30' is not a day of the calendar"),
    ],
)
def test_window_that_is_none_is_refused_on_one_line(
    call: Call, arguments: dict[str, str], said: str
) -> None:
    found = call(gaps, **arguments)
    assert (found.code, found.out) == (2, "")
    (line,) = found.err.splitlines()
    assert line.startswith(f"airflow nba gaps: {said}")
