from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import requests

from devstack.sandbox.server import Sandbox

KEY = {"Authorization": "sandbox-key"}


def _get(sandbox: Sandbox, path: str, params: Mapping[str, Any] | None = None) -> requests.Response:
    return requests.get(sandbox.base("balldontlie") + path, params=params, headers=KEY, timeout=10)


def test_a_missing_or_wrong_key_is_answered_in_plain_text(sandbox: Sandbox) -> None:
    for headers in ({}, {"Authorization": "another"}):
        answer = requests.get(
            sandbox.base("balldontlie") + "/v1/teams", headers=headers, timeout=10
        )
        assert (answer.status_code, answer.text) == (401, "Unauthorized")
        assert answer.headers["content-type"].startswith("text/plain")


def test_seasons_before_2025_have_the_old_shape(sandbox: Sandbox) -> None:
    game = _get(sandbox, "/v1/box_scores", {"date": "2025-01-15"}).json()["data"][0]
    assert list(game) == [
        "date",
        "season",
        "status",
        "period",
        "time",
        "postseason",
        "home_team_score",
        "visitor_team_score",
        "home_team",
        "visitor_team",
    ]
    assert "plus_minus" not in game["home_team"]["players"][0]


def test_newer_seasons_have_id_datetime_quarters_and_plus_minus(sandbox: Sandbox) -> None:
    listing = _get(sandbox, "/v1/games", {"dates[]": "2026-01-09"}).json()["data"]
    games = _get(sandbox, "/v1/box_scores", {"date": "2026-01-09"}).json()["data"]
    assert [game["id"] for game in games] == [
        game["id"] for game in sorted(listing, key=lambda g: g["datetime"])
    ]
    for game in games:
        quarters = [
            game[f"home_{name}"] or 0 for name in ("q1", "q2", "q3", "q4", "ot1", "ot2", "ot3")
        ]
        assert sum(quarters) == game["home_team_score"]
        assert "plus_minus" in game["visitor_team"]["players"][0]


def test_player_points_make_the_score_and_benched_players_have_two_zeros_as_minutes(
    sandbox: Sandbox,
) -> None:
    games = _get(sandbox, "/v1/box_scores", {"date": "2024-01-15"}).json()["data"]
    assert games
    for game in games:
        for side in ("home_team", "visitor_team"):
            players = game[side]["players"]
            assert sum(player["pts"] for player in players) == game[f"{side}_score"]
            assert all(player["pts"] == 0 for player in players if player["min"] == "00")
            assert all(len(player["min"]) == 2 for player in players)


def test_a_day_without_games_is_an_empty_list_without_meta(sandbox: Sandbox) -> None:
    assert _get(sandbox, "/v1/box_scores", {"date": "2024-12-24"}).json() == {"data": []}


def test_games_that_are_not_played_yet_have_period_0_an_iso_status_and_no_players(
    sandbox: Sandbox,
) -> None:
    games = _get(sandbox, "/v1/box_scores", {"date": "2026-03-02"}).json()["data"]
    assert games
    for game in games:
        assert (game["period"], game["home_team_score"], game["visitor_team_score"]) == (0, 0, 0)
        assert game["status"] == game["datetime"].replace(".000Z", "Z")
        assert (game["home_team"]["players"], game["visitor_team"]["players"]) == ([], [])


def test_a_game_in_play_has_a_quarter_as_status_and_no_players_yet(sandbox: Sandbox) -> None:
    sandbox.clock("2026-03-01T19:00:00Z")
    games = _get(sandbox, "/v1/box_scores", {"date": "2026-03-01"}).json()["data"]
    (live,) = [game for game in games if game["datetime"] == "2026-03-01T18:00:00.000Z"]
    assert (live["status"], live["period"], live["home_team"]["players"]) == ("2nd Qtr", 2, [])
    assert live["home_team_score"] > 0


def test_pages_end_without_a_cursor_and_hold_every_game_once(sandbox: Sandbox) -> None:
    whole = _get(sandbox, "/v1/games", {"dates[]": "2025-04-13", "per_page": 100}).json()
    assert (len(whole["data"]), whole["meta"]) == (15, {"per_page": 100})
    pages, cursor = [], {}
    while True:
        page = _get(sandbox, "/v1/games", {"dates[]": "2025-04-13", "per_page": 4, **cursor}).json()
        pages.append(page["data"])
        if "next_cursor" not in page["meta"]:
            break
        cursor = {"cursor": page["meta"]["next_cursor"]}
    assert [len(page) for page in pages] == [4, 4, 4, 3]
    assert [game for page in pages for game in page] == whole["data"]


def test_stats_are_the_box_scores_as_rows(sandbox: Sandbox) -> None:
    games = _get(sandbox, "/v1/box_scores", {"date": "2024-12-17"}).json()["data"]
    rows = _get(sandbox, "/v1/stats", {"dates[]": "2024-12-17", "per_page": 100}).json()["data"]
    boxed = [
        line["pts"]
        for game in games
        for side in ("home_team", "visitor_team")
        for line in game[side]["players"]
    ]
    assert [row["pts"] for row in rows] == boxed


def test_a_date_that_is_none_is_a_bad_request_and_an_unknown_path_is_not_found(
    sandbox: Sandbox,
) -> None:
    assert _get(sandbox, "/v1/box_scores", {"date": "2024-02-30"}).status_code == 400
    assert _get(sandbox, "/v1/box_scores").status_code == 400
    assert _get(sandbox, "/v2/box_scores").status_code == 404
    assert _get(sandbox, "/nba/v1/teams").status_code == 200


def test_the_clippers_are_from_la(sandbox: Sandbox) -> None:
    names = {
        team["abbreviation"]: team["full_name"]
        for team in _get(sandbox, "/v1/teams").json()["data"]
    }
    assert (len(names), names["LAC"], names["LAL"]) == (30, "LA Clippers", "Los Angeles Lakers")
