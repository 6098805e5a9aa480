"""NBA.com's bodies: recorded game logs, play by play and schedule, and small ones of our own."""

from __future__ import annotations

import copy
import csv
import gzip
import io
import json
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from include.errors import ErrorClass, Problem
from include.parsing import balldontlie
from include.parsing.nbacom import (
    PLAY_BY_PLAY,
    PLAYER_BOX_SCORES,
    SCHEDULE,
    box_score_games,
    box_score_items,
    box_score_rows,
    play_by_play_games,
    play_by_play_items,
    play_by_play_rows,
    schedule_games,
    schedule_rows,
    season,
)
from include.sources.spec import Game, GameState, Item, Listing, Table

DAY = date(2024, 1, 15)
FIXTURES = Path(__file__).resolve().parents[1] / "fixtures" / "nbacom_box_scores"
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


def read(folder: Path, name: str) -> bytes:
    raw = (folder / name).read_bytes()
    return gzip.decompress(raw) if name.endswith(".gz") else raw


@pytest.fixture(scope="module")
def logs_by_day(recorded: Path) -> dict[date, bytes]:
    """Eleven dates of recorded game logs, cut out of one CSV and wrapped as the source answers."""
    text = read(recorded, "nba_com/leaguegamelog_players_2024-01-10_2024-01-20.csv.gz").decode()
    lines: dict[str, list[dict[str, str]]] = {}
    for line in csv.DictReader(io.StringIO(text)):
        lines.setdefault(line["GAME_DATE"], []).append(line)
    return {date.fromisoformat(day): log(of_day) for day, of_day in lines.items()}


@pytest.fixture(scope="module")
def schedule(recorded: Path) -> bytes:
    return read(recorded, "nba_com/scheduleleaguev2_2024-25.json.gz")


def log(lines: list[dict[str, str]]) -> bytes:
    rows = [[_typed(header, value) for header, value in line.items()] for line in lines]
    return json.dumps(
        {"resultSets": [{"name": "LeagueGameLog", "headers": list(lines[0]), "rowSet": rows}]}
    ).encode()


def _typed(header: str, value: str) -> str | float | None:
    if value == "" or header in _TEXTS:
        return value or None
    return float(value) if "." in value else int(value)


def shape(table: Table, rows: Iterable[Any]) -> list[Any]:
    """The rows, after a look at their columns and at the key."""
    got = list(rows)
    assert {frozenset(row) for row in got} == {frozenset(column.name for column in table.columns)}
    assert len({tuple(row[name] for name in table.key) for row in got}) == len(got)
    return got


def drift(call: Iterable[Any]) -> str:
    with pytest.raises(Problem) as caught:
        list(call)
    assert caught.value.error_class is ErrorClass.SCHEMA_DRIFT
    return caught.value.message.partition(";")[0]


# --- seasons


@pytest.mark.parametrize(
    ("day", "name"),
    [
        (date(2024, 10, 4), "2024-25"),
        (date(2025, 6, 22), "2024-25"),
        (date(1999, 12, 31), "1999-00"),
        (date(2020, 10, 11), "2019-20"),
        (date(2020, 12, 22), "2020-21"),
        (date(2021, 7, 20), "2020-21"),
    ],
)
def test_season_of_a_date_has_the_name_of_nba_com(day: date, name: str) -> None:
    assert season(day) == name


# --- player box scores


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


def line(name: str, team: str, **changes: Any) -> dict[str, Any]:
    """A row of an invented player who scored 3 for UTA or 2 for GSW."""
    counted = dict.fromkeys(
        ["FGM", "FGA", "FG3M", "FG3A", "FTM", "FTA", "OREB", "DREB", "REB", "AST", "STL", "BLK"], 0
    )
    return {
        "SEASON_ID": "22023",
        "PLAYER_ID": sum(map(ord, name + team)),
        "PLAYER_NAME": name,
        "TEAM_ID": 1 if team == "UTA" else 2,
        "TEAM_ABBREVIATION": team,
        "TEAM_NAME": team,
        "GAME_ID": "0022300999",
        "GAME_DATE": "2024-01-15",
        "MATCHUP": "UTA vs. GSW" if team == "UTA" else "GSW @ UTA",
        "WL": "W" if team == "UTA" else "L",
        "MIN": 20,
        **counted,
        "TOV": 0,
        "PF": 0,
        "PTS": 3 if team == "UTA" else 2,
        "PLUS_MINUS": 5,
        "FG_PCT": None,
        "FG3_PCT": None,
        "FT_PCT": 1,
        "FANTASY_PTS": 7.5,
        "VIDEO_AVAILABLE": 1,
        **changes,
    }


