from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import requests

from devstack.sandbox.server import Sandbox, running

SPORT = "/v4/historical/sports/basketball_nba"


@pytest.fixture(autouse=True)
def _sound(sandbox: Sandbox) -> None:
    sandbox.no_faults()


def _get(sandbox: Sandbox, path: str, key: str = "sandbox-key", **params: str) -> requests.Response:
    return requests.get(
        sandbox.base("the_odds_api") + path, params={"apiKey": key, **params}, timeout=10
    )


def _events(sandbox: Sandbox, at: str) -> list[dict[str, Any]]:
    return _get(sandbox, f"{SPORT}/events", date=at).json()["data"]


def _cost(answer: requests.Response) -> int:
    return int(answer.headers["x-requests-last"])


def _code(answer: requests.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error_code"]


@pytest.fixture(scope="module")
def event(sandbox: Sandbox) -> dict[str, Any]:
    """The first event of 2025-01-15."""
    return next(
        e for e in _events(sandbox, "2025-01-15T17:00:00Z") if e["commence_time"] >= "2025-01-15T23"
    )


def test_a_snapshot_is_the_closest_one_before_on_a_grid_of_five_minutes(sandbox: Sandbox) -> None:
    body = _get(sandbox, f"{SPORT}/events", date="2024-01-10T12:00:00Z").json()
    assert [body[name] for name in ("previous_timestamp", "timestamp", "next_timestamp")] == [
        "2024-01-10T11:50:38Z",
        "2024-01-10T11:55:38Z",
        "2024-01-10T12:00:38Z",
    ]
    assert _get(sandbox, f"{SPORT}/events", date="2024-01-10T11:55:38Z").json() == body
    early = _get(sandbox, f"{SPORT}/events", date="2021-12-10T12:00:00Z").json()
    assert (early["timestamp"], early["next_timestamp"]) == (
        "2021-12-10T11:50:38Z",
        "2021-12-10T12:00:38Z",
    )


def test_a_listing_has_games_in_play_and_games_of_the_next_date(sandbox: Sandbox) -> None:
    events = _events(sandbox, "2025-01-16T01:30:00Z")
    starts = [datetime.fromisoformat(event["commence_time"]) for event in events]
    at = datetime.fromisoformat("2025-01-16T01:25:38Z")
    assert any(start < at for start in starts)
    days = {start.astimezone(ZoneInfo("America/New_York")).date().isoformat() for start in starts}
    assert days == {"2025-01-15", "2025-01-16"}


def test_events_are_the_games_of_the_other_sources_with_their_full_names(sandbox: Sandbox) -> None:
    url = sandbox.base("balldontlie") + "/v1/games?dates[]=2025-01-15"
    games = requests.get(url, headers={"Authorization": "sandbox-key"}, timeout=10).json()["data"]
    ours = {
        (event["away_team"], event["home_team"])
        for event in _events(sandbox, "2025-01-15T17:00:00Z")
        if event["commence_time"] < "2025-01-16T08"
    }
    names = {"LA Clippers": "Los Angeles Clippers"}
    theirs = [(game["visitor_team"]["full_name"], game["home_team"]["full_name"]) for game in games]
    assert ours == {(names.get(away, away), names.get(home, home)) for away, home in theirs}


def test_an_events_list_costs_one_credit_and_an_empty_one_nothing(sandbox: Sandbox) -> None:
    assert _cost(_get(sandbox, f"{SPORT}/events", date="2025-01-15T12:00:00Z")) == 1
    assert _cost(_get(sandbox, f"{SPORT}/events", date="2025-08-01T12:00:00Z")) == 0


def test_event_odds_cost_ten_for_every_market_returned_and_region(
    sandbox: Sandbox, event: dict[str, Any]
) -> None:
    path = f"{SPORT}/events/{event['id']}/odds"

    def cost(**params: str) -> int:
        return _cost(_get(sandbox, path, date="2025-01-15T22:00:00Z", **params))

    assert cost(markets="player_points", regions="us") == 10
    assert cost(markets="player_points,player_assists", regions="us,us2") == 40
    assert cost(markets="player_points,player_first_basket", regions="us") == 10
    assert cost(markets="player_points", bookmakers="draftkings,fanduel") == 10
    assert cost(markets="player_points", bookmakers=",".join(["draftkings", *"abcdefghij"])) == 20
    assert cost(markets="player_first_basket", regions="us") == 0


def test_featured_odds_cost_ten_for_every_market_asked_for_and_region(sandbox: Sandbox) -> None:
    params = {"date": "2025-01-15T22:00:00Z", "markets": "h2h,spreads,totals", "regions": "us"}
    answer = _get(sandbox, f"{SPORT}/odds", **params)
    assert _cost(answer) == 30
    first = answer.json()["data"][0]
    assert {market["key"] for market in first["bookmakers"][0]["markets"]} == {
        "h2h",
        "spreads",
        "totals",
    }
    assert _cost(_get(sandbox, f"{SPORT}/odds", **{**params, "date": "2025-08-01T12:00:00Z"})) == 0


def test_a_player_outcome_has_its_side_as_name_and_the_player_as_description(
    sandbox: Sandbox, event: dict[str, Any]
) -> None:
    params = {
        "date": "2025-01-15T22:00:00Z",
        "markets": "player_points",
        "bookmakers": "draftkings",
    }
    data = _get(sandbox, f"{SPORT}/events/{event['id']}/odds", **params).json()["data"]
    (market,) = data["bookmakers"][0]["markets"]
    assert [list(outcome) for outcome in market["outcomes"]] == [
        ["name", "description", "price", "point"]
    ] * 28
    assert [outcome["name"] for outcome in market["outcomes"]] == ["Over", "Under"] * 14
    for over, under in zip(market["outcomes"][::2], market["outcomes"][1::2], strict=True):
        assert (over["description"], over["point"]) == (under["description"], under["point"])
        assert 1.0 < 1 / over["price"] + 1 / under["price"] < 1.15
        assert over["description"].isascii()


def test_lines_move_before_tip_off_and_prices_come_in_the_format_asked_for(
    sandbox: Sandbox, event: dict[str, Any]
) -> None:
    def book(at: datetime, **more: str) -> list[dict[str, Any]]:
        params = {
            "date": f"{at:%Y-%m-%dT%H:%M:%SZ}",
            "markets": "player_points",
            "bookmakers": "fanduel",
            **more,
        }
        data = _get(sandbox, f"{SPORT}/events/{event['id']}/odds", **params).json()["data"]
        return data["bookmakers"][0]["markets"][0]["outcomes"]

    tip_off = datetime.fromisoformat(event["commence_time"])
    close, earlier, opening = (book(tip_off - timedelta(minutes=m)) for m in (15, 30, 600))
    assert close == earlier
    assert close != opening
    american = book(tip_off - timedelta(minutes=15), oddsFormat="american")
    assert all(abs(outcome["price"]) >= 100 for outcome in american)


def test_player_markets_begin_in_may_2023(sandbox: Sandbox) -> None:
    (event, *_) = _events(sandbox, "2023-04-14T12:00:00Z")
    params = {"date": "2023-04-14T12:00:00Z", "markets": "player_points", "regions": "us"}
    answer = _get(sandbox, f"{SPORT}/events/{event['id']}/odds", **params)
    assert (answer.json()["data"]["bookmakers"], _cost(answer)) == ([], 0)


def test_errors_have_their_codes(sandbox: Sandbox, event: dict[str, Any]) -> None:
    odds = f"{SPORT}/events/{event['id']}/odds"
    before, long_after = "2025-01-15T22:00:00Z", "2025-02-15T22:00:00Z"
    assert _code(_get(sandbox, f"{SPORT}/events", key="wrong", date=before)) == (401, "INVALID_KEY")
    assert _code(_get(sandbox, f"{SPORT}/events", key="", date=before)) == (401, "MISSING_KEY")
    assert _code(_get(sandbox, f"{SPORT}/events")) == (422, "MISSING_HISTORICAL_TIMESTAMP")
    assert _code(_get(sandbox, f"{SPORT}/events", date="2025-01-15")) == (
        422,
        "INVALID_HISTORICAL_TIMESTAMP",
    )
    assert _code(_get(sandbox, odds, date=before, markets="player_points")) == (
        422,
        "MISSING_REGION",
    )
    assert _code(_get(sandbox, odds, date=before, markets="points", regions="us")) == (
        422,
        "INVALID_MARKET",
    )
    assert _code(_get(sandbox, odds, date=long_after, regions="us")) == (404, "EVENT_NOT_FOUND")
    assert _code(_get(sandbox, "/v4/historical/sports/mlb/events", date=before)) == (
        404,
        "UNKNOWN_SPORT",
    )


def test_errors_tell_the_bill_too_unless_the_key_is_nobodys(sandbox: Sandbox) -> None:
    missing = _get(sandbox, f"{SPORT}/events")
    assert _cost(missing) == 0
    assert (
        int(missing.headers["x-requests-used"]) + int(missing.headers["x-requests-remaining"])
        == 1_000_000
    )
    assert "x-requests-used" not in _get(sandbox, f"{SPORT}/events", key="wrong").headers


def test_a_month_has_its_credits_and_not_one_more(tmp_path: Path) -> None:
    with running(tmp_path, monthly_credits=25, now="2026-03-31T23:00:00Z") as sandbox:
        at = "2025-01-15T22:00:00Z"
        (event, *_) = _events(sandbox, at)
        odds = f"{SPORT}/events/{event['id']}/odds"
        asked = [
            _get(sandbox, odds, date=at, markets="player_points", regions="us") for _ in range(3)
        ]
        assert [answer.status_code for answer in asked] == [200, 200, 401]
        assert asked[-1].json()["error_code"] == "OUT_OF_USAGE_CREDITS"
        assert [answer.headers["x-requests-used"] for answer in asked] == ["11", "21", "21"]
        assert [answer.headers["x-requests-remaining"] for answer in asked] == ["14", "4", "4"]
        assert sandbox.bill() | {"now": ""} == {
            "monthly": 25,
            "used": 21,
            "remaining": 4,
            "now": "",
        }
        assert [(entry["billed"], entry["credits_used"]) for entry in sandbox.log()] == [
            (1, 1),
            (10, 11),
            (10, 21),
            (0, 21),
        ]
        sandbox.clock("2026-04-01T00:00:01Z")
        assert (sandbox.bill()["used"], sandbox.bill()["remaining"]) == (0, 25)
        assert (
            _get(sandbox, odds, date=at, markets="player_points", regions="us").status_code == 200
        )
        assert sandbox.verdicts()["the_odds_api"].billed == 31


def test_without_credits_even_a_free_answer_is_refused(tmp_path: Path) -> None:
    with running(tmp_path, monthly_credits=0) as sandbox:
        assert _code(_get(sandbox, f"{SPORT}/events", date="2025-08-01T12:00:00Z")) == (
            401,
            "OUT_OF_USAGE_CREDITS",
        )
        assert _get(sandbox, "/v4/sports").json()[0]["key"] == "basketball_nba"


def test_more_than_thirty_calls_in_a_second_are_refused(fresh: Sandbox) -> None:
    fresh.limits({"the_odds_api": [(3, 60.0)]})
    answers = [_get(fresh, "/v4/sports") for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert _code(answers[-1]) == (429, "EXCEEDED_FREQ_LIMIT")
    assert "retry-after" not in answers[-1].headers


def test_three_refusals_share_a_status_and_differ_in_their_code(sandbox: Sandbox) -> None:
    sandbox.faults(
        [
            {"source": "the_odds_api", "kind": kind, "times": 1}
            for kind in ("bad_key", "out_of_credits", "wrong_tier")
        ]
    )
    codes = [_code(_get(sandbox, f"{SPORT}/events", date="2025-01-15T12:00:00Z")) for _ in range(3)]
    assert codes == [
        (401, "INVALID_KEY"),
        (401, "OUT_OF_USAGE_CREDITS"),
        (401, "HISTORICAL_UNAVAILABLE_ON_FREE_USAGE_PLAN"),
    ]


def test_faults_in_what_is_listed_and_offered(sandbox: Sandbox, event: dict[str, Any]) -> None:
    at = "2025-01-15T22:00:00Z"
    sound = _events(sandbox, at)
    listing = {"source": "the_odds_api", "endpoint": "events", "day": "2025-01-15", "times": 1}
    sandbox.faults(
        [
            {**listing, "kind": kind}
            for kind in ("missing_game", "schema_drift", "postponed", "empty")
        ]
    )
    assert _events(sandbox, at) == sound[1:]
    assert "start_time" in _events(sandbox, at)[0]
    assert _events(sandbox, at) == sound
    assert _events(sandbox, at) == []
    sandbox.faults(
        [
            {
                "source": "the_odds_api",
                "endpoint": "event_odds",
                "day": "2025-01-15",
                "kind": "empty",
                "times": 1,
            }
        ]
    )
    params = {"date": at, "markets": "player_points", "regions": "us"}
    answer = _get(sandbox, f"{SPORT}/events/{event['id']}/odds", **params)
    assert (answer.json()["data"]["bookmakers"], _cost(answer)) == ([], 0)
