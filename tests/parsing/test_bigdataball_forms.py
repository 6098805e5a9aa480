"""The forms that BigDataBall's files have had: those of 2017-18 and 2018-19, and the present layout
of 55 columns."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from include.parsing.bigdataball import games, rows
from include.sources.spec import GameState
from tests.parsing.reading import drift
from tests.parsing.test_bigdataball import APPENDED, DAY, body, edited

__all__ = ["body"]

Plays = list[dict[str, str]]
NAMES = ("assist", "away", "home", "block", "entered", "left", "opponent", "player", "possession")
LINEUPS = tuple(f"{side}{n}" for side in "ah" for n in range(1, 6))


def in_every_play(**values: str) -> Callable[[Plays], None]:
    def change(plays: Plays) -> None:
        for play in plays:
            play.update(values)

    return change


@pytest.mark.parametrize(
    "written", ['="0022300999"', "'0022300999", "0022300999", '"0022300999"', " 22300999 "]
)
def test_game_id_is_ten_digits_whatever_a_spreadsheet_made_of_it(body: bytes, written: str) -> None:
    spread = edited(body, in_every_play(game_id=written))
    assert list(rows(spread, DAY)) == list(rows(body, DAY))
    assert list(games(spread, DAY)) == list(games(body, DAY))
    # As the files have it, the field is not quoted for CSV.
    plain = body.replace(b"\n22300999,", f"\n{written},".encode())
    assert list(rows(plain, DAY)) == list(rows(body, DAY))


def test_game_id_that_is_no_number_is_drift(body: bytes) -> None:
    spread = edited(body, in_every_play(game_id="=A1"))
    assert drift(rows(spread, DAY)) == "line 2: game_id is not a game's number"


def test_file_in_cp1252_keeps_its_accents(body: bytes) -> None:
    def accent(plays: Plays) -> None:
        plays[2]["player"] = plays[2]["a1"] = "José Away1"

    latin = edited(body, accent).decode().encode("cp1252")
    assert [row["player_name"] for row in rows(latin, DAY)][2] == "José Away1"
    assert list(rows(latin, DAY)) == list(rows(edited(body, accent), DAY))


@pytest.mark.parametrize("word", ["unknown", "Unknown"])
def test_unknown_is_null(body: bytes, word: str) -> None:
    columns = ("original_x", "original_y", "converted_x", "converted_y", "type", "event_type")

    def forget(plays: Plays) -> None:
        plays[2].update(dict.fromkeys((*columns, "shot_distance"), word))

    got = list(rows(edited(body, forget), DAY))[2]
    assert {name: got[name] for name in columns} == dict.fromkeys(columns)
    assert (got["shot_distance"], got["points"], got["player_name"]) == (None, 3, "Ann Away1")
    (game,) = games(edited(body, forget), DAY)
    assert (game.state, game.problem) == (GameState.FINAL, "")


def test_score_that_is_unknown_is_not_taken_for_null(body: bytes) -> None:
    spoiled = edited(body, in_every_play(home_score="unknown"))
    assert drift(rows(spoiled, DAY)) == "line 2: home_score is not a number"


def present(plays: Plays) -> None:
    """The layout of 55 columns, whose names have the player's id before them."""
    numbered = {f"Ann Away{n}": f"{1626160 + n}/Ann Away{n}" for n in range(1, 6)}
    for play in plays:
        for column in (*NAMES, *LINEUPS):
            play[column] = numbered.get(play[column], play[column])
        play |= {"home_team": "UTA", "away_team": "GS", "team_possession": play["team"]}
        play |= {"time_actual": "2024-01-16T00:40:56.0Z", "official_id": "201638"}
        play |= dict.fromkeys([f"qualifiers{n}" for n in range(1, 5)], "")
        play |= {"qualifiers1": "pointsinthepaint", "area": "right", "area_detail": "24+ Center"}


def test_present_layout_has_eleven_columns_more_and_ids_before_the_names(body: bytes) -> None:
    appended: dict[str, Any] = dict.fromkeys(f"qualifiers{n}" for n in range(1, 5))
    appended |= {"home_team": "UTA", "away_team": "GS", "official_id": "201638"}
    appended |= {"time_actual": datetime(2024, 1, 16, 0, 40, 56, tzinfo=UTC)}
    appended |= {"qualifiers1": "pointsinthepaint", "area": "right", "area_detail": "24+ Center"}
    found = list(rows(edited(body, present, more=APPENDED), DAY))
    assert found == [
        {
            **row,
            **appended,
            "team_possession": row["team"],
            "player_id": 1626161 if row["player_name"] == "Ann Away1" else None,
        }
        for row in rows(body, DAY)
    ]


def test_present_layout_says_itself_who_is_at_home(body: bytes) -> None:
    def without_lineups(plays: Plays) -> None:
        present(plays)
        in_every_play(**dict.fromkeys(LINEUPS, ""))(plays)

    (game,) = games(edited(body, without_lineups, more=APPENDED), DAY)
    assert (str(game), game.state, game.problem) == ("GSW@UTA", GameState.FINAL, "")


@pytest.mark.parametrize(
    ("number", "told"),
    [
        ("6", [("Hal Home6", "Hal Home5 Jr.")]),
        ("99", [("Hal Home6", None), (None, "Hal Home5 Jr.")]),
    ],
    ids=["one play", "two plays"],
)
def test_substitution_in_two_rows_loses_nobody(
    body: bytes, number: str, told: list[tuple[str | None, str | None]]
) -> None:
    def halve(plays: Plays) -> None:
        leaves = {**plays[5], "entered": "", "play_id": number}
        plays[5]["left"] = ""
        plays.insert(6, leaves)

    found = list(rows(edited(body, halve), DAY))
    halves = [row for row in found if row["event_type"] == "substitution"]
    assert [(row["entered"], row["left"]) for row in halves] == told
    assert len({row["play_id"] for row in found}) == len(found)
    (game,) = games(edited(body, halve), DAY)
    assert (game.rows, game.problem) == (len(found), "")
