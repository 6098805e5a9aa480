from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from devstack.sandbox.server import Sandbox, running

KEY = {"Authorization": "sandbox-key"}


@pytest.fixture(scope="module")
def replay(recorded: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with running(
        tmp_path_factory.mktemp("replay"), recorded=recorded, monthly_credits=100_000
    ) as server:
        yield server


def _balldontlie(sandbox: Sandbox, path: str) -> requests.Response:
    return requests.get(sandbox.base("balldontlie") + path, headers=KEY, timeout=10)


@pytest.mark.parametrize("day", ["2024-01-15", "2026-01-09"])
def test_a_recorded_box_score_is_served_byte_for_byte(
    replay: Sandbox, recorded: Path, day: str
) -> None:
    body = (recorded / f"balldontlie/box_scores_{day}.json").read_bytes()
    assert _balldontlie(replay, f"/v1/box_scores?date={day}").content == body


def test_listings_are_cut_by_date_and_wrapped(replay: Sandbox, recorded: Path) -> None:
    rows = json.loads((recorded / "balldontlie/games_2024-01-10_2024-01-20.json").read_text())
    for day in ("2024-01-10", "2024-01-15", "2024-01-20"):
        games = [row for row in rows if row["date"] == day]
        assert games
        answer = _balldontlie(replay, f"/v1/games?dates[]={day}&per_page=100").json()
        assert answer == {"data": games, "meta": {"per_page": 100}}
    unplayed = json.loads((recorded / "balldontlie/games_2026-01-09.json").read_text())
    assert (
        _balldontlie(replay, "/v1/games?per_page=100&dates[]=2026-01-09").json()["data"] == unplayed
    )


def test_an_unknown_date_is_an_empty_day_and_a_listed_date_without_a_body_is_not(
    replay: Sandbox,
) -> None:
    assert _balldontlie(replay, "/v1/box_scores?date=2019-07-01").json() == {"data": []}
    assert _balldontlie(replay, "/v1/games?dates[]=2019-07-01").json() == {
        "data": [],
        "meta": {"per_page": 100},
    }
    missing = _balldontlie(replay, "/v1/box_scores?date=2024-01-10")
    assert (missing.status_code, missing.json()) == (
        404,
        {"error": "nothing recorded for box_scores of 2024-01-10"},
    )


def test_keys_faults_and_the_log_work_on_recordings_too(replay: Sandbox) -> None:
    assert requests.get(replay.base("balldontlie") + "/v1/teams", timeout=10).status_code == 401
    replay.faults([{"kind": "late_game", "times": 1}])
    bent = _balldontlie(replay, "/v1/box_scores?date=2024-01-15").json()["data"]
    assert [game["period"] for game in bent][:2] == [0, 4]
    assert bent[0]["status"] == "2024-01-16T00:00:00Z"
    assert replay.log()[-1]["fault"] == "late_game"


BROWSER = {
    "User-Agent": "Mozilla/5.0",
    "Referer": "https://www.nba.com/",
    "Origin": "https://www.nba.com",
    "Accept": "application/json",
}


def _log(
    sandbox: Sandbox, day: str, season: str, season_type: str = "Regular Season"
) -> requests.Response:
    params = {
        "Counter": "1000",
        "DateFrom": day,
        "DateTo": day,
        "Direction": "DESC",
        "LeagueID": "00",
        "PlayerOrTeam": "P",
        "Season": season,
        "SeasonType": season_type,
        "Sorter": "DATE",
    }
    return requests.get(
        sandbox.base("nba_stats") + "/stats/leaguegamelog",
        params=params,
        headers=BROWSER,
        timeout=10,
    )


def test_a_recorded_game_log_is_served_and_a_csv_is_cut_and_typed(
    replay: Sandbox, recorded: Path
) -> None:
    body = (recorded / "nba_com/leaguegamelog_players_2025-03-15.json").read_bytes()
    assert _log(replay, "2025-03-15", "2024-25").content == body
    (result,) = _log(replay, "2024-01-15", "2023-24").json()["resultSets"]
    rows = [dict(zip(result["headers"], row, strict=True)) for row in result["rowSet"]]
    assert (len(rows), {row["GAME_DATE"] for row in rows}) == (229, {"2024-01-15"})
    first = rows[0]
    assert [
        type(first[name]) for name in ("SEASON_ID", "PLAYER_ID", "GAME_ID", "PTS", "FANTASY_PTS")
    ] == [
        str,
        int,
        str,
        int,
        float,
    ]


def test_a_game_log_that_was_not_recorded_is_missing_only_where_games_were(replay: Sandbox) -> None:
    assert _log(replay, "2025-03-16", "2024-25").status_code == 404
    assert _log(replay, "2024-12-24", "2024-25").json()["resultSets"][0]["rowSet"] == []
    assert _log(replay, "2024-01-15", "2023-24", "Playoffs").json()["resultSets"][0]["rowSet"] == []


def test_gzipped_bodies_are_served_unpacked(replay: Sandbox) -> None:
    url = replay.base("nba_stats") + "/stats/scheduleleaguev2?Season=2024-25&LeagueID=00"
    dates = requests.get(url, headers=BROWSER, timeout=10).json()["leagueSchedule"]["gameDates"]
    assert (len(dates), sum(len(each["games"]) for each in dates)) == (231, 1400)
    url = replay.base("nba_cdn") + "/static/json/liveData/playbyplay/playbyplay_0022400500.json"
    assert len(requests.get(url, headers=BROWSER, timeout=10).json()["game"]["actions"]) == 571


def _odds(sandbox: Sandbox, path: str, **params: str) -> requests.Response:
    url = sandbox.base("the_odds_api") + f"/v4/historical/sports/basketball_nba/{path}"
    return requests.get(url, params={"apiKey": "sandbox-key", **params}, timeout=10)


def test_recorded_odds_are_found_by_parameters_in_any_order_and_billed(
    replay: Sandbox, recorded: Path
) -> None:
    body = (recorded / "the_odds_api/historical_event_odds_4fd911e4.json").read_bytes()
    event = "events/242c77a8d5890e18bab91773ad32fcb5/odds"
    params = {
        "markets": "player_points",
        "bookmakers": "draftkings,fanduel",
        "date": "2025-03-09T23:50:38Z",
    }
    answer = _odds(replay, event, **params)
    assert (answer.content, answer.headers["x-requests-last"]) == (body, "10")
    assert (
        _odds(replay, event, **{**params, "date": "2025-03-12T23:50:38Z"}).json()["error_code"]
        == "EVENT_NOT_FOUND"
    )


def test_the_closest_recorded_snapshot_of_the_day_before_is_served(replay: Sandbox) -> None:
    answers = {
        at: _odds(replay, "events", date=at)
        for at in ("2024-01-10T12:00:00Z", "2024-01-10T23:30:00Z", "2024-01-10T11:00:00Z")
    }
    stamps = [answer.json()["timestamp"] for answer in answers.values()]
    assert stamps[0].startswith("2024-01-10T11:55:")
    assert stamps[1:] == [stamps[0], "2024-01-10T11:00:00Z"]
    assert [answer.headers["x-requests-last"] for answer in answers.values()] == ["1", "1", "0"]
    featured = _odds(
        replay, "odds", date="2024-01-10T12:00:00Z", markets="h2h,spreads,totals", regions="us"
    )
    assert (len(featured.json()["data"]), featured.headers["x-requests-last"]) == (10, "30")
    assert _odds(replay, "events").status_code == 422
