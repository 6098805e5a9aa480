"""BigDataBall's Drive listing and a small file of invented players in its layout of 44 columns."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable
from datetime import date
from pathlib import Path

import pytest

from devstack.sandbox.bigdataball_csv import game_csv
from devstack.sandbox.boxscore import score
from devstack.sandbox.league import League
from include.errors import Problem
from include.parsing.bigdataball import PLAY_BY_PLAY, games, items, rows
from include.sources.spec import GameState, Item, Listing
from tests.parsing.reading import drift

DAY = date(2024, 1, 15)
FILE = (
    Path(__file__).resolve().parents[1]
    / "fixtures"
    / "bigdataball_play_by_play"
    / "play_by_play.2024-01-15.csv"
)


@pytest.fixture(scope="module")
def body() -> bytes:
    return FILE.read_bytes()


# What the vendor's present layout has behind the 44 columns.
APPENDED = (
    *("home_team", "away_team", "team_possession", "time_actual"),
    *("qualifiers1", "qualifiers2", "qualifiers3", "qualifiers4"),
    *("area", "area_detail", "official_id"),
)


def edited(
    body: bytes, change: Callable[[list[dict[str, str]]], None], more: Iterable[str] = ()
) -> bytes:
    """The file with its plays changed in place and more columns at the end."""
    reader = csv.DictReader(io.StringIO(body.decode()))
    plays = list(reader)
    change(plays)
    out = io.StringIO()
    writer = csv.DictWriter(out, [*(reader.fieldnames or ()), *more])
    writer.writeheader()
    writer.writerows(plays)
    return out.getvalue().encode()


# --- which files


def file(name: str, number: str, modified: str = "2024-01-16T12:00:00.000Z") -> dict[str, str]:
    return {"id": number, "name": name, "modifiedTime": modified}


def folder(*files: dict[str, str]) -> bytes:
    return json.dumps({"files": files}).encode()


def test_every_game_file_of_exactly_this_date_is_downloaded_once() -> None:
    first = folder(
        file("[2024-01-15]-0022300999-GS@UTA.csv", "older", "2024-01-16T12:00:00.000Z"),
        file("[2024-01-15]-0022300998-IND@OKC.csv", "other"),
        file("[2024-01-15]-combined-stats.csv", "combined"),
        file("[2024-01-15]-0022300999-GS@UTA-combined-stats.csv", "combined too"),
    )
    second = folder(
        file("[2024-01-15]-0022300999-GSW@UTA.csv", "newer", "2024-01-18T12:00:00.000Z"),
        file("[2024-01-16]-0022301000-IND@OKC.csv", "tomorrow"),
        file("[2024-01-15]-0022300999-GSW@UTA.csv.bak", "backup"),
    )
    assert items(Listing(day=DAY, expected=None, bodies=[first, second])) == [
        Item(name="0022300998-IND-OKC", values={"file_id": "other"}),
        Item(name="0022300999-GSW-UTA", values={"file_id": "newer"}),
    ]


def test_empty_folder_has_no_items() -> None:
    assert items(Listing(day=DAY, expected=None, bodies=[folder()])) == []


def test_listing_of_another_shape_is_drift() -> None:
    with pytest.raises(Problem, match=r"^schema_drift: files is missing, wanted a list;"):
        items(Listing(day=DAY, expected=None, bodies=[b"{}"]))


# --- plays


def test_table_has_the_55_columns_of_the_present_layout_and_four_of_ours(body: bytes) -> None:
    header = [*body.decode().splitlines()[0].split(","), *APPENDED]
    renamed = {"date": "game_date", "player": "player_name"}
    ours = {"home_tricode", "away_tricode", "player_key", "player_id"}
    assert len(header) == 55
    assert {column.name for column in PLAY_BY_PLAY.columns} == {
        renamed.get(name, name) for name in header
    } | ours


def test_play_holds_what_the_file_says(body: bytes) -> None:
    got = list(rows(body, DAY))
    assert {frozenset(row) for row in got} == {
        frozenset(column.name for column in PLAY_BY_PLAY.columns)
    }
    assert [row["play_id"] for row in got] == list(range(1, 9))
    assert got[2] == {
        **dict.fromkeys(column.name for column in PLAY_BY_PLAY.columns),
        **{f"a{n}": f"Ann Away{n}" for n in range(1, 6)},
        **{f"h{n}": f"Hal Home{n} Jr." for n in range(1, 6)},
        "game_date": DAY,
        "game_id": "0022300999",
        "home_tricode": "UTA",
        "away_tricode": "GSW",
        "player_name": "Ann Away1",
        "player_key": "ann away1",
        "data_set": "2023-24 Regular Season",
        "period": 1,
        "away_score": 3,
        "home_score": 0,
        "remaining_time": "0:11:41",
        "elapsed": "0:00:19",
        "play_length": "0:00:19",
        "play_id": 3,
        "team": "GS",
        "event_type": "shot",
        "assist": "Ann Away2",
        "points": 3,
        "result": "made",
        "type": "3pt jump shot",
        "shot_distance": 27.0,
        "original_x": -62.0,
        "original_y": 267.0,
        "converted_x": 31.2,
        "converted_y": 31.700000000000003,
        "description": "Away1 27' 3PT Jump Shot, assisted",
    }


def test_file_is_one_sound_final_game(body: bytes) -> None:
    (game,) = games(body, DAY)
    assert (str(game), game.game_id, game.state) == ("GSW@UTA", "0022300999", GameState.FINAL)
    assert (game.rows, game.problem) == (8, "")


def test_american_dates_are_read_as_well(body: bytes) -> None:
    def american(plays: list[dict[str, str]]) -> None:
        for play in plays:
            play["date"] = "01/15/2024"

    assert list(rows(edited(body, american), DAY)) == list(rows(body, DAY))


def test_byte_order_mark_and_new_columns_change_nothing(body: bytes) -> None:
    newer = b"\xef\xbb\xbf" + edited(body, lambda plays: None, more=["new_one", "new_two"])
    assert list(rows(newer, DAY)) == list(rows(body, DAY))


def test_lost_play_shows_in_the_points(body: bytes) -> None:
    def lose(plays: list[dict[str, str]]) -> None:
        del plays[2]

    (game,) = games(edited(body, lose), DAY)
    assert game.problem == "plays make 0:5, the score is 3:5"


@pytest.mark.parametrize(
    ("plays_left", "home_score", "ends"),
    [
        (6, "1", "in period 1 with 0:12:00 left, at 3:1"),
        (7, "5", "in period 4 with 0:12:00 left, at 3:5"),
        (8, "3", "in period 4 with 0:00:00 left, at 3:3"),
    ],
    ids=["in the first period", "in the fourth", "tied"],
)
def test_file_that_stops_before_the_end_is_live_and_says_where(
    body: bytes, plays_left: int, home_score: str, ends: str
) -> None:
    def stop(plays: list[dict[str, str]]) -> None:
        del plays[plays_left:]
        plays[-1]["home_score"] = home_score

    (game,) = games(edited(body, stop), DAY)
    assert (game.state, game.problem) == (GameState.LIVE, f"plays end {ends}")


@pytest.mark.parametrize(
    ("clock", "state"),
    [
        ("00:00:00", GameState.FINAL),
        ("0:00:00.0", GameState.FINAL),
        ("0:00:00.4", GameState.LIVE),
        ("0:00:10", GameState.LIVE),
        ("", GameState.LIVE),
    ],
)
def test_last_play_ends_its_period_only_at_zero(body: bytes, clock: str, state: GameState) -> None:
    (game,) = games(changed(body, 9, "remaining_time", clock), DAY)
    assert game.state is state


@pytest.mark.parametrize("periods", [4, 5, 6])
def test_sandbox_file_cut_after_any_play_of_its_last_periods_is_final_only_as_a_whole(
    periods: int,
) -> None:
    game = next(
        game for game in League().season(2023) if score(game, League().seed).periods == periods
    )
    header, *plays = game_csv(game, League().seed).encode().splitlines(keepends=True)
    column = header.split(b",").index(b"period")
    before = sum(int(play.split(b",")[column]) < 4 for play in plays)
    cut = (header + b"".join(plays[:n]) for n in range(before + 1, len(plays) + 1))
    states = [found.state for body in cut for found in games(body, game.day)]
    assert states == [GameState.LIVE] * (len(plays) - before - 1) + [GameState.FINAL]
    assert len(states) > 90


def changed(body: bytes, line: int, column: str, value: str) -> bytes:
    def change(plays: list[dict[str, str]]) -> None:
        plays[line - 2][column] = value

    return edited(body, change)


@pytest.mark.parametrize(
    ("line", "column", "value", "said"),
    [
        (4, "points", "three", "line 4: points is not a number"),
        (4, "points", "1.5", "line 4: points is not a whole number"),
        (4, "converted_x", "inf", "line 4: converted_x is not a finite number"),
        (4, "away_score", "", "line 4: away_score is not a number"),
        (4, "date", "15.01.2024", "line 4: date is neither YYYY-MM-DD nor MM/DD/YYYY"),
        (4, "date", "2024-01-16", "line 4: date is 2024-01-16, but 2024-01-15 was asked for"),
        (4, "game_id", "22300998", "game_id is not one number for the whole file"),
    ],
)
def test_wrong_value_is_drift_that_names_its_line(
    body: bytes, line: int, column: str, value: str, said: str
) -> None:
    assert drift(rows(changed(body, line, column, value), DAY)) == said


def test_file_of_another_shape_is_drift(body: bytes) -> None:
    header, *plays = body.splitlines(keepends=True)
    assert drift(rows(header, DAY)) == "body has a header and no plays"
    assert drift(rows(header.replace(b"points", b"pts") + plays[0], DAY)) == "header lacks points"
    assert drift(rows(header + plays[0][:80], DAY)) == "line 2 has not as many values as the header"
    assert drift(rows(b"\x81", DAY)) == "body is not CSV (UnicodeDecodeError)"
    assert (
        drift(rows(header + plays[0], DAY))
        == "team does not tell who is at home, by the lineups a1-a5 and h1-h5"
    )
    assert drift(rows(b"<html>Sign in</html>", DAY)).startswith("header lacks a1, a2,")
