"""What a scrape asks for of a date, in which order, and how its pages end."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from include.errors import ErrorClass, Problem
from include.http.client import Client
from include.http.upstream import Upstream
from include.parsing.nbacom import SCHEDULE
from include.partition import Partition
from include.sources.spec import (
    Column,
    Cursor,
    Endpoint,
    Game,
    GameState,
    Get,
    Host,
    Item,
    Listing,
    Source,
    Table,
    Truth,
    no_rows,
)
from include.steps.job import Wire
from include.steps.raw_date import Fetched, RawDate, Stored
from include.steps.scrape import scrape
from include.storage.local import LocalStore
from include.storage.raw import RawObject
from include.warehouse.local import LocalWarehouse
from tests.http.scripted import Scripted, reply

DAY = date(2025, 1, 15)
ONE = Endpoint(
    name="box_scores",
    table=Table(name="t", columns=(Column("game_date", "DATE"),), key=("game_date",)),
    request=Get(path="/box", params={"date": "{day}"}),
    rows=no_rows,
    games=no_rows,
)
PAGED = Get(path="/list", params={"day": "{day}"}, pages=Cursor(path="meta.next", param="cursor"))
PER_GAME = Get(path="/game/{game}.json")


def source_of(endpoint: Endpoint) -> Source:
    hosts = (
        Host(connection="main", base_url="https://main.test", windows=()),
        Host(connection="cdn", base_url="https://cdn.test", windows=()),
    )
    return Source(dag_id="a_dag", hosts=hosts, endpoints=(endpoint,))


def games_of(body: bytes, day: date) -> list[Game]:
    return [
        Game(day=day, away=game[:3], home=game[4:], state=GameState.FINAL)
        for game in json.loads(body).get("games", [])
    ]


def per_game(listing: Listing) -> list[Item]:
    return [Item(name=str(game), values={"game": str(game)}) for game in listing.expected or ()]


def page(*games: str, next_cursor: Any = None) -> bytes:
    return json.dumps({"games": games, "meta": {"next": next_cursor}}).encode()


class Recording(RawDate):
    """A date whose bodies are kept in memory; those of ``have`` are there already."""

    def __init__(self, endpoint: Endpoint, store: LocalStore, have: Sequence[str]) -> None:
        super().__init__(endpoint, Partition(dag_id="a_dag", endpoint="box_scores", day=DAY), store)
        self.have = have
        self.got: list[Fetched] = []

    def body(self, item: str) -> Stored | None:
        if item not in self.have:
            return None
        known = {"path": item, "sha256": "", "bytes": 0, "url": "", "status": 200}
        found = RawObject(item=item, role="data", fetched_at="", **known)
        return Stored(object=found, games=())

    def put(self, got: Fetched) -> None:
        self.got.append(got)


class Scrape:
    """The day's scrape on the scripted upstream."""

    def __init__(self, client: Client, scripted: Scripted, folder: Path) -> None:
        self.scripted, self.folder = scripted, folder
        upstreams = {
            "main": Upstream(name="main", base_url=scripted.url),
            "cdn": Upstream(name="cdn", base_url=f"{scripted.url}/cdn"),
        }
        self.wire = Wire(client=client, upstreams=upstreams)

    def __call__(
        self, endpoint: Endpoint, expected: Sequence[str] | None = None, have: Sequence[str] = ()
    ) -> list[Fetched]:
        """What was asked for, in order. ``expected``: the schedule's games, where it has the
        date."""
        warehouse = LocalWarehouse(self.folder / "warehouse")
        if expected is not None:
            warehouse.replace(SCHEDULE, DAY, [scheduled(game) for game in expected])
        date = Recording(endpoint, LocalStore(self.folder / "raw"), have)
        scrape(source_of(endpoint), date, warehouse, self.wire)
        return date.got

    def problem(self, endpoint: Endpoint) -> Problem:
        with pytest.raises(Problem) as caught:
            self(endpoint)
        return caught.value


def scheduled(game: str) -> dict[str, Any]:
    return {
        "game_date": DAY,
        "game_id": f"00224{game}",
        "away_tricode": game[:3],
        "home_tricode": game[4:],
        "season_type": "Regular Season",
        "counts": True,
        "postponed": False,
        "source_file": "x",
    }


@pytest.fixture
def walk(client: Client, scripted: Scripted, tmp_path: Path) -> Scrape:
    return Scrape(client, scripted, tmp_path)


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


@pytest.mark.parametrize(
    "last", [b"[]", b'{"meta": 5}', b'{"meta": {"next": [1]}}', b'{"meta": {"next": true}}']
)
def test_cursor_of_another_shape_is_drift(walk: Scrape, scripted: Scripted, last: bytes) -> None:
    scripted.steps = [reply(body=last)]
    problem = walk.problem(replace(ONE, request=PAGED))
    assert (problem.error_class, problem.source, problem.endpoint, problem.day, problem.url) == (
        "schema_drift",
        "a_dag",
        "box_scores",
        DAY,
        f"{scripted.url}/list?day=2025-01-15",
    )


@pytest.mark.parametrize(
    "last", [b"{}", b'{"meta": null}', b'{"meta": {}}', b'{"meta": {"next": ""}}']
)
def test_missing_null_or_empty_cursor_ends_the_pages(
    walk: Scrape, scripted: Scripted, last: bytes
) -> None:
    scripted.steps = [reply(body=page(next_cursor=0)), reply(body=last)]
    assert [got.item for got in walk(replace(ONE, request=PAGED))] == ["all", "all-2"]


def test_repeated_cursor_is_drift_and_no_endless_loop(walk: Scrape, scripted: Scripted) -> None:
    scripted.steps = [reply(body=page(next_cursor=n)) for n in (1, 2, 1)]
    problem = walk.problem(replace(ONE, request=PAGED))
    assert (problem.error_class, problem.message) == (
        ErrorClass.SCHEMA_DRIFT,
        "meta.next gives '1' again: correct its Cursor",
    )
    assert len(scripted.seen) == 3


def test_pages_end_at_a_hundred(walk: Scrape, scripted: Scripted) -> None:
    scripted.steps = [reply(body=page(next_cursor=n)) for n in range(1, 200)]
    assert (
        walk.problem(replace(ONE, request=PAGED)).message
        == "meta.next goes on after 100 pages: correct its Cursor"
    )
    assert len(scripted.seen) == 100


def test_items_that_would_overwrite_each_other_are_refused(
    walk: Scrape, scripted: Scripted
) -> None:
    scripted.steps = [reply()]
    endpoint = replace(ONE, items=lambda _: [Item(name="a/b"), Item(name="a b")])
    problem = walk.problem(endpoint)
    assert (problem.error_class, problem.message) == (
        "internal",
        "two requests are both called a_b: give the spec's items different names",
    )


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
