"""NBA.com's play by play: recorded games, and a small one of our own."""

from __future__ import annotations

import copy
import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from include.parsing.nbacom import (
    PLAY_BY_PLAY,
    play_by_play_games,
    play_by_play_items,
    play_by_play_rows,
)
from include.sources.spec import GameState, Item, Listing
from tests.parsing.nbacom.game_log import DAY, one_game, scheduled, wrapped
from tests.parsing.reading import drift, encoded, read, shape

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures" / "nbacom_box_scores"


@pytest.mark.parametrize(
    ("game_id", "day", "actions", "game"),
    [
        ("0022400500", date(2025, 1, 6), 571, "LAC@MIN"),
        ("0022400561", date(2025, 1, 15), 506, "NYK@PHI"),
    ],
)
def test_recorded_play_by_play_is_one_sound_game(
    recorded: Path, game_id: str, day: date, actions: int, game: str
) -> None:
    body = read(recorded, f"nba_com/playbyplay_{game_id}.json.gz")
    got = shape(PLAY_BY_PLAY, play_by_play_rows(body, day))
    (found,) = play_by_play_games(body, day)
    assert len(got) == found.rows == actions
    assert (str(found), found.game_id, found.state, found.problem) == (
        game,
        game_id,
        GameState.FINAL,
        "",
    )
    assert {(row["away_tricode"], row["home_tricode"], row["game_date"]) for row in got} == {
        (found.away, found.home, day)
    }


@pytest.fixture(scope="module")
def small_game() -> dict[str, Any]:
    return json.loads((FIXTURES / "play_by_play.2024-01-15.json").read_bytes())


def test_home_team_is_the_one_whose_points_raise_the_home_score(small_game: dict[str, Any]) -> None:
    rows = list(play_by_play_rows(encoded(small_game), DAY))
    assert [(row["order_number"], row["away_score"], row["home_score"]) for row in rows] == [
        (20000, 0, 0),
        (30000, 2, 0),
        (40000, 2, 3),
        (50000, 2, 3),
        (60000, 2, 3),
    ]
    assert rows[2] == {
        **dict.fromkeys(column.name for column in PLAY_BY_PLAY.columns),
        "game_date": DAY,
        "game_id": "0022300999",
        "home_tricode": "UTA",
        "away_tricode": "GSW",
        "order_number": 40000,
        "action_number": 4,
        "period": 1,
        "period_type": "REGULAR",
        "clock": "PT11M20.00S",
        "time_actual": datetime(2024, 1, 16, 2, 11, 0, 300000, tzinfo=UTC),
        "action_type": "3pt",
        "team_tricode": "UTA",
        "team_id": 1,
        "player_id": 11,
        "player_name": "A. Example",
        "player_last_name": "Example",
        "shot_result": "Made",
        "shot_distance": 24.5,
        "is_field_goal": 1,
        "x": 70.25,
        "y": 30.5,
        "home_score": 3,
        "away_score": 2,
        "qualifiers": "2ndchance,fromturnover",
    }
    (game,) = play_by_play_games(encoded(small_game), DAY)
    assert (str(game), game.state, game.rows, game.problem) == ("GSW@UTA", GameState.FINAL, 5, "")


def test_game_that_has_not_ended_is_live(small_game: dict[str, Any]) -> None:
    body = copy.deepcopy(small_game)
    del body["game"]["actions"][-1]
    (game,) = play_by_play_games(encoded(body), DAY)
    assert game.state is GameState.LIVE


def test_lost_action_shows_in_the_points(small_game: dict[str, Any]) -> None:
    body = copy.deepcopy(small_game)
    for action in body["game"]["actions"][3:]:
        action["scoreHome"] = "5"
    (game,) = play_by_play_games(encoded(body), DAY)
    assert game.problem == "shots make 2:3, the score is 2:5"


def test_game_without_points_is_no_data(small_game: dict[str, Any]) -> None:
    body = copy.deepcopy(small_game)
    body["game"]["actions"] = body["game"]["actions"][:1]
    assert (
        list(play_by_play_games(encoded(body), DAY))
        == list(play_by_play_rows(encoded(body), DAY))
        == []
    )


def test_play_by_play_of_another_shape_is_drift(small_game: dict[str, Any]) -> None:
    assert drift(play_by_play_rows(b"{}", DAY)) == "game is missing, wanted an object"
    body = copy.deepcopy(small_game)
    del body["game"]["actions"][2]["clock"]
    assert (
        drift(play_by_play_rows(encoded(body), DAY))
        == "game.actions[2].clock is missing, wanted text"
    )
    for score in ("none", "²", "9" * 5000):
        body["game"]["actions"][0]["scoreHome"] = score
        said = "game.actions[0] has a score that is not a number"
        assert drift(play_by_play_rows(encoded(body), DAY)) == said


def test_one_request_per_game_of_the_schedule_that_is_not_postponed() -> None:
    expected = [
        scheduled("Regular Season", game_id="0022300998"),
        scheduled("Regular Season"),
        scheduled("Regular Season", GameState.POSTPONED, "0022300997"),
    ]
    assert play_by_play_items(Listing(day=DAY, expected=expected)) == [
        Item(name="0022300998", values={"game_id": "0022300998"}),
        Item(name="0022300999", values={"game_id": "0022300999"}),
    ]
    assert play_by_play_items(Listing(day=DAY, expected=[], bodies=[wrapped(one_game())])) == []


def test_without_a_schedule_the_game_log_names_the_games() -> None:
    listing = Listing(day=DAY, expected=None, bodies=[wrapped(one_game())])
    assert play_by_play_items(listing) == [
        Item(name="0022300999", values={"game_id": "0022300999"})
    ]
