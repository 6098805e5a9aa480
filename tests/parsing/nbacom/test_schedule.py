"""NBA.com's schedule: a recorded season, and small ones of our own."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from include.errors import ErrorClass, Problem
from include.parsing.nbacom import (
    SCHEDULE,
    schedule_games,
    schedule_rows,
)
from include.sources.spec import GameState
from tests.parsing.nbacom.game_log import DAY
from tests.parsing.reading import drift, encoded, read, shape


@pytest.fixture(scope="module")
def schedule(recorded: Path) -> bytes:
    return read(recorded, "nba_com/scheduleleaguev2_2024-25.json.gz")


def test_recorded_season_has_1400_games_of_which_1321_count(schedule: bytes) -> None:
    # A parser call decodes its whole body; one with a single date each keeps this test short.
    whole = json.loads(schedule)
    dates = whole["leagueSchedule"]["gameDates"]
    rows = []
    for entry in dates:
        month, number, year = map(int, entry["gameDate"][:10].split("/"))
        whole["leagueSchedule"]["gameDates"] = [entry]
        rows += shape(SCHEDULE, schedule_rows(encoded(whole), date(year, month, number)))
    counting = [row for row in rows if row["counts"]]
    assert (len(rows), len({row["game_date"] for row in rows})) == (1400, 231)
    assert (len(counting), len({row["game_date"] for row in counting})) == (1321, 214)
    assert Counter(row["season_type"] for row in rows) == {
        "Regular Season": 1230,
        "Playoffs": 84,
        "Pre Season": 73,
        "PlayIn": 6,
        "All Star": 6,
        "IST": 1,
    }
    assert {row["game_date"] for row in rows if row["season_type"] == "IST"} == {date(2024, 12, 17)}
    # The date in the schedule is the US/Eastern one of tip-off.
    assert all(
        timedelta(hours=4)
        < row["tip_off"] - datetime.combine(row["game_date"], datetime.min.time(), UTC)
        for row in rows
    )


@pytest.mark.parametrize(("day", "count"), [(date(2024, 12, 24), 0), (date(2024, 12, 25), 5)])
def test_christmas_has_five_games_and_its_eve_has_none(
    schedule: bytes, day: date, count: int
) -> None:
    assert len(list(schedule_rows(schedule, day))) == count
    assert [game.state for game in schedule_games(schedule, day)] == [GameState.FINAL] * count


def entry(game_id: str = "0022300999", **changes: Any) -> dict[str, Any]:
    return {
        "gameId": game_id,
        "gameStatus": 3,
        "gameStatusText": "Final",
        "gameDateTimeUTC": "2024-01-16T02:00:00Z",
        "postponedStatus": "N",
        "gameLabel": "",
        "isNeutral": False,
        "homeTeam": {"teamId": 1, "teamTricode": "UTA", "score": 15},
        "awayTeam": {"teamId": 2, "teamTricode": "GSW", "score": 10},
        **changes,
    }


def a_season(
    *games: dict[str, Any], year: str = "2023-24", day: str = "01/15/2024 00:00:00"
) -> bytes:
    dates = [
        {"gameDate": "01/14/2024 00:00:00", "games": [entry("0022300001")]},
        {"gameDate": day, "games": games},
    ]
    return encoded({"leagueSchedule": {"seasonYear": year, "gameDates": dates}})


def test_schedule_row_holds_what_the_body_says() -> None:
    assert list(schedule_rows(a_season(entry(gameLabel="Cup")), DAY)) == [
        {
            **dict.fromkeys(column.name for column in SCHEDULE.columns),
            "game_date": DAY,
            "game_id": "0022300999",
            "home_tricode": "UTA",
            "away_tricode": "GSW",
            "season": "2023-24",
            "season_type": "Regular Season",
            "counts": True,
            "postponed": False,
            "status": 3,
            "tip_off": datetime(2024, 1, 16, 2, tzinfo=UTC),
            "home_team_id": 1,
            "away_team_id": 2,
            "home_score": 15,
            "away_score": 10,
            "game_status_text": "Final",
            "game_label": "Cup",
            "is_neutral": False,
        }
    ]


@pytest.mark.parametrize(
    ("game", "state"),
    [
        (entry(), GameState.FINAL),
        (entry(gameStatus=1, gameStatusText="9:00 pm ET"), GameState.UNPLAYED),
        (entry(gameStatus=2, gameStatusText="Q3 1:00"), GameState.LIVE),
        (entry(gameStatus=1, gameStatusText="PPD"), GameState.POSTPONED),
        (entry(gameStatus=1, postponedStatus="Y"), GameState.POSTPONED),
        (entry("0012300001"), GameState.LISTED),
        (entry("0032300001"), GameState.LISTED),
        (entry("0042300001"), GameState.FINAL),
        (entry("0052300001"), GameState.FINAL),
        (entry("0062300001"), GameState.FINAL),
        (
            entry("0042300001", homeTeam={"teamId": 0, "teamTricode": None, "score": 0}),
            GameState.LISTED,
        ),
    ],
)
def test_state_of_a_scheduled_game(game: dict[str, Any], state: GameState) -> None:
    (found,) = schedule_games(a_season(game), DAY)
    assert (found.state, found.rows) == (state, 1)


def test_undecided_team_has_a_name_and_does_not_count() -> None:
    (row,) = schedule_rows(a_season(entry("0042300001", homeTeam={"teamTricode": ""})), DAY)
    assert (row["home_tricode"], row["counts"]) == ("TBD", False)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"{}", "leagueSchedule is missing, wanted an object"),
        (
            a_season(year="2025-26"),
            "leagueSchedule.seasonYear is 2025-26, but 2024-01-15 is of 2023-24",
        ),
        (a_season(day="2024-01-15"), "leagueSchedule.gameDates[1].gameDate is not MM/DD/YYYY"),
        (
            a_season(entry("22300999")),
            (
                "leagueSchedule.gameDates[1].games[0].gameId is not an NBA.com game id: 00, 1 to 6,"
                " seven digits"
            ),
        ),
        (
            a_season(entry(homeTeam=None)),
            "leagueSchedule.gameDates[1].games[0].homeTeam is NoneType, wanted an object",
        ),
    ],
)
def test_schedule_of_another_shape_is_drift(body: bytes, said: str) -> None:
    assert drift(schedule_rows(body, DAY)) == said


def test_season_without_dates_is_no_season_without_games() -> None:
    body = encoded({"leagueSchedule": {"seasonYear": "2023-24", "gameDates": []}})
    with pytest.raises(Problem) as caught:
        list(schedule_rows(body, DAY))
    assert caught.value.error_class is ErrorClass.EMPTY_UNEXPECTED


@pytest.mark.parametrize(
    ("day", "said"),
    [
        (date(2024, 1, 16), "ends on 2024-01-15 and does not reach 2024-01-16"),
        (date(2023, 10, 25), "begins on 2024-01-14 and does not reach 2023-10-25"),
        (date(2024, 4, 8), "ends on 2024-01-15 and does not reach 2024-04-08"),
    ],
)
def test_schedule_that_does_not_reach_a_date_of_the_season_says_nothing_of_it(
    day: date, said: str
) -> None:
    with pytest.raises(Problem) as caught:
        list(schedule_rows(a_season(entry()), day))
    assert caught.value.error_class is ErrorClass.EMPTY_UNEXPECTED
    assert caught.value.message.startswith(f"the schedule {said}: ask again")


@pytest.mark.parametrize(
    ("year", "day"),
    [
        ("2023-24", date(2023, 9, 20)),
        ("2023-24", date(2024, 7, 4)),
        ("2020-21", date(2020, 11, 20)),
    ],
)
def test_date_out_of_season_has_no_games(year: str, day: date) -> None:
    assert list(schedule_rows(a_season(entry(), year=year), day)) == []
