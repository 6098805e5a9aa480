"""Minutes and points that do not add up, and bodies of something else than was asked for: each
found, by source."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import date
from typing import Any

import pytest

from tests.checks.told import Telling, scheduled
from tests.parsing.nbacom.game_log import DAY, one_game, wrapped
from tests.parsing.test_balldontlie import body
from tests.parsing.test_balldontlie import one_game as boxed
from tests.parsing.test_bigdataball import FILE, folder
from tests.parsing.test_bigdataball import file as listed_file
from tests.plugins.test_specs import FIXTURES

BALL_DONT_LIE = ("bdl_box_scores", "box_scores")
NBACOM = ("nbacom_box_scores", "box_scores")
GAME = scheduled(DAY, "GSW@UTA", "0022300999", status=3, away_score=10, home_score=15)


def ball_dont_lie(minutes: Sequence[int], *, period: int = 4, **changes: Any) -> bytes:
    """GSW at UTA, final, 10:15; the visitors' minutes."""
    game = boxed(id=7, period=period, **changes)
    for player, number in zip(game["visitor_team"]["players"], minutes, strict=True):
        player["min"] = f"{number:02}"
    for player in game["home_team"]["players"]:
        player["min"] = str(48 + 5 * (period - 4))
    return body(game)


def nbacom(minutes: Sequence[int], *, period: int = 4) -> bytes:
    """The same game."""
    rows = one_game(MIN=48 + 5 * (period - 4))
    for row, number in zip(rows[5:], minutes, strict=True):
        row["MIN"] = number
    return wrapped(rows)


@pytest.mark.parametrize(
    ("at", "make"), [(BALL_DONT_LIE, ball_dont_lie), (NBACOM, nbacom)], ids=["bdl", "nbacom"]
)
@pytest.mark.parametrize(
    ("minutes", "period", "said"),
    [
        ([24] * 5, 4, "120 minutes, 240 expected"),
        ([32] * 5, 4, "160 minutes, 240 expected"),
        ([48, 48, 48, 20, 13], 4, "177 minutes, 240 expected"),
        ([48, 48, 48, 48, 42], 4, "234 minutes, 240 expected"),
        ([48] * 5, 5, "240 minutes, 265 expected after overtime"),
        ([50] * 5, 6, "250 minutes, 290 expected after 2 overtimes"),
    ],
)
def test_minutes_that_do_not_add_up_make_a_box_score_unsound(
    telling: Telling,
    at: tuple[str, str],
    make: Callable[..., bytes],
    minutes: list[int],
    period: int,
    said: str,
) -> None:
    telling.schedule(DAY, GAME)
    told = telling.run(at, DAY, make(minutes, period=period))
    said = f"0 of 1 games: unsound GSW@UTA (GSW's players have {said})"
    assert (told.outcome, told.message) == ("partial", said)


@pytest.mark.parametrize(
    ("at", "make"), [(BALL_DONT_LIE, ball_dont_lie), (NBACOM, nbacom)], ids=["bdl", "nbacom"]
)
@pytest.mark.parametrize(
    ("minutes", "period"),
    [([48] * 4 + [53], 4), ([48] * 4 + [43], 4), ([53] * 5, 5), ([58] * 4 + [60], 6)],
)
def test_minutes_that_rounding_explains_are_sound(
    telling: Telling,
    at: tuple[str, str],
    make: Callable[..., bytes],
    minutes: list[int],
    period: int,
) -> None:
    telling.schedule(DAY, GAME)
    assert telling.run(at, DAY, make(minutes, period=period)).outcome == "complete"


@pytest.mark.parametrize(
    ("at", "make"), [(BALL_DONT_LIE, ball_dont_lie), (NBACOM, nbacom)], ids=["bdl", "nbacom"]
)
def test_points_are_held_against_the_schedules_score_once_it_is_final(
    telling: Telling, at: tuple[str, str], make: Callable[..., bytes]
) -> None:
    telling.schedule(DAY, {**GAME, "away_score": 11, "home_score": 14})
    told = telling.run(at, DAY, make([48] * 5))
    said = "GSW's players have 10 points, the schedule 11; UTA's players have 15 points, the"
    assert (told.outcome, told.message) == (
        "partial",
        f"0 of 1 games: unsound GSW@UTA ({said} schedule 14)",
    )
    telling.schedule(DAY, {**GAME, "status": 1, "away_score": 0, "home_score": 0})
    assert telling.run(at, DAY, make([48] * 5)).outcome == "complete"


def test_half_time_box_that_is_called_final_is_found(telling: Telling) -> None:
    telling.schedule(DAY, GAME)
    told = telling.run(BALL_DONT_LIE, DAY, ball_dont_lie([24] * 5, period=2, status="Final"))
    assert told.outcome == "partial"
    assert "GSW's players have 120 minutes, 240 expected" in told.message


