"""NBA.com's game logs: recorded ones, and small ones of our own."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from include.parsing import balldontlie
from include.parsing.nbacom import (
    PLAYER_BOX_SCORES,
    box_score_games,
    box_score_items,
    box_score_rows,
    season,
)
from include.sources.spec import Game, GameState, Listing
from tests.parsing.nbacom.game_log import DAY, line, one_game, scheduled, wrapped
from tests.parsing.reading import drift, read, shape

_TEXTS = {
    "SEASON_ID",
    "PLAYER_NAME",
    "TEAM_ABBREVIATION",
    "TEAM_NAME",
    "GAME_ID",
    "GAME_DATE",
    "MATCHUP",
    "WL",
}


@pytest.fixture(scope="module")
def logs_by_day(recorded: Path) -> dict[date, bytes]:
    """Eleven dates of recorded game logs, cut out of one CSV and wrapped as the source answers."""
    text = read(recorded, "nba_com/leaguegamelog_players_2024-01-10_2024-01-20.csv.gz").decode()
    lines: dict[str, list[dict[str, str]]] = {}
    for row in csv.DictReader(io.StringIO(text)):
        lines.setdefault(row["GAME_DATE"], []).append(row)
    return {date.fromisoformat(day): log(of_day) for day, of_day in lines.items()}


def log(lines: list[dict[str, str]]) -> bytes:
    rows = [[_typed(header, value) for header, value in line.items()] for line in lines]
    return json.dumps(
        {"resultSets": [{"name": "LeagueGameLog", "headers": list(lines[0]), "rowSet": rows}]}
    ).encode()


def _typed(header: str, value: str) -> str | float | None:
    if value == "" or header in _TEXTS:
        return value or None
    return float(value) if "." in value else int(value)


def test_table_has_the_32_columns_of_the_game_log_and_three_of_ours() -> None:
    names = {column.name for column in PLAYER_BOX_SCORES.columns}
    assert len(PLAYER_BOX_SCORES.columns) == len(names) == 35
    assert names >= {
        "home_tricode",
        "away_tricode",
        "player_key",
        "season_id",
        "video_available",
        "plus_minus",
    }


def test_eleven_recorded_dates_have_1744_rows_of_sound_games(
    logs_by_day: dict[date, bytes],
) -> None:
    got = {
        day: shape(PLAYER_BOX_SCORES, box_score_rows(body, day))
        for day, body in logs_by_day.items()
    }
    games = [game for day, body in logs_by_day.items() for game in box_score_games(body, day)]
    assert sum(map(len, got.values())) == sum(game.rows for game in games) == 1744
    assert len(got) == 11
    assert Counter((game.state, game.problem) for game in games) == {(GameState.FINAL, ""): 81}


def test_recorded_json_body_has_157_rows_of_eight_games(recorded: Path) -> None:
    day, body = date(2025, 3, 15), read(recorded, "nba_com/leaguegamelog_players_2025-03-15.json")
    games = list(box_score_games(body, day))
    assert (
        len(shape(PLAYER_BOX_SCORES, box_score_rows(body, day)))
        == sum(game.rows for game in games)
        == 157
    )
    assert [(game.state, game.problem) for game in games] == [(GameState.FINAL, "")] * 8


def test_player_keys_equal_those_of_ball_dont_lie(
    recorded: Path, logs_by_day: dict[date, bytes]
) -> None:
    ours = [
        (r["home_tricode"], r["away_tricode"], r["player_key"])
        for r in box_score_rows(logs_by_day[DAY], DAY)
    ]
    body = read(recorded, "balldontlie/box_scores_2024-01-15.json")
    theirs = [
        (r["home_tricode"], r["away_tricode"], r["player_key"])
        for r in balldontlie.rows(body, DAY)
        if not r["did_not_play"]
    ]
    assert len(ours) == 229
    assert sorted(ours) == sorted(theirs)


def test_games_of_a_recorded_date_equal_those_of_ball_dont_lie(
    recorded: Path, logs_by_day: dict[date, bytes]
) -> None:
    body = read(recorded, "balldontlie/box_scores_2024-01-15.json")
    assert set(box_score_games(logs_by_day[DAY], DAY)) == set(balldontlie.games(body, DAY))


def test_game_log_is_read_by_header_not_by_position() -> None:
    lines = one_game()
    turned = wrapped(lines, sorted(lines[0], reverse=True))
    assert list(box_score_rows(turned, DAY)) == list(box_score_rows(wrapped(lines), DAY))
    assert next(box_score_rows(turned, DAY)) == {
        "game_date": DAY,
        "home_tricode": "UTA",
        "away_tricode": "GSW",
        "player_key": "a example",
        **{header.lower(): value for header, value in lines[0].items() if header != "GAME_DATE"},
    }


@pytest.mark.parametrize(
    "turn",
    [("UTA vs. GSW", "UTA @ GSW"), ("GSW @ UTA", "GSW vs. UTA")],
    ids=["both visit", "both host"],
)
@pytest.mark.parametrize("step", [1, -1])
def test_game_whose_rows_disagree_on_the_sides_is_one_game_without_sides(
    turn: tuple[str, str], step: int
) -> None:
    lines = [{**one, "MATCHUP": one["MATCHUP"].replace(*turn)} for one in one_game()][::step]
    (game,) = box_score_games(wrapped(lines), DAY)
    assert (str(game), game.sided, game.rows) == ("GSW@UTA", False, 10)
    rows = list(box_score_rows(wrapped(lines), DAY))
    assert {(row["away_tricode"], row["home_tricode"]) for row in rows} == {("GSW", "UTA")}


def test_game_without_a_winner_yet_is_live() -> None:
    (game,) = box_score_games(wrapped(one_game(WL=None)), DAY)
    assert (game.state, game.problem) == (GameState.LIVE, "")


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        (one_game()[:5], "GSW has 0 players with minutes"),
        (one_game()[:9], "GSW has 4 players with minutes"),
        (one_game(MIN=0), "GSW has 0 players with minutes; UTA has 0 players with minutes"),
        (
            [*one_game(), line("F", "GSW", PTS=50, MIN=0)],
            "points 60:15 disagree with who won (UTA)",
        ),
        ([*one_game(), line("F", "GSW", PTS=5, MIN=0)], "points 15:15 disagree with who won (UTA)"),
        ([*one_game(), line("F", "IND")], "rows of GSW, IND, UTA"),
        (
            [
                {**one, "WL": "LW"[one["WL"] == "L"]}
                for one in [*one_game(), line("F", "GSW", PTS=5, MIN=0)]
            ],
            "points 15:15 disagree with who won (GSW)",
        ),
    ],
)
def test_unsound_game_says_why(lines: list[dict[str, Any]], problem: str) -> None:
    (game,) = box_score_games(wrapped(lines), DAY)
    assert game.problem == problem


def test_wrong_season_type_answers_without_games() -> None:
    empty = json.loads(wrapped(one_game()))
    empty["resultSets"][0]["rowSet"] = []
    body = json.dumps(empty).encode()
    assert (list(box_score_games(body, DAY)), list(box_score_rows(body, DAY))) == ([], [])


def without_header(name: str) -> bytes:
    lines = one_game()
    return wrapped(lines, [header for header in lines[0] if header != name])


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"<html>Access Denied</html>", "body is not JSON (JSONDecodeError after 26 bytes)"),
        (b'{"Message":"An error has occurred."}', "resultSets is missing, wanted a list"),
        (b'{"resultSets":[]}', "resultSets holds no LeagueGameLog"),
        (without_header("PTS"), "resultSets[0].headers lacks PTS"),
        (wrapped(one_game(PTS="3")), "resultSets[0].rowSet[0].PTS is str, wanted a whole number"),
        (
            wrapped(one_game(PTS=None)),
            "resultSets[0].rowSet[0].PTS is NoneType, wanted a whole number",
        ),
        (
            wrapped(one_game(FT_PCT=float("nan"))),
            "resultSets[0].rowSet[0].FT_PCT is not a finite number",
        ),
        (
            wrapped(one_game(GAME_DATE="2024-01-16")),
            "resultSets[0].rowSet[0].GAME_DATE is 2024-01-16, but 2024-01-15 was asked for",
        ),
        (
            wrapped(one_game(MATCHUP="GSW")),
            "resultSets[0].rowSet[0].MATCHUP is 'GSW', wanted AAA @ HHH or HHH vs. AAA",
        ),
    ],
)
def test_game_log_of_another_shape_is_drift(body: bytes, said: str) -> None:
    assert drift(box_score_rows(body, DAY)) == said


@pytest.mark.parametrize(
    ("day", "expected", "types"),
    [
        (DAY, [scheduled("Regular Season"), scheduled("Regular Season")], ["Regular Season"]),
        (date(2024, 12, 17), [scheduled("IST")], ["IST"]),
        (date(2025, 4, 15), [scheduled("PlayIn"), scheduled("Playoffs")], ["PlayIn", "Playoffs"]),
        (DAY, [scheduled("Regular Season", GameState.POSTPONED)], []),
        (DAY, [], []),
        (DAY, None, ["Regular Season"]),
        (date(2024, 12, 17), None, ["Regular Season", "IST"]),
        (date(2025, 5, 1), None, ["Regular Season", "PlayIn", "Playoffs"]),
        (date(2025, 5, 1), [scheduled("")], ["Regular Season", "PlayIn", "Playoffs"]),
    ],
)
def test_season_types_follow_the_schedule_or_the_month(
    day: date, expected: list[Game] | None, types: list[str]
) -> None:
    items = box_score_items(Listing(day=day, expected=expected))
    assert [item.values for item in items] == [
        {"season": season(day), "season_type": kind} for kind in types
    ]
