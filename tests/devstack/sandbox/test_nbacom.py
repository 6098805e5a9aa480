from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
import requests

from devstack.sandbox.server import Sandbox

BROWSER = {
    "User-Agent": (
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/143.0.0.0 Safari/537.36"
    ),
    "Referer": "https://www.nba.com/",
    "Origin": "https://www.nba.com",
    "Accept": "application/json, text/plain, */*",
}
LOG = {
    "Counter": "1000",
    "Direction": "DESC",
    "LeagueID": "00",
    "PlayerOrTeam": "P",
    "Season": "2024-25",
    "SeasonType": "Regular Season",
    "Sorter": "DATE",
}


def _stats(sandbox: Sandbox, path: str, **params: str) -> requests.Response:
    return requests.get(
        sandbox.base("nba_stats") + f"/stats/{path}", params=params, headers=BROWSER, timeout=10
    )


def _cdn(sandbox: Sandbox, path: str) -> requests.Response:
    return requests.get(
        sandbox.base("nba_cdn") + f"/static/json/{path}.json", headers=BROWSER, timeout=10
    )


def _rows(
    sandbox: Sandbox, day: str, season_type: str = "Regular Season", season: str = "2024-25"
) -> list[dict[str, Any]]:
    params = {**LOG, "Season": season, "SeasonType": season_type, "DateFrom": day, "DateTo": day}
    (log,) = _stats(sandbox, "leaguegamelog", **params).json()["resultSets"]
    return [dict(zip(log["headers"], row, strict=True)) for row in log["rowSet"]]


def _schedule(sandbox: Sandbox, season: str) -> list[dict[str, Any]]:
    body = _stats(sandbox, "scheduleleaguev2", LeagueID="00", Season=season).json()
    assert body["leagueSchedule"]["seasonYear"] == season
    return [game for day in body["leagueSchedule"]["gameDates"] for game in day["games"]]


@pytest.mark.parametrize("lost", ["User-Agent", "Referer", "Origin", "Accept"])
def test_whoever_is_no_browser_is_shown_a_page(sandbox: Sandbox, lost: str) -> None:
    headers = {**BROWSER, lost: "curl/8"}
    answer = requests.get(
        sandbox.base("nba_stats") + "/stats/leaguegamelog", headers=headers, timeout=10
    )
    assert (answer.status_code, answer.headers["content-type"]) == (403, "text/html; charset=utf-8")


def test_the_cdn_wants_a_referer(sandbox: Sandbox) -> None:
    url = sandbox.base("nba_cdn") + "/static/json/staticData/scheduleLeagueV2.json"
    statuses = [
        requests.get(url, headers=h, timeout=10).status_code
        for h in (BROWSER, {**BROWSER, "Referer": ""})
    ]
    assert statuses == [200, 403]


def test_game_log_rows_are_the_box_scores_of_ball_dont_lie(sandbox: Sandbox) -> None:
    url = sandbox.base("balldontlie") + "/v1/box_scores?date=2024-11-06"
    games = requests.get(url, headers={"Authorization": "sandbox-key"}, timeout=10).json()["data"]
    theirs = Counter(
        (game[side]["abbreviation"], line["pts"], line["reb"], line["ast"], line["fga"])
        for game in games
        for side in ("home_team", "visitor_team")
        for line in game[side]["players"]
        if line["min"] != "00"
    )
    rows = _rows(sandbox, "2024-11-06")
    ours = Counter(
        (row["TEAM_ABBREVIATION"], row["PTS"], row["REB"], row["AST"], row["FGA"]) for row in rows
    )
    assert ours == theirs
    assert len({row["GAME_ID"] for row in rows}) == len(games)


def test_a_log_row_has_32_columns_and_the_other_matchup_for_the_other_side(
    sandbox: Sandbox,
) -> None:
    rows = _rows(sandbox, "2024-11-06")
    row = rows[0]
    assert len(row) == 32
    assert (row["SEASON_ID"], row["GAME_DATE"], row["VIDEO_AVAILABLE"]) == (
        "22024",
        "2024-11-06",
        1,
    )
    fantasy = (
        row["PTS"]
        + 1.2 * row["REB"]
        + 1.5 * row["AST"]
        + 3 * (row["STL"] + row["BLK"])
        - row["TOV"]
    )
    assert row["FANTASY_PTS"] == round(fantasy, 1)
    matchups = {each["MATCHUP"] for each in rows if each["GAME_ID"] == row["GAME_ID"]}
    assert {matchup.split()[1] for matchup in matchups} == {"@", "vs."}


