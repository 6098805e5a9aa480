"""What a request for odds can cost, held against what the sandbox bills."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from devstack.sandbox.exchange import Call
from devstack.sandbox.league import League
from devstack.sandbox.odds import OddsApi
from include.parsing.odds_api import event_games, odds_cost

DAY = date(2024, 1, 16)
NOW = datetime(2026, 3, 1, tzinfo=UTC)


def billed(path: str, params: dict[str, str]) -> int:
    """What the sandbox bills for its answer about 2024-01-16, two hours before the first
    tip-off."""
    query = {"date": "2024-01-16T22:00:00Z", **params}
    call = Call(
        path=f"/v4/historical/sports/basketball_nba/{path}", query=list(query.items()), now=NOW
    )
    answer = OddsApi().answer(call, League())
    assert answer.status == 200
    return OddsApi().cost(call, answer)


def an_event() -> str:
    call = Call(
        path="/v4/historical/sports/basketball_nba/events",
        query=[("date", "2024-01-16T22:00:00Z")],
        now=NOW,
    )
    (first, *_) = event_games(OddsApi().answer(call, League()).body, DAY)
    return f"events/{first.game_id}/odds"


@pytest.mark.parametrize(
    ("params", "cost"),
    [
        ({"regions": "us"}, 10),
        ({"regions": "us,us2"}, 20),
        ({"regions": "us,us2,"}, 20),
        ({"bookmakers": "draftkings"}, 10),
        ({"bookmakers": ",".join(["draftkings", *"abcdefghi"])}, 10),
        ({"bookmakers": ",".join(["draftkings", *"abcdefghij"])}, 20),
        ({"bookmakers": "draftkings", "regions": "us,us2"}, 10),
    ],
)
@pytest.mark.parametrize("markets", [1, 2, 3])
def test_what_odds_cost_is_what_the_sandbox_bills(
    params: dict[str, str], cost: int, markets: int
) -> None:
    props = {
        **params,
        "markets": ",".join(("player_points", "player_assists", "player_rebounds")[:markets]),
    }
    lines = {**params, "markets": ",".join(("h2h", "spreads", "totals")[:markets])}
    assert (odds_cost(props), billed(an_event(), props)) == (cost * markets, cost * markets)
    assert (odds_cost(lines), billed("odds", lines)) == (cost * markets, cost * markets)


def test_market_that_nobody_offers_is_reserved_but_not_billed() -> None:
    params = {"regions": "us", "markets": "player_points,player_first_basket"}
    assert (odds_cost(params), billed(an_event(), params)) == (20, 10)


def test_parameters_that_are_left_out_count_as_one() -> None:
    assert (odds_cost({"regions": "us,us2"}), billed("odds", {"regions": "us,us2"})) == (20, 20)
    assert odds_cost({}) == 10
