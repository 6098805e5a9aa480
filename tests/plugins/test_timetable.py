"""Which game dates get a run and when, also beside backfills and across daylight saving."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from include.partition import days_between

if TYPE_CHECKING:
    from airflow.dag_processing.dagbag import DagBag
    from airflow.timetables.base import DagRunInfo

    from nba_airflow.timetable import GameDateTimetable

# The first scheduled run: the midnight after the first live date, 2026-10-20.
START = datetime(2026, 10, 21, 4, tzinfo=UTC)


@pytest.fixture(scope="module")
def timetable(airflow_environment: None) -> GameDateTimetable:
    from nba_airflow.timetable import GameDateTimetable

    return GameDateTimetable()


def backfilled(timetable: GameDateTimetable, first: date, last: date) -> list[DagRunInfo]:
    """The runs that Airflow's backfill makes of a window; its bounds are midnights in UTC."""
    bounds = {
        name: datetime(day.year, day.month, day.day, tzinfo=UTC)
        for name, day in (("earliest", first), ("latest", last))
    }
    return list(timetable.iter_partition_dagrun_infos(**bounds))


def following(
    timetable: GameDateTimetable, last: DagRunInfo | None, **limits: Any
) -> DagRunInfo | None:
    """The scheduler's next run after the newest one that it knows."""
    from airflow.timetables.base import TimeRestriction

    restriction = TimeRestriction(**{"earliest": START, "latest": None, "catchup": True, **limits})
    return timetable.next_dagrun_info_v2(last_dagrun_info=last, restriction=restriction)


def live_runs(
    timetable: GameDateTimetable, number: int, last: DagRunInfo | None = None
) -> list[DagRunInfo]:
    runs = []
    for _ in range(number):
        last = following(timetable, last)
        assert last is not None
        runs.append(last)
    return runs


@pytest.mark.parametrize(
    ("first", "last"),
    [
        (date(2025, 3, 8), date(2025, 3, 11)),
        (date(2025, 11, 1), date(2025, 11, 4)),
        (date(2024, 12, 31), date(2025, 1, 1)),
        (date(2024, 10, 22), date(2024, 10, 22)),
    ],
)
def test_backfill_has_both_ends_and_every_date_once_across_daylight_saving(
    timetable: GameDateTimetable, first: date, last: date
) -> None:
    keys = [run.partition_key for run in backfilled(timetable, first, last)]
    assert keys == [str(day) for day in days_between(first, last)]


def test_live_runs_begin_at_the_start_and_work_on_the_date_before_their_midnight(
    timetable: GameDateTimetable,
) -> None:
    runs = live_runs(timetable, 14)
    assert [run.partition_key for run in runs] == [
        str(date(2026, 10, 20) + timedelta(days=n)) for n in range(14)
    ]
    # The clocks go back on 2026-11-01.
    assert [(run.run_after.month, run.run_after.day, run.run_after.hour) for run in runs[-3:]] == [
        (11, 1, 4),
        (11, 2, 5),
        (11, 3, 5),
    ]


@pytest.mark.parametrize("day", [date(2024, 12, 24), date(2026, 3, 8), date(2026, 10, 18)])
def test_backfill_from_before_the_start_does_not_move_the_live_schedule(
    timetable: GameDateTimetable, day: date
) -> None:
    (last,) = backfilled(timetable, day, day)
    assert following(timetable, last) == following(timetable, None) == live_runs(timetable, 1)[0]


@pytest.mark.parametrize(
    "day", [date(2026, 10, 20), date(2026, 10, 25), date(2026, 10, 31), date(2026, 11, 1)]
)
def test_date_that_a_backfill_has_run_is_not_scheduled_again(
    timetable: GameDateTimetable, day: date
) -> None:
    (filled,) = backfilled(timetable, day, day)
    live = next(run for run in live_runs(timetable, 20) if run.partition_key == str(day))
    assert filled.run_after != live.run_after
    assert following(timetable, filled) == following(timetable, live)
    assert (following(timetable, filled) or filled).partition_key == str(day + timedelta(days=1))


def test_live_schedule_ends_with_the_dag(timetable: GameDateTimetable) -> None:
    assert following(timetable, None, latest=START - timedelta(days=1)) is None


def test_timetable_comes_back_from_its_serialized_form(timetable: GameDateTimetable) -> None:
    again = type(timetable).deserialize(timetable.serialize())
    assert (type(again), again.serialize()) == (type(timetable), timetable.serialize())
    assert again.serialize() == {
        "expression": "0 0 * * *",
        "timezone": "America/New_York",
        "run_immediately": False,
        "run_offset": -1,
        "key_format": "%Y-%m-%d",
    }
    assert [run.partition_key for run in live_runs(again, 3)] == [
        "2026-10-20",
        "2026-10-21",
        "2026-10-22",
    ]


def test_key_is_read_back_as_its_own_midnight(timetable: GameDateTimetable) -> None:
    assert timetable.resolve_partition_date("2025-03-09") == datetime(2025, 3, 9, 5, tzinfo=UTC)
    assert timetable.resolve_partition_date("2025-03-10") == datetime(2025, 3, 10, 4, tzinfo=UTC)


@pytest.mark.parametrize("key", [None, "", "yesterday", "2025-1-5", "2025-02-30"])
def test_run_without_a_game_date_is_refused_where_it_is_triggered(
    bag: DagBag, key: str | None
) -> None:
    """By what Airflow's trigger form posts to; the answer is 400 with this line."""
    from airflow.api_fastapi.core_api.datamodels.dag_run import TriggerDAGRunPostBody
    from airflow.exceptions import InvalidPartitionKeyError
    from airflow.serialization.serialized_objects import DagSerialization

    from nba_airflow.timetable import NO_DATE

    for dag_id in ("bdl_box_scores", "prop_results"):
        dag = DagSerialization.from_dict(DagSerialization.to_dict(bag.dags[dag_id]))
        body = TriggerDAGRunPostBody(logical_date=None, partition_key=key)
        wanted = "must not be empty" if key == "" else re.escape(NO_DATE)
        with pytest.raises(InvalidPartitionKeyError, match=wanted):
            body.validate_context(dag)
        good = TriggerDAGRunPostBody(logical_date=None, partition_key="2025-01-15")
        assert good.validate_context(dag)["partition_date"] == datetime(2025, 1, 15, 5, tzinfo=UTC)
