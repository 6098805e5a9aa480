"""Values that nobody can have make a game unsound, by source."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

from include.checks.bodies import Asked
from tests.parsing.nbacom.game_log import DAY, one_game, wrapped
from tests.parsing.test_balldontlie import body
from tests.parsing.test_balldontlie import one_game as boxed
from tests.plugins.test_specs import FIXTURES

if TYPE_CHECKING:
    from include.sources.spec import Source

PROPS = FIXTURES / "odds_api_props" / "player_props.2024-01-16.json"


def ball_dont_lie(**changes: Any) -> bytes:
    """GSW at UTA; one of the home team's players is changed."""
    game = boxed(id=7)
    for player in (*game["home_team"]["players"], *game["visitor_team"]["players"]):
        player["min"] = "48"
    game["home_team"]["players"][0] |= changes
    return body(game)


def nbacom(**changes: Any) -> bytes:
    """The same game."""
    rows = one_game(MIN=48)
    rows[0] |= changes
    return wrapped(rows)


def props(**changes: Any) -> bytes:
    """GSW at LAC; one offer is changed."""
    answer = json.loads(PROPS.read_bytes())
    answer["data"]["bookmakers"][0]["markets"][0]["outcomes"][0] |= changes
    return json.dumps(answer).encode()


BALL_DONT_LIE = ("bdl_box_scores", "box_scores", "all", DAY, ball_dont_lie)
NBACOM = ("nbacom_box_scores", "box_scores", "regular_season", DAY, nbacom)
ODDS = (
    "odds_api_props",
    "player_props",
    "GSW-LAC-0b.player_points",
    date(2024, 1, 16),
    props,
)
NAMELESS = {"id": 1, "first_name": " ", "last_name": ""}


@pytest.mark.parametrize(
    ("at", "changes", "said"),
    [
        (BALL_DONT_LIE, {}, ""),
        (BALL_DONT_LIE, {"fgm": 1, "fga": 1}, ""),
        (BALL_DONT_LIE, {"reb": -7}, "Zoë Example1 Jr.'s reb is -7"),
        (BALL_DONT_LIE, {"ftm": 3, "fta": 2}, "Zoë Example1 Jr.'s ftm is 3 of 2 fta"),
        (BALL_DONT_LIE, {"player": NAMELESS}, "a player's name is blank"),
        (NBACOM, {}, ""),
        (NBACOM, {"TOV": -1}, "A Example Jr.'s tov is -1"),
        (NBACOM, {"FG3M": 2, "FG3A": 1}, "A Example Jr.'s fg3m is 2 of 1 fg3a"),
        (NBACOM, {"PLAYER_NAME": " "}, "a player's name is blank"),
        (ODDS, {}, ""),
        (ODDS, {"price": 1.01}, ""),
        (ODDS, {"price": 1}, ""),  # of a game that is as good as decided
        (ODDS, {"price": 0.9}, "examplebook's price of player_points is 0.9"),
        (ODDS, {"price": -3.5}, "examplebook's price of player_points is -3.5"),
        (ODDS, {"price": -110}, ""),
        (ODDS, {"description": " "}, "a player's name is blank"),
    ],
)
def test_value_that_nobody_can_have_is_named(
    sources: Mapping[str, Source],
    at: tuple[str, str, str, date, Callable[..., bytes]],
    changes: Mapping[str, Any],
    said: str,
) -> None:
    dag_id, name, item, day, make = at
    endpoint = sources[dag_id].endpoint(name)
    asked = Asked(endpoint=endpoint, item=item, day=day, scheduled=None)
    (game,) = asked.games(make(**changes))
    assert game.problem == said
