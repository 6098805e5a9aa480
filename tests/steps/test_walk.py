"""What a scrape asks for of a date, and in which order."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from include.errors import ErrorClass, Problem
from include.partition import Partition
from include.sources.spec import (
    Endpoint,
    Game,
    Get,
    Item,
    Listing,
    Truth,
)
from include.steps.raw_date import Fetched, RawDate
from include.steps.scrape import Scraped, scrape
from tests.http.scripted import Scripted, reply
from tests.steps.line import refused
from tests.steps.one_date import stores_in
from tests.steps.scripted_walk import (
    DAY,
    ONE,
    PAGED,
    PER_GAME,
    Recording,
    Scrape,
    games_of,
    page,
    per_game,
    source_of,
    walk,
)

__all__ = ["walk"]


def test_endpoint_of_one_request_is_one_body(walk: Scrape, scripted: Scripted) -> None:
    scripted.steps = [reply(body=b"[1]")]
    assert list(walk(ONE, [])) == [
        Fetched(
            item="all",
            role="data",
            body=b"[1]",
            url=f"{scripted.url}/box?date=2025-01-15",
            status=200,
            requests=1,
            credits=0,
        )
    ]


def test_body_is_not_shown_where_what_was_fetched_is_printed(
    walk: Scrape, scripted: Scripted
) -> None:
    scripted.steps = [reply(body=b"[1]")]
    (got,) = walk(ONE, [])
    assert "[1]" not in repr(got)


def test_truth_is_asked_first_and_its_games_become_the_items(
    walk: Scrape, scripted: Scripted
) -> None:
    endpoint = replace(
        ONE, request=PER_GAME, items=per_game, truth=Truth(request=PAGED, games=games_of)
    )
    scripted.steps = [
        reply(body=page("BOS@NYK", next_cursor=7)),
        reply(body=page("LAL@DEN", next_cursor="8")),
        reply(body=b'{"games": []}'),
        reply(body=b"[1]"),
        reply(body=b"[2]"),
    ]
    walked = [(got.role, got.item, got.body) for got in walk(endpoint)]
    assert walked == [
        ("truth", "games", page("BOS@NYK", next_cursor=7)),
        ("truth", "games-2", page("LAL@DEN", next_cursor="8")),
        ("truth", "games-3", b'{"games": []}'),
        ("data", "BOS@NYK", b"[1]"),
        ("data", "LAL@DEN", b"[2]"),
    ]
    assert scripted.paths() == [
        "/list?day=2025-01-15",
        "/list?day=2025-01-15&cursor=7",
        "/list?day=2025-01-15&cursor=8",
        "/game/BOS%40NYK.json",
        "/game/LAL%40DEN.json",
    ]


def test_truth_is_not_asked_when_the_schedule_knows(walk: Scrape, scripted: Scripted) -> None:
    endpoint = replace(
        ONE, request=PER_GAME, items=per_game, truth=Truth(request=PAGED, games=games_of)
    )
    scripted.steps = [reply()]
    assert [got.item for got in walk(endpoint, ["BOS@NYK"])] == ["BOS@NYK"]
    assert [got.item for got in walk(endpoint, [])] == []
    assert scripted.paths() == ["/game/BOS%40NYK.json"]


def test_without_truth_the_items_learn_that_nothing_is_known(
    walk: Scrape, scripted: Scripted
) -> None:
    seen: list[Listing] = []
    scripted.steps = [reply(body=page("x"))]
    endpoint = replace(ONE, listing=PAGED, items=lambda listing: seen.append(listing) or [])
    assert [(got.role, got.item) for got in walk(endpoint)] == [("listing", "listing")]
    assert seen == [Listing(day=DAY, expected=None, bodies=[page("x")])]


def test_listing_pages_are_given_to_the_items_and_may_live_on_another_host(
    walk: Scrape, scripted: Scripted
) -> None:
    endpoint = replace(
        ONE,
        listing=replace(PAGED, connection="cdn"),
        request=replace(PER_GAME, accept="csv"),
        items=lambda listing: [
            Item(name=f"[{DAY}]-{n}.csv", values={"game": str(len(body))})
            for n, body in enumerate(listing.bodies)
        ],
    )
    scripted.steps = [
        reply(body=page(next_cursor="{b}")),
        reply(body=page("BOS@NYK")),
        reply(body=b"a,b\n"),
        reply(body=b"c,d\n"),
    ]
    assert [(got.role, got.item) for got in walk(endpoint, [])] == [
        ("listing", "listing"),
        ("listing", "listing-2"),
        ("data", "_2025-01-15_-0.csv"),
        ("data", "_2025-01-15_-1.csv"),
    ]
    assert scripted.paths() == [
        "/cdn/list?day=2025-01-15",
        "/cdn/list?day=2025-01-15&cursor=%7Bb%7D",
        f"/game/{len(page(next_cursor='{b}'))}.json",
        f"/game/{len(page('BOS@NYK'))}.json",
    ]


def test_item_that_is_there_is_not_asked_for_again(walk: Scrape, scripted: Scripted) -> None:
    endpoint = replace(ONE, request=PER_GAME, items=per_game)
    expected = ["BOS@NYK", "LAL@NYK", "DEN@NYK"]
    scripted.steps = [reply()]
    assert [got.item for got in walk(endpoint, expected, have=["BOS@NYK", "DEN@NYK"])] == [
        "LAL@NYK"
    ]


def test_item_with_pages_is_asked_for_again_since_its_later_pages_may_be_missing(
    walk: Scrape, scripted: Scripted
) -> None:
    scripted.steps = [reply(body=page(next_cursor=1)), reply(body=page())]
    assert [got.item for got in walk(replace(ONE, request=PAGED), have=["all"])] == ["all", "all-2"]


def test_next_body_is_asked_for_when_the_one_before_is_stored(
    walk: Scrape, scripted: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint = replace(
        ONE, request=PER_GAME, items=lambda _: [Item(name=n, values={"game": n}) for n in "abc"]
    )
    scripted.steps = [reply()] * 3
    asked: list[int] = []
    monkeypatch.setattr(Recording, "put", lambda self, got: asked.append(len(scripted.paths())))
    walk(endpoint)
    assert asked == [1, 2, 3]


def test_problem_of_the_wire_names_dag_endpoint_and_day(walk: Scrape, scripted: Scripted) -> None:
    scripted.steps = [reply(404)]
    assert walk.problem(ONE) == Problem(
        error_class=ErrorClass.NOT_FOUND,
        message=(
            "main: the upstream does not have it: check the connection's host, or rerun the date"
            " later"
        ),
        source="a_dag",
        endpoint="box_scores",
        day=DAY,
        url=f"{scripted.url}/box?date=2025-01-15",
        status=404,
        attempt=1,
        body_line="{}",
    )


def test_problem_of_the_specs_own_function_names_dag_endpoint_and_day(
    walk: Scrape, scripted: Scripted
) -> None:
    def drifted(body: bytes, day: date) -> list[Game]:
        raise Problem(error_class=ErrorClass.SCHEMA_DRIFT, message="no games in it")

    scripted.steps = [reply()]
    assert walk.problem(
        replace(ONE, truth=Truth(request=Get(path="/games"), games=drifted))
    ) == Problem(
        error_class=ErrorClass.SCHEMA_DRIFT,
        message="no games in it",
        source="a_dag",
        endpoint="box_scores",
        day=DAY,
    )


def test_connection_that_the_source_does_not_name_is_our_own_mistake(
    walk: Scrape, scripted: Scripted
) -> None:
    problem = walk.problem(replace(ONE, request=Get(path="/", connection="elsewhere")))
    assert (problem.error_class, problem.message) == (
        "internal",
        "the source names no host for connection elsewhere",
    )


def test_source_whose_list_of_games_is_in_the_listing_is_asked_once(
    walk: Scrape, scripted: Scripted
) -> None:
    endpoint = replace(
        ONE,
        listing=PAGED,
        request=PER_GAME,
        items=per_game,
        truth=Truth(games=games_of),
    )
    scripted.steps = [
        reply(body=page("BOS@NYK", next_cursor=1)),
        reply(body=page("LAL@DEN")),
        *([reply()] * 2),
    ]
    assert [(got.role, got.item) for got in walk(endpoint)] == [
        ("listing", "listing"),
        ("listing", "listing-2"),
        ("data", "BOS@NYK"),
        ("data", "LAL@DEN"),
    ]


def test_warning_of_a_request_that_is_made_again_names_endpoint_and_date(
    walk: Scrape, scripted: Scripted, caplog: pytest.LogCaptureFixture
) -> None:
    scripted.steps = [reply(500), reply()]
    walk(ONE)
    (warning,) = caplog.messages
    assert "(main box_scores 2025-01-15)" in warning


def test_listing_that_was_paid_for_is_bought_once_and_stays_part_of_the_date(
    walk: Scrape, scripted: Scripted, tmp_path: Path
) -> None:
    endpoint = replace(
        ONE,
        listing=Get(path="/list", cost=lambda params: 1),
        request=PER_GAME,
        items=per_game,
        per_game=True,
        games=games_of,
        truth=Truth(games=games_of),
    )
    scripted.steps = [
        reply(body=page("BOS@NYK")),
        reply(404),
        reply(body=page("BOS@NYK")),
    ]
    stores = stores_in(tmp_path)
    at = Partition(dag_id="a_dag", endpoint="box_scores", day=DAY)

    def tried(endpoint: Endpoint) -> Scraped:
        date = RawDate(endpoint, at, stores.raw)
        return scrape(source_of(endpoint), date, stores.warehouse, walk.wire)

    assert refused(lambda: tried(endpoint)).error_class is ErrorClass.NOT_FOUND
    clash = replace(endpoint, items=lambda _: [Item(name="listing")])
    assert refused(lambda: tried(clash)).message.startswith("two requests are both called listing")

    scraped = tried(endpoint)

    asked = ["/list", "/game/BOS%40NYK.json", "/game/BOS%40NYK.json"]
    assert (scripted.paths(), scraped.requests) == (asked, 1)
    assert scraped.manifest.outcome == "complete"
    assert [(o.item, o.role) for o in scraped.manifest.objects] == [
        ("listing", "listing"),
        ("BOS@NYK", "data"),
    ]