def one_game(**changes: Any) -> list[dict[str, Any]]:
    return [
        line(f"{letter} Example Jr.", team, **changes)
        for team in ("UTA", "GSW")
        for letter in "ABCDE"
    ]


def wrapped(lines: list[dict[str, Any]], headers: list[str] | None = None) -> bytes:
    headers = headers or list(lines[0])
    rows = [[one[header] for header in headers] for one in lines]
    return json.dumps(
        {"resultSets": [{"name": "LeagueGameLog", "headers": headers, "rowSet": rows}]}
    ).encode()


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


@pytest.mark.parametrize("matchup", ["UTA vs. GSW", "GSW @ UTA"])
def test_neutral_site_game_with_one_matchup_on_both_rows_is_one_game(matchup: str) -> None:
    (game,) = box_score_games(wrapped(one_game(MATCHUP=matchup)), DAY)
    assert (str(game), game.state, game.rows, game.problem) == ("GSW@UTA", GameState.FINAL, 10, "")


def test_game_whose_rows_disagree_on_the_sides_is_one_game() -> None:
    lines = [
        {**one, "MATCHUP": one["MATCHUP"].replace("GSW @ UTA", "GSW vs. UTA")} for one in one_game()
    ]
    assert [(str(game), game.rows) for game in box_score_games(wrapped(lines), DAY)] == [
        ("GSW@UTA", 10)
    ]
    assert {
        (row["away_tricode"], row["home_tricode"]) for row in box_score_rows(wrapped(lines), DAY)
    } == {("GSW", "UTA")}


def test_game_without_a_winner_yet_is_live() -> None:
    (game,) = box_score_games(wrapped(one_game(WL=None)), DAY)
    assert (game.state, game.problem) == (GameState.LIVE, "")


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        (one_game()[:5], "GSW has 0 players with minutes"),
        (one_game()[:9], "GSW has 4 players with minutes"),
        (one_game(MIN=0), "GSW has 0 players with minutes; UTA has 0 players with minutes"),
        ([*one_game(), line("F", "GSW", PTS=50)], "points 60:15 disagree with who won (UTA)"),
        ([*one_game(), line("F", "GSW", PTS=5)], "points 15:15 disagree with who won (UTA)"),
        ([*one_game(), line("F", "IND")], "rows of GSW, IND, UTA"),
        (
            [
                {**one, "WL": "LW"[one["WL"] == "L"]}
                for one in [*one_game(), line("F", "GSW", PTS=5)]
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
        (b"<html>Access Denied</html>", "body is no JSON (JSONDecodeError after 26 bytes)"),
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
            "resultSets[0].rowSet[0].FT_PCT is no finite number",
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


def scheduled(
    season_type: str, state: GameState = GameState.FINAL, game_id: str = "0022300999"
) -> Game:
    return Game(
        day=DAY,
        away="GSW",
        home="UTA",
        state=state,
        game_id=game_id,
        extra={"season_type": season_type},
    )


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


# --- play by play


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


def encoded(body: Any) -> bytes:
    return json.dumps(body).encode()


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
    body["game"]["actions"][0]["scoreHome"] = "none"
    assert (
        drift(play_by_play_rows(encoded(body), DAY))
        == "game.actions[0] has a score that is no number"
    )


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


# --- schedule


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
        (a_season(day="2024-01-15"), "leagueSchedule.gameDates[1].gameDate is no MM/DD/YYYY"),
        (
            a_season(entry("22300999")),
            (
                "leagueSchedule.gameDates[1].games[0].gameId is no NBA.com game id: 00, 1 to 6,"
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
