"""Ball Don't Lie bodies, recorded ones and small ones of our own."""

from __future__ import annotations

import copy
import json
from collections import Counter
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from include.parsing.balldontlie import BOX_SCORES, games, listed_games, rows
from include.sources.spec import GameState
from tests.parsing.reading import drift

JAN_15, JAN_9 = date(2024, 1, 15), date(2026, 1, 9)
COUNTED = [
    "fgm",
    "fga",
    "fg3m",
    "fg3a",
    "ftm",
    "fta",
    "oreb",
    "dreb",
    "reb",
    "ast",
    "stl",
    "blk",
    "turnover",
    "pf",
]


def player(number: int, points: int, minutes: str = "48") -> dict[str, Any]:
    counted = dict.fromkeys(COUNTED, 0)
    shares = dict.fromkeys(["fg_pct", "fg3_pct", "ft_pct"])
    who = {"id": number, "first_name": "Zoë", "last_name": f"Example{number} Jr."}
    return {"min": minutes, **counted, **shares, "pts": points, "player": who}


def one_game(**changes: Any) -> dict[str, Any]:
    """A final game of invented players, five a side, 10:15, in the shape without id and
    datetime."""
    game = {
        "date": "2024-01-15",
        "season": 2023,
        "status": "Final",
        "period": 4,
        "time": "Final",
        "postseason": False,
        "home_team_score": 15,
        "visitor_team_score": 10,
        "home_team": {"abbreviation": "UTA", "players": [player(n, 3) for n in range(1, 6)]},
        "visitor_team": {"abbreviation": "GSW", "players": [player(n, 2) for n in range(6, 11)]},
    }
    return {**game, **changes}


def body(*of: dict[str, Any]) -> bytes:
    return json.dumps({"data": list(of)}).encode()


def test_every_listed_player_of_the_old_shape_is_a_row(recorded: Path) -> None:
    got = list(rows((recorded / "balldontlie/box_scores_2024-01-15.json").read_bytes(), JAN_15))
    assert (len(got), sum(row["did_not_play"] for row in got)) == (384, 155)
    assert {frozenset(row) for row in got} == {
        frozenset(column.name for column in BOX_SCORES.columns)
    }
    assert len({tuple(row[name] for name in BOX_SCORES.key) for row in got}) == 384
    assert {row["tip_off"] for row in got} == {row["plus_minus"] for row in got} == {None}
    assert got[0]["game_id"] == "20240115-HOU-PHI"


def test_every_listed_player_of_the_new_shape_is_a_row(recorded: Path) -> None:
    got = list(rows((recorded / "balldontlie/box_scores_2026-01-09.json").read_bytes(), JAN_9))
    assert (len(got), sum(row["did_not_play"] for row in got)) == (347, 139)
    assert len({tuple(row[name] for name in BOX_SCORES.key) for row in got}) == 347
    assert got[0]["game_id"] == "18447346"
    assert got[0]["tip_off"] == datetime(2026, 1, 10, tzinfo=UTC)
    assert all(isinstance(row["plus_minus"], int) for row in got)


@pytest.mark.parametrize(("day", "count"), [(JAN_15, 11), (JAN_9, 10)])
def test_recorded_final_games_are_sound(recorded: Path, day: date, count: int) -> None:
    got = list(games((recorded / f"balldontlie/box_scores_{day}.json").read_bytes(), day))
    assert [(game.state, game.problem) for game in got] == [(GameState.FINAL, "")] * count


def test_empty_day_has_no_games_and_no_rows(recorded: Path) -> None:
    empty = (recorded / "balldontlie/box_scores_empty.json").read_bytes()
    assert (list(games(empty, JAN_15)), list(rows(empty, JAN_15))) == ([], [])


