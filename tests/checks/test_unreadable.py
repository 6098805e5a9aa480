"""What cannot be made into rows is found when it is fetched, game by game, and asked for again."""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from datetime import date
from typing import Any

import pytest

from tests.checks.told import Telling, scheduled
from tests.parsing.nbacom.game_log import DAY, line, one_game, wrapped
from tests.parsing.test_balldontlie import body, player
from tests.parsing.test_balldontlie import one_game as boxed

BALL_DONT_LIE = ("bdl_box_scores", "box_scores")
NBACOM = ("nbacom_box_scores", "box_scores")

Game = dict[str, Any]
SOUND: Game = boxed(id=1)
SOUND |= {"home_team": {**SOUND["home_team"], "abbreviation": "OKC"}}
SOUND |= {"visitor_team": {**SOUND["visitor_team"], "abbreviation": "IND"}}
HOME = "data[0].home_team.players[4]"


def players(game: Game) -> list[Game]:
    found: list[Game] = game["home_team"]["players"]
    return found


def without_a_player(game: Game) -> None:
    players(game)[4]["player"] = None


def without_a_name(game: Game) -> None:
    players(game)[4]["player"]["first_name"] = None


def with_a_player_twice(game: Game) -> None:
    players(game).append({**player(5, 0), "min": "00"})


def with_an_id_that_no_column_holds(game: Game) -> None:
    players(game)[4]["player"]["id"] = 10**30


def with_a_weight_in_numbers(game: Game) -> None:
    players(game)[4]["player"]["weight"] = 200


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (without_a_player, f"{HOME}.player is NoneType, wanted an object"),
        (without_a_name, f"{HOME}.player.first_name is NoneType, wanted text"),
        (with_a_weight_in_numbers, f"{HOME}.player.weight is int, wanted text or null"),
        (with_a_player_twice, "two rows with the key game_id=7, team_tricode=UTA, player_id=5"),
        (
            with_an_id_that_no_column_holds,
            "raw.bdl_box_scores.player_id should be int64: Python int too large to convert to C"
            " long",
        ),
    ],
)
def test_game_whose_rows_cannot_be_made_is_unsound_when_it_is_fetched_and_asked_for_again(
    telling: Telling, spoil: Callable[[Game], None], said: str
) -> None:
    expected = scheduled(DAY, "GSW@UTA", "0022300999"), scheduled(DAY, "IND@OKC", "0022300998")
    telling.schedule(DAY, *expected)
    game = boxed(id=7)
    spoiled = deepcopy(game)
    spoil(spoiled)

    told = telling.run(BALL_DONT_LIE, DAY, body(spoiled, SOUND))
    assert (told.outcome, told.error_class) == ("partial", "incomplete")
    assert told.message == f"1 of 2 games: unsound GSW@UTA ({said})"

    healed = telling.run(BALL_DONT_LIE, DAY, body(game, SOUND))
    assert (healed.outcome, len(healed.rows)) == ("complete", 20)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([line("F", "UTA", PLAYER_NAME=None)], "resultSets[0].rowSet[10].PLAYER_NAME is NoneType"),
        ([line("A Example Jr.", "UTA", PTS=0, MIN=0)], "two rows with the key game_id=0022300999"),
    ],
)
def test_row_of_the_game_log_that_cannot_be_made_makes_its_game_unsound(
    telling: Telling, rows: list[dict[str, Any]], said: str
) -> None:
    other = {"IND": "GSW", "OKC": "UTA"}
    sound = [
        {
            **line(f"{letter} Other", was, GAME_ID="0022300998", MATCHUP="IND @ OKC"),
            "TEAM_ABBREVIATION": team,
        }
        for team, was in other.items()
        for letter in "ABCDE"
    ]
    expected = scheduled(DAY, "GSW@UTA", "0022300999"), scheduled(DAY, "IND@OKC", "0022300998")
    telling.schedule(DAY, *expected)
    told = telling.run(NBACOM, DAY, wrapped([*one_game(), *rows, *sound]))
    assert told.outcome == "partial"
    assert told.message.startswith(f"1 of 2 games: unsound GSW@UTA ({said}")


def test_play_that_is_there_twice_is_found_when_the_file_is_fetched(telling: Telling) -> None:
    from tests.parsing.test_bigdataball import FILE, edited

    def repeat(plays: list[dict[str, str]]) -> None:
        plays[3]["play_id"] = plays[4]["play_id"]

    telling.schedule(DAY, scheduled(DAY, "GSW@UTA", "0022300999"))
    listing = (FILE.parent / "listing.2024-01-15.json").read_bytes()
    file = edited(FILE.read_bytes(), repeat)
    told = telling.run(("bigdataball_play_by_play", "play_by_play"), DAY, listing, file)
    assert (told.outcome, told.message) == (
        "partial",
        "0 of 1 games: unsound GSW@UTA (two rows with the key game_id=0022300999, play_id=5)",
    )


def test_offer_that_cannot_be_read_spoils_its_own_game_alone(telling: Telling) -> None:
    from tests.plugins.test_specs import FIXTURES

    folder, day = FIXTURES / "odds_api_props", date(2024, 1, 16)
    lines = json.loads((folder / f"game_lines.{day}.json").read_bytes())
    spoiled, other = lines["data"][:2]
    other["bookmakers"] = deepcopy(spoiled["bookmakers"])
    spoiled["bookmakers"][0]["markets"][0]["outcomes"][0]["price"] = None
    expected = scheduled(day, "GSW@LAC", "0022300997"), scheduled(day, "DEN@UTA", "0022300996")
    telling.schedule(day, *expected)
    listing = (folder / f"listing.{day}.json").read_bytes()
    told = telling.run(("odds_api_props", "game_lines"), day, listing, json.dumps(lines).encode())
    where = "data[0].bookmakers[0].markets[0].outcomes[0].price"
    assert (told.outcome, told.message) == (
        "partial",
        f"1 of 2 games: unsound GSW@LAC ({where} is NoneType, wanted a number)",
    )
