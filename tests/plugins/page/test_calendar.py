"""What the calendar shows of a season: the ledger's newest word on each date, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

from include.ops.calendar import Cell, read_season, read_seasons, season_of, season_range
from include.ops.db import connect
from include.ops.outcomes import OutcomeRow, record
from include.outcome import Outcome
from include.parsing.nbacom import season
from nba_airflow.page.calendar import draw_calendar

NOW = datetime(2025, 2, 1, tzinfo=UTC)
DAY = date(2025, 1, 15)
ROW = OutcomeRow(
    dag_id="one",
    endpoint="box_scores",
    day=DAY,
    run_id="r1",
    attempt=1,
    phase="audit",
    outcome=Outcome.COMPLETE,
    started_at=NOW,
    ended_at=NOW,
    games_found=5,
    games_expected=5,
)
CELL = Cell(
    day=DAY,
    outcome=Outcome.COMPLETE,
    games_found=5,
    games_expected=5,
    run_id="r1",
    accepted=False,
)


def test_a_season_begins_in_august_and_has_every_date_once() -> None:
    assert [season_of(date(2025, m, 1)) for m in (1, 7, 8, 12)] == [2024, 2024, 2025, 2025]
    days = [*season_range(2023).days, *season_range(2024).days]
    assert (days[0], days[-1]) == (date(2023, 8, 1), date(2025, 7, 31))
    assert len(set(days)) == len(days) == 731
    assert {season_of(day) for day in season_range(2024).days} == {2024}


def test_the_season_of_the_bubble_has_its_last_dates() -> None:
    days = [*season_range(2019).days, *season_range(2020).days]
    assert (days[0], season_range(2019).last, days[-1]) == (
        *(date(2019, 8, 1), date(2020, 10, 11)),
        date(2021, 7, 31),
    )
    assert len(set(days)) == len(days) == 731
    names = [season(day) for day in days]
    assert [f"{at}-{at % 100 + 1}" for at in map(season_of, days)] == names


def test_a_date_is_as_bad_as_its_worst_endpoint_by_the_newest_tries(ops_db: str) -> None:
    lines = replace(ROW, endpoint="lines")
    with connect(ops_db) as connection:
        record(connection, replace(ROW, outcome=Outcome.FAILED))
        record(connection, replace(ROW, run_id="r2"))
        record(connection, replace(lines, outcome=Outcome.PARTIAL, run_id="r2", games_found=3))
        record(connection, replace(ROW, day=date(2025, 1, 16), outcome=Outcome.ACCEPTED))
        record(connection, replace(ROW, day=date(2023, 10, 24)))
        record(connection, replace(ROW, dag_id="two", day=date(2025, 9, 1)))
        assert read_seasons(connection, ["one", "two", "none"]) == [2025, 2024, 2023]
        assert read_seasons(connection, ["none"]) == []
        assert read_season(connection, ["one", "two"], 2024, unasked) == {
            "one": [
                replace(CELL, outcome=Outcome.PARTIAL, games_found=3, run_id="r2"),
                replace(CELL, day=date(2025, 1, 16), outcome=Outcome.ACCEPTED, accepted=True),
            ],
            "two": [],
        }


def unasked() -> list[str]:
    raise AssertionError("no date waits")


def test_a_date_that_waits_and_has_no_open_run_was_ended_by_hand(ops_db: str) -> None:
    with connect(ops_db) as connection:
        for n, (run_id, outcome) in enumerate(
            [
                *(("open", Outcome.QUOTA_WAIT), ("ended", Outcome.NOT_YET)),
                *(("gone", Outcome.QUOTA_WAIT), ("bad", Outcome.FAILED)),
            ]
        ):
            waits = replace(ROW, dag_id="waits", day=date(2024, 11, 1 + n), run_id=run_id)
            record(connection, replace(waits, outcome=outcome))
        cells = read_season(connection, ["waits"], 2024, lambda: ["open"])["waits"]
        assert [(cell.run_id, cell.outcome) for cell in cells] == [
            *(("open", Outcome.QUOTA_WAIT), ("ended", Outcome.NOT_RUN)),
            *(("gone", Outcome.NOT_RUN), ("bad", Outcome.FAILED)),
        ]


def test_dates_of_no_season_make_no_seasons(ops_db: str) -> None:
    with connect(ops_db) as connection:
        for dag_id, day in (
            *(("first", date.min), ("first", DAY)),
            *(("last", DAY), ("last", date.max)),
            *(("none", date.min), ("never", date.max)),
        ):
            record(connection, replace(ROW, dag_id=dag_id, day=day))
        found = {name: read_seasons(connection, [name]) for name in ("first", "last")}
        assert found == {"first": [*range(2024, 1945, -1)], "last": [*range(2200, 2023, -1)]}
        assert read_seasons(connection, ["none"]) == read_seasons(connection, ["never"]) == []


def test_months_are_whole_and_begin_on_their_weekday() -> None:
    december = replace(CELL, day=date(2024, 12, 25), outcome=Outcome.NO_GAMES, games_expected=0)
    drawn = draw_calendar([december, CELL], wanted=Outcome.COMPLETE)
    assert [(m.name, m.starts_on, len(m.squares)) for m in drawn.months] == [
        ("Dec 2024", 7, 31),
        ("Jan 2025", 3, 31),
    ]
    squares = {square.day: square for month in drawn.months for square in month.squares}
    assert squares[date(2024, 12, 25)].says == "2024-12-25: no games"
    assert squares[DAY].says == "2025-01-15: complete, 5 of 5 games"
    assert squares[date(2025, 1, 1)].says == "2025-01-01: never run"
    assert [day for day, square in squares.items() if square.faint] == [date(2024, 12, 25)]
    assert drawn.counts == [(Outcome.COMPLETE, 1), (Outcome.NO_GAMES, 1)]


def test_a_season_without_dates_is_empty() -> None:
    drawn = draw_calendar([])
    assert (drawn.months, drawn.counts) == ([], [])