def test_recorded_listing_of_a_played_date_agrees_with_its_box_scores(recorded: Path) -> None:
    listing = json.loads((recorded / "balldontlie/games_2024-01-10_2024-01-20.json").read_bytes())
    assert Counter(game["date"] for game in listing).total() == 81
    of_day = body(*(game for game in listing if game["date"] == "2024-01-15"))
    box_scores = (recorded / "balldontlie/box_scores_2024-01-15.json").read_bytes()
    assert set(listed_games(of_day, JAN_15)) == set(games(box_scores, JAN_15))


def test_recorded_listing_before_the_games_is_unplayed(recorded: Path) -> None:
    listing = json.loads((recorded / "balldontlie/games_2026-01-09.json").read_bytes())
    got = list(listed_games(body(*listing), JAN_9))
    assert [game.state for game in got] == [GameState.UNPLAYED] * 10
    assert got[0].extra == {"tip_off": "2026-01-10T00:00:00+00:00"}


def test_row_holds_what_the_body_says() -> None:
    game = one_game(id=7, datetime="2024-01-16T00:30:00.000Z")
    game["visitor_team"]["players"] = [
        {**player(6, 2, "05"), "fg_pct": 1, "plus_minus": -3, "unheard_of": [1]},
    ]
    game["home_team"]["players"] = []
    assert list(rows(body(game), JAN_15)) == [
        {
            "game_date": JAN_15,
            "game_id": "7",
            "home_tricode": "UTA",
            "away_tricode": "GSW",
            "season": 2023,
            "postseason": False,
            "tip_off": datetime(2024, 1, 16, 0, 30, tzinfo=UTC),
            "status": "Final",
            "period": 4,
            "home_score": 15,
            "away_score": 10,
            "team_tricode": "GSW",
            "is_home": False,
            "player_name": "Zoë Example6 Jr.",
            "player_key": "zoe example6",
            "player_id": 6,
            "minutes": 5,
            "did_not_play": False,
            **dict.fromkeys(COUNTED, 0),
            "pts": 2,
            "plus_minus": -3,
            "fg_pct": 1.0,
            "fg3_pct": None,
            "ft_pct": None,
            **dict.fromkeys(
                ["position", "height", "weight", "jersey_number", "college", "country"]
            ),
            **dict.fromkeys(["draft_year", "draft_round", "draft_number"]),
        }
    ]


@pytest.mark.parametrize(
    ("written", "minutes"),
    [("00", 0), ("05", 5), ("5", 5), ("41", 41), ("28:31", 28), ("", 0), (None, 0)],
)
def test_minutes_are_whole_numbers_however_they_are_written(
    written: str | None, minutes: int
) -> None:
    game = one_game()
    game["home_team"]["players"] = [{**player(1, 0), "min": written}]
    game["visitor_team"]["players"] = []
    assert [(row["minutes"], row["did_not_play"]) for row in rows(body(game), JAN_15)] == [
        (minutes, minutes == 0)
    ]


def test_player_with_a_foul_in_no_whole_minute_did_play() -> None:
    game = one_game()
    game["home_team"]["players"] = [{**player(1, 0, "00"), "pf": 1}]
    game["visitor_team"]["players"] = []
    assert [(row["minutes"], row["did_not_play"]) for row in rows(body(game), JAN_15)] == [
        (0, False)
    ]


@pytest.mark.parametrize(
    ("status", "period", "state"),
    [
        ("Final", 4, GameState.FINAL),
        ("FINAL/OT", 5, GameState.FINAL),
        ("3rd Qtr", 3, GameState.LIVE),
        ("2024-01-16T00:30:00Z", 0, GameState.UNPLAYED),
        ("Postponed", 0, GameState.POSTPONED),
    ],
)
def test_status_and_period_make_the_state(status: str, period: int, state: GameState) -> None:
    game = one_game(status=status, period=period)
    assert [found.state for found in games(body(game), JAN_15)] == [state]
    assert [found.state for found in listed_games(body(game), JAN_15)] == [state]


