"""A scrape of one day on the scripted upstream: what it asks for, in which order."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from include.errors import Problem
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
)
from include.steps.job import Wire
from include.steps.raw_date import Fetched, RawDate, Stored
from include.steps.scrape import scrape
from include.storage.local import LocalStore
from include.storage.raw import RawObject
from include.warehouse.local import LocalWarehouse
from tests.http.scripted import Scripted

DAY = date(2025, 1, 15)
ONE = Endpoint(
    name="box_scores",
    table=Table(name="t", columns=(Column("game_date", "DATE"),), key=("game_date",)),
    request=Get(path="/box", params={"date": "{day}"}),
    rows=lambda body, day: (),
    games=lambda body, day: (),
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