def test_seconds_are_counted_where_a_body_has_them(telling: Telling) -> None:
    telling.schedule(DAY, GAME)
    game = boxed(id=7)
    # 235:30 together, which rounding explains; 233 without the seconds, which it does not.
    for player, written in zip(
        game["visitor_team"]["players"], ["47:30"] * 4 + ["45:30"], strict=True
    ):
        player["min"] = written
    assert telling.run(BALL_DONT_LIE, DAY, body(game)).outcome == "complete"


# --- what was asked for


def test_play_by_play_of_another_game_of_the_same_teams_does_not_count(telling: Telling) -> None:
    telling.schedule(DAY, scheduled(DAY, "GSW@UTA", "0022300998"))
    other = (FIXTURES / "nbacom_box_scores" / "play_by_play.2024-01-15.json").read_bytes()
    told = telling.run(("nbacom_box_scores", "play_by_play"), DAY, other)
    said = "its body is of GSW@UTA, 0022300999, not of 0022300998"
    assert (told.outcome, told.message) == ("partial", f"0 of 1 games: missing GSW@UTA ({said})")


def test_file_of_another_game_of_the_same_teams_does_not_count(telling: Telling) -> None:
    telling.schedule(DAY, scheduled(DAY, "GSW@UTA", "0022300998"))
    listing = folder(listed_file("[2024-01-15]-0022300998-GS@UTA.csv", "file-1"))
    at = ("bigdataball_play_by_play", "play_by_play")
    told = telling.run(at, DAY, listing, FILE.read_bytes())
    said = "its body is of GSW@UTA, 0022300999, not of 0022300998"
    assert (told.outcome, told.message) == ("partial", f"0 of 1 games: missing GSW@UTA ({said})")


def test_game_log_of_another_season_type_does_not_count(telling: Telling) -> None:
    telling.schedule(DAY, {**GAME, "season_type": "Playoffs"})
    told = telling.run(NBACOM, DAY, nbacom([48] * 5))
    said = "0022300999 came in the body of playoffs"
    assert (told.outcome, told.message) == ("partial", f"0 of 1 games: missing GSW@UTA ({said})")


def test_odds_of_another_event_of_the_same_teams_do_not_count(telling: Telling) -> None:
    day, at = date(2024, 1, 16), FIXTURES / "odds_api_props"
    telling.schedule(day, scheduled(day, "GSW@LAC", "0022300997"))
    props = json.loads((at / f"player_props.{day}.json").read_bytes())
    props["data"]["id"] = "ff"
    listing = (at / f"listing.{day}.json").read_bytes()
    told = telling.run(("odds_api_props", "player_props"), day, listing, json.dumps(props).encode())
    said = "ff came in the body of GSW-LAC-0b"
    assert (told.outcome, told.message) == ("partial", f"0 of 1 games: missing GSW@LAC ({said})")


def test_box_score_with_another_id_than_the_schedules_is_not_sound(telling: Telling) -> None:
    telling.schedule(DAY, GAME)
    told = telling.run(NBACOM, DAY, wrapped(one_game(MIN=48, GAME_ID="0021500001")))
    said = "its id is 0021500001, the schedule's 0022300999"
    assert (told.outcome, told.message) == ("partial", f"0 of 1 games: unsound GSW@UTA ({said})")


# --- one game, two ids


def bdl_twice() -> bytes:
    """GSW at UTA under the ids 7 and 8."""
    first, second = (json.loads(ball_dont_lie([48] * 5)) for _ in range(2))
    second["data"][0]["id"] = 8
    return json.dumps({**first, "data": [*first["data"], *second["data"]]}).encode()


def nbacom_twice() -> bytes:
    rows = one_game(MIN=48)
    return wrapped([*rows, *({**row, "GAME_ID": "0022300001"} for row in rows)])


@pytest.mark.parametrize(
    ("at", "twice", "ids"),
    [
        (BALL_DONT_LIE, bdl_twice, "7, 8"),
        (NBACOM, nbacom_twice, "0022300001, 0022300999"),
    ],
    ids=["bdl", "nbacom"],
)
def test_game_that_a_body_has_under_two_ids_is_not_sound(
    telling: Telling, at: tuple[str, str], twice: Callable[[], bytes], ids: str
) -> None:
    telling.schedule(DAY, GAME)
    told = telling.run(at, DAY, twice())
    said = f"came more than once in one body: ids {ids}"
    assert (told.outcome, told.message) == (
        "partial",
        f"0 of 1 games: unsound GSW@UTA ({said})",
    )
