"""Games that are not played on their date: cancelled, postponed, and those whose teams nobody knows
yet, at every source."""

from __future__ import annotations

from typing import Any

import pytest

from include.parsing.balldontlie import BOX_SCORES, listed_games
from include.sources.spec import GameState
from tests.checks.told import Telling
from tests.parsing.nbacom.test_schedule import a_season, entry
from tests.parsing.test_balldontlie import JAN_15, body
from tests.parsing.test_balldontlie import one_game as boxed

BALL_DONT_LIE = ("bdl_box_scores", "box_scores")
SCHEDULE = ("nbacom_schedule", "schedule")
NOBODY = {"teamId": 0, "teamTricode": None, "score": 0}


def to_come(**changes: Any) -> dict[str, Any]:
    """GSW at UTA before tip-off, as both of Ball Don't Lie's lists have it."""
    game = boxed(id=7, status="2024-01-16T02:00:00Z", period=0, time=None)
    game |= {"home_team_score": 0, "visitor_team_score": 0}
    game |= {side: {**game[side], "players": []} for side in ("home_team", "visitor_team")}
    return {**game, **changes}


@pytest.mark.parametrize(
    "changes",
    [
        {"gameStatusText": "Cancelled"},
        {"gameStatusText": "Canceled"},
        {"gameStatusText": "CANCELLED "},
        {"gameStatusText": "PPD"},
        {"postponedStatus": "C"},
    ],
)
def test_game_that_the_schedule_has_cancelled_is_not_waited_for(
    telling: Telling, changes: dict[str, str]
) -> None:
    cancelled = entry("0022300998", gameStatus=1, **changes)
    told = telling.run(SCHEDULE, JAN_15, a_season(cancelled))
    assert (told.outcome, told.message) == ("no_games", "no games on this date")
    assert [(row["postponed"], row["counts"]) for row in told.rows] == [(True, True)]
    # The sources without it have the whole date.
    assert telling.run(BALL_DONT_LIE, JAN_15, body()).outcome == "no_games"


@pytest.mark.parametrize(
    ("changes", "outcome"),
    [
        ({"postponed": True}, "no_games"),
        ({"postponed": None, "status": "Postponed"}, "no_games"),
        ({"status": "Canceled"}, "no_games"),
        ({"status": "Cancelled", "postponed": True}, "no_games"),
        ({"postponed": False}, "partial"),
    ],
)
def test_game_that_ball_dont_lie_has_called_off_is_not_waited_for(
    telling: Telling, changes: dict[str, Any], outcome: str
) -> None:
    lists = body(to_come(**changes))
    assert telling.run(BALL_DONT_LIE, JAN_15, lists, lists).outcome == outcome


def test_game_that_was_postponed_and_has_been_played_is_data(telling: Telling) -> None:
    lists = body(boxed(id=7, postponed=True))
    told = telling.run(BALL_DONT_LIE, JAN_15, lists, lists)
    assert (told.outcome, len(told.rows)) == ("complete", 10)


def test_two_undecided_games_of_a_date_are_two(telling: Telling) -> None:
    undecided = {"gameStatus": 1, "gameStatusText": "TBD", "homeTeam": NOBODY, "awayTeam": NOBODY}
    games = [entry(f"002230120{n}", **undecided) for n in (1, 2)]
    told = telling.run(SCHEDULE, JAN_15, a_season(*games))
    assert (told.outcome, told.message) == ("complete", "2 of 2 games")
    assert [row["game_id"] for row in told.rows] == ["0022301201", "0022301202"]


@pytest.mark.parametrize("team", [None, {"abbreviation": None}, {"abbreviation": "TBD"}])
def test_undecided_games_of_ball_dont_lie_are_missing_and_no_drift(
    telling: Telling, team: dict[str, Any] | None
) -> None:
    sides = {"home_team": team, "visitor_team": team}
    lists = body(boxed(id=6), to_come(**sides), to_come(**sides) | {"id": 8})
    assert [(str(g), g.state) for g in listed_games(lists, JAN_15)] == [
        ("GSW@UTA", GameState.FINAL),
        ("TBD@TBD", GameState.UNPLAYED),
        ("TBD@TBD", GameState.UNPLAYED),
    ]
    told = telling.run(BALL_DONT_LIE, JAN_15, lists, lists)
    assert told.message == "1 of 3 games: missing TBD@TBD (unplayed), TBD@TBD (unplayed)"


def test_did_not_play_says_that_some_have_played_for_seconds() -> None:
    (column,) = (column for column in BOX_SCORES.columns if column.name == "did_not_play")
    assert "seconds" in column.doc