def test_the_cup_final_is_on_neutral_ground_and_of_a_season_type_of_its_own(
    sandbox: Sandbox,
) -> None:
    assert _rows(sandbox, "2024-12-17") == []
    rows = _rows(sandbox, "2024-12-17", "IST")
    assert {row["GAME_ID"] for row in rows} == {"0062400001"}
    said = {(row["TEAM_ABBREVIATION"], *row["MATCHUP"].split()) for row in rows}
    teams = {team for team, *_ in said}
    # Each team's rows have their own team first, and none says "vs.".
    assert {(team, first) for team, first, *_ in said} == {(team, team) for team in teams}
    assert {sign for _, _, sign, _ in said} == {"@"}
    assert len(said) == len(teams) == 2


def test_a_wrong_season_type_season_or_future_date_is_an_empty_row_set(sandbox: Sandbox) -> None:
    assert _rows(sandbox, "2024-11-06", "Playoffs") == []
    assert _rows(sandbox, "2024-11-06", season="2025-26") == []
    assert _rows(sandbox, "2026-03-02", season="2025-26") == []
    assert _rows(sandbox, "2025-04-15", "PlayIn") != []
    assert _rows(sandbox, "2024-10-10", "Pre Season") != []


def test_missing_parameters_are_named_in_plain_text(sandbox: Sandbox) -> None:
    answer = _stats(
        sandbox, "leaguegamelog", LeagueID="00", Season="2024-25", PlayerOrTeam="P", Counter="1000"
    )
    assert (answer.status_code, answer.headers["content-type"], answer.text) == (
        400,
        "text/plain",
        "Direction is required; SeasonType is required; Sorter is required",
    )


def test_a_past_season_is_final_and_has_every_kind_of_game(sandbox: Sandbox) -> None:
    games = _schedule(sandbox, "2024-25")
    assert {game["gameStatus"] for game in games} == {3}
    by_type = Counter(game["gameId"][:3] for game in games)
    assert (by_type["001"], by_type["002"], by_type["003"], by_type["005"], by_type["006"]) == (
        75,
        1230,
        1,
        6,
        1,
    )
    assert 60 <= by_type["004"] <= 105
    assert len({game["gameId"] for game in games}) == len(games)


def test_a_running_season_has_scores_until_now_and_no_knock_out_games_after_it(
    sandbox: Sandbox,
) -> None:
    games = _schedule(sandbox, "2025-26")
    assert {game["gameId"][:3] for game in games} == {"001", "002", "003", "006"}
    for game in games:
        played = game["gameDateTimeUTC"] < "2026-03-01T17:30:00Z"
        assert (game["gameStatus"] == 3) == played
        assert (game["homeTeam"]["score"] > 0) == played
    assert (
        _cdn(sandbox, "staticData/scheduleLeagueV2").json()["leagueSchedule"]["seasonYear"]
        == "2025-26"
    )


def test_eastern_times_carry_a_false_z(sandbox: Sandbox) -> None:
    game = next(
        game for game in _schedule(sandbox, "2024-25") if game["gameCode"].startswith("20250115")
    )
    assert game["gameDateEst"] == "2025-01-15T00:00:00Z"
    assert game["gameDateTimeEst"][11:13] == "19"
    assert game["gameDateTimeUTC"][:13] == "2025-01-16T00"


