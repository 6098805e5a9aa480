"""What dates ask for: counted per game, per date and once, without what raw has."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest

from include.guards.needs import Missing, Needs, list_needs
from include.parsing import balldontlie, nbacom
from include.sources.spec import Endpoint, Get, Host, Item, Source, Truth, Window

FIRST = date(2025, 1, 15)
GAMES = {FIRST + timedelta(days=n): games for n, games in enumerate((11, 0, 7))}
MINUTE = Host(connection="up", base_url="", windows=(Window(limit=60, seconds=60),))
ENDPOINT = Endpoint(
    name="box_scores",
    table=balldontlie.BOX_SCORES,
    request=Get(path="/scores"),
    rows=balldontlie.rows,
    games=balldontlie.games,
)
LIST = Get(path="/list")


def source(*hosts: Host, **endpoint: object) -> Source:
    return Source(
        dag_id="bdl", hosts=hosts or (MINUTE,), endpoints=(replace(ENDPOINT, **endpoint),)
    )


def needs(missing: Missing | None = None, **endpoint: object) -> Needs:
    return list_needs(source(**endpoint), GAMES, missing=missing)


def asked(**endpoint: object) -> int:
    return needs(**endpoint).requests


def test_one_request_a_date_also_where_there_are_no_games() -> None:
    assert (needs().requests, needs().credits, needs().tasks) == (3, 0, 3)


def test_items_that_are_made_of_games_are_not_asked_for_without_any() -> None:
    of_games = {"items": lambda listing: [Item(name="regular")] if listing.expected else []}
    assert asked(**of_games) == 2


def test_requests_per_game_are_as_many_as_the_games_and_parts() -> None:
    assert asked(per_game=True) == 11 + 7
    assert asked(per_game=True, parts=("points", "threes")) == 2 * (11 + 7)


def test_listing_is_asked_for_every_date_and_its_data_only_where_there_are_games() -> None:
    assert asked(listing=LIST) == 3 + 2
    assert asked(listing=LIST, per_game=True) == 3 + 11 + 7


def test_the_sources_own_list_is_not_asked_for_since_dates_get_the_schedule_first() -> None:
    truth = Truth(games=balldontlie.listed_games, request=Get(path="/games"))
    assert asked(truth=truth) == asked(truth=None) == 3


def test_body_that_serves_a_season_is_asked_for_once_a_season() -> None:
    assert asked(shared=lambda day: "2024-25") == 1
    assert asked(shared=str) == 3


def test_of_dates_that_share_a_body_the_first_that_lacks_it_asks() -> None:
    season = {"shared": nbacom.season}
    third = FIRST + timedelta(days=2)
    whole = {("box_scores", day): (0, 0) for day in GAMES}
    assert needs(missing=whole, **season).requests == 0
    lacking = needs(missing={**whole, ("box_scores", third): (0, 1)}, **season)
    assert [(need.day, need.times) for need in lacking.each] == [(third, 1)]


def test_what_raw_has_is_not_asked_for() -> None:
    missing = {("box_scores", FIRST): (0, 0), ("box_scores", FIRST + timedelta(days=2)): (0, 3)}
    found = needs(missing=missing, listing=LIST, per_game=True)
    times = [(str(need.day), need.times) for need in found.each]
    assert times == [("2025-01-16", 1), ("2025-01-17", 3)]
    assert found.days == {FIRST + timedelta(days=1), FIRST + timedelta(days=2)}


def test_requests_are_counted_at_the_host_and_endpoint_that_they_belong_to() -> None:
    get = Get(path="/plays", connection="slow", cost=lambda params: 10)
    found = needs(listing=Get(path="/list", cost=lambda params: 1), request=get, per_game=True)
    at = {name: (found.at(name).requests, found.at(name).credits) for name in ("up", "slow")}
    assert at == {"up": (3, 3), "slow": (18, 180)}
    assert (found.of("box_scores"), found.of("other").requests) == (found, 0)


@pytest.mark.parametrize(("games", "items"), [(0, 0), (1, 1), (9, 1)])
def test_date_with_a_list_has_one_item_where_it_has_games(games: int, items: int) -> None:
    assert replace(ENDPOINT, listing=LIST).count_items(games) == items