def test_unplayed_game_of_a_200_is_not_data() -> None:
    unplayed = one_game(
        status="2024-01-16T00:30:00Z", period=0, home_team_score=0, visitor_team_score=0
    )
    unplayed["home_team"]["players"] = unplayed["visitor_team"]["players"] = []
    assert [(game.state, game.rows) for game in games(body(unplayed), JAN_15)] == [
        (GameState.UNPLAYED, 0)
    ]
    assert list(rows(body(unplayed), JAN_15)) == []


def test_final_game_whose_players_are_not_there_yet_is_still_live() -> None:
    late = one_game()
    late["home_team"]["players"] = []
    (game,) = games(body(late), JAN_15)
    assert (game.state, game.problem) == (GameState.LIVE, "final, but a side has no players yet")


def test_four_players_with_minutes_are_too_few() -> None:
    game = one_game()
    game["home_team"]["players"][0]["min"] = "00"
    assert [found.problem for found in games(body(game), JAN_15)] == [
        "UTA has 4 players with minutes"
    ]


def test_points_that_do_not_add_up_are_a_problem() -> None:
    (game,) = games(body(one_game(visitor_team_score=12)), JAN_15)
    assert game.problem == "GSW's players have 10 points, the team 12"


def test_id_of_a_game_is_the_same_on_a_rerun() -> None:
    same = body(one_game())
    first, again = ([game.game_id for game in games(same, JAN_15)] for _ in range(2))
    assert first == again == ["20240115-GSW-UTA"]


def without(path: str) -> dict[str, Any]:
    game = copy.deepcopy(one_game())
    *parents, last = path.split(".")
    place: Any = game
    for part in parents:
        place = place[int(part) if part.isdigit() else part]
    del place[last]
    return game


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("status", "data[0].status is missing, wanted text"),
        ("home_team", "data[0].home_team is missing, wanted an object"),
        ("home_team.abbreviation", "data[0].home_team.abbreviation is missing, wanted text"),
        ("visitor_team.players", "data[0].visitor_team.players is missing, wanted a list"),
        (
            "home_team.players.4.pts",
            "data[0].home_team.players[4].pts is missing, wanted a whole number",
        ),
        (
            "home_team.players.4.min",
            "data[0].home_team.players[4].min is missing, wanted text or null",
        ),
        (
            "home_team.players.4.player.id",
            "data[0].home_team.players[4].player.id is missing, wanted a whole number",
        ),
    ],
)
def test_missing_field_is_drift_that_names_its_path(path: str, said: str) -> None:
    assert drift(rows(body(without(path)), JAN_15)) == said


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        (b"Unauthorized", "body is not JSON (JSONDecodeError after 12 bytes)"),
        (b"[]", "body is list, wanted an object"),
        (b"{}", "data is missing, wanted a list"),
        (b'{"data":null}', "data is NoneType, wanted a list"),
        (b'{"data":[3]}', "data[0] is int, wanted an object"),
        (body(one_game(period="4")), "data[0].period is str, wanted a whole number"),
        (body(one_game(postseason=0)), "data[0].postseason is int, wanted true or false"),
        (body(one_game(datetime="soon")), "data[0].datetime is not an ISO time"),
        (
            body(one_game(datetime="0001-01-01T00:00:00Z")),
            "data[0].datetime is a time of the year 1",
        ),
        (
            body(one_game(datetime="9999-12-31T23:59:59-14:00")),
            "data[0].datetime is a time of the year 9999",
        ),
        (
            body(one_game(date="2024-01-16")),
            "data[0].date is 2024-01-16, but 2024-01-15 was asked for",
        ),
        (
            body(one_game(home_team={"abbreviation": "SEA", "players": []})),
            "data[0].home_team.abbreviation 'SEA' is not a team that we know",
        ),
    ],
)
def test_body_of_another_shape_is_drift(broken: bytes, said: str) -> None:
    assert drift(rows(broken, JAN_15)) == said