def test_play_by_play_ends_with_the_score_of_the_schedule(sandbox: Sandbox) -> None:
    listed = next(
        game for game in _schedule(sandbox, "2024-25") if game["gameCode"].startswith("20250115")
    )
    game = _cdn(sandbox, f"liveData/playbyplay/playbyplay_{listed['gameId']}").json()["game"]
    actions = game["actions"]
    assert game["gameId"] == listed["gameId"]
    assert 400 < len(actions) < 650
    assert (actions[0]["actionType"], actions[-1]["actionType"]) == ("period", "game")
    assert (actions[-1]["scoreHome"], actions[-1]["scoreAway"]) == (
        str(listed["homeTeam"]["score"]),
        str(listed["awayTeam"]["score"]),
    )
    made = Counter(
        {
            tricode: sum(
                {"2pt": 2, "3pt": 3, "freethrow": 1}[a["actionType"]]
                for a in actions
                if _made_by(a, tricode)
            )
            for tricode in (listed["homeTeam"]["teamTricode"], listed["awayTeam"]["teamTricode"])
        }
    )
    assert made[listed["homeTeam"]["teamTricode"]] == listed["homeTeam"]["score"]
    assert [a["orderNumber"] for a in actions] == sorted({a["orderNumber"] for a in actions})


def _made_by(action: dict[str, Any], tricode: str) -> bool:
    return action.get("shotResult") == "Made" and action["teamTricode"] == tricode


def test_a_game_that_is_not_over_has_no_file(sandbox: Sandbox) -> None:
    coming = next(game for game in _schedule(sandbox, "2025-26") if game["gameStatus"] == 1)
    for game_id in (coming["gameId"], "0022499999"):
        answer = _cdn(sandbox, f"liveData/playbyplay/playbyplay_{game_id}")
        assert (answer.status_code, "Access Denied" in answer.text) == (403, True)


def test_every_address_has_a_limit_of_its_own(fresh: Sandbox) -> None:
    fresh.limits({"nba_stats": [(2, 60.0)]})
    statuses = [
        requests.get(
            fresh.base("nba_stats") + "/stats/scheduleleaguev2?LeagueID=00&Season=2024-25",
            headers={**BROWSER, "X-Sandbox-Address": address},
            timeout=10,
        ).status_code
        for address in ("a", "a", "a", "b", "b", "b")
    ]
    assert statuses == [200, 200, 429, 200, 200, 429]


def test_faults_in_a_game_log(sandbox: Sandbox) -> None:
    sound = _rows(sandbox, "2024-11-06")
    rule = {"source": "nba_stats", "endpoint": "leaguegamelog", "day": "2024-11-06", "times": 1}
    sandbox.faults(
        [{**rule, "kind": kind} for kind in ("late_game", "corrected", "unplayed", "schema_drift")]
    )
    late, corrected, unplayed, drifted = (_rows(sandbox, "2024-11-06") for _ in range(4))
    first = min(row["GAME_ID"] for row in sound)
    assert late == [row for row in sound if row["GAME_ID"] != first]
    assert [(a["AST"] - b["AST"]) for a, b in zip(corrected, sound, strict=True)] == [1] + [0] * (
        len(sound) - 1
    )
    assert unplayed == []
    assert "POINTS" in drifted[0]


def test_faults_in_the_schedule_are_of_one_date(sandbox: Sandbox) -> None:
    rule = {"source": "nba_stats", "endpoint": "schedule", "day": "2024-11-06", "times": 1}
    sandbox.faults(
        [{**rule, "kind": kind} for kind in ("postponed", "late_game", "missing_game", "empty")]
    )
    sound = _schedule(sandbox, "2023-24")
    assert {game["postponedStatus"] for game in sound} == {"N"}
    postponed, late, missing, empty = (_schedule(sandbox, "2024-25") for _ in range(4))
    assert [
        (g["gameDateEst"][:10], g["gameStatus"]) for g in postponed if g["postponedStatus"] == "Y"
    ] == [("2024-11-06", 1)]
    assert [g["gameDateEst"][:10] for g in late if g["gameStatus"] == 1] == ["2024-11-06"]
    assert len(missing) == len(late) - 1
    assert [g for g in empty if g["gameDateEst"].startswith("2024-11-06")] == []


def test_a_late_game_has_no_play_by_play_yet(sandbox: Sandbox) -> None:
    sandbox.faults(
        [
            {
                "source": "nba_cdn",
                "endpoint": "play_by_play",
                "day": "2025-06-19",
                "kind": "late_game",
                "times": 1,
            }
        ]
    )
    last = _schedule(sandbox, "2024-25")[-1]
    assert last["gameDateEst"][:10] == "2025-06-19"
    path = f"liveData/playbyplay/playbyplay_{last['gameId']}"
    assert [_cdn(sandbox, path).status_code for _ in range(2)] == [403, 200]
