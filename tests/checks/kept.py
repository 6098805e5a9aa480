"""A source of one small endpoint, and dates of it that are put into a raw store and a warehouse by
hand."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from include.errors import ErrorClass, Problem
from include.parsing.nbacom import SCHEDULE
from include.partition import Partition
from include.sources.spec import (
    Column,
    Endpoint,
    Game,
    GameState,
    Get,
    Host,
    Row,
    Source,
    Table,
    Window,
)
from include.storage import raw
from include.storage.local import LocalStore
from include.warehouse.local import LocalWarehouse

DAY = date(2025, 1, 15)
FETCHED_AT = "2025-01-16T11:00:00.123+00:00"

TABLE = Table(
    name="scores",
    columns=(
        Column("game_date", "DATE"),
        Column("game_id", "STRING"),
        Column("home_tricode", "STRING"),
        Column("away_tricode", "STRING"),
        Column("number", "INTEGER"),
    ),
    key=("game_id", "number"),
)


def rows(body: bytes, day: date) -> Iterator[Row]:
    """The body is ``{"GSW@UTA": 2}``: so many rows of that game."""
    for name, count in _read(body, day).items():
        away, home = name.split("@")
        teams = {"game_date": day, "game_id": name, "home_tricode": home, "away_tricode": away}
        yield from ({**teams, "number": number} for number in range(count))


def games(body: bytes, day: date) -> Iterator[Game]:
    for name, count in _read(body, day).items():
        away, home = name.split("@")
        yield Game(day=day, away=away, home=home, state=GameState.FINAL, game_id=name, rows=count)


def _read(body: bytes, day: date) -> dict[str, int]:
    found = json.loads(body)
    if type(found) is dict:
        return found
    raise Problem(
        error_class=ErrorClass.SCHEMA_DRIFT, message="body is a list", endpoint="scores", day=day
    )


SCORES = Endpoint(name="scores", table=TABLE, request=Get(path="/scores"), rows=rows, games=games)
SOURCE = Source(
    dag_id="kept",
    hosts=(
        Host(
            connection="kept",
            base_url="https://kept.example.com",
            windows=(Window(limit=1, seconds=1),),
        ),
    ),
    endpoints=(SCORES,),
)


def partition(day: date = DAY, endpoint: str = "scores") -> Partition:
    return Partition(dag_id=SOURCE.dag_id, endpoint=endpoint, day=day)


@dataclass(frozen=True)
class Kept:
    """Both stores below a folder."""

    folder: Path

    @property
    def store(self) -> LocalStore:
        return LocalStore(self.folder / "raw")

    @property
    def warehouse(self) -> LocalWarehouse:
        return LocalWarehouse(self.folder / "warehouse")

    def fetched(
        self, played: Mapping[str, int], day: date = DAY, *, endpoint: str = "scores", **more: Any
    ) -> None:
        """Puts a body and its manifest; ``more`` are fields of the manifest."""
        at = partition(day, endpoint)
        body = json.dumps(played).encode()
        stored = raw.put_body(
            self.store, at, item="all", role="data", body=body, url="", status=200, suffix="json"
        )
        fields: dict[str, Any] = {
            "outcome": "complete" if played else "no_games",
            "message": f"{len(played)} of {len(played)} games"
            if played
            else "no games on this date",
            "expected_from": "schedule",
            "games_expected": len(played),
            "games_found": len(played),
            "missing": (),
            "requests": 1,
            "credits": 3,
            "objects": (stored,),
            "finished_at": FETCHED_AT,
            **more,
        }
        manifest = raw.Manifest(dag_id=at.dag_id, endpoint=at.endpoint, day=str(day), **fields)
        raw.write_manifest(self.store, at, manifest, over=raw.read_manifest(self.store, at))

    def loaded(self, played: Mapping[str, int], day: date = DAY) -> None:
        """Puts rows as those of the manifest's body into the warehouse."""
        found = rows(json.dumps(played).encode(), day)
        manifest = raw.read_manifest(self.store, partition(day))
        files = [each.path for each in manifest.data()] if manifest else []
        own = {"source_file": (files or ["all"])[0]}
        self.warehouse.replace(TABLE, day, [{**row, **own} for row in found])

    def done(self, played: Mapping[str, int], day: date = DAY) -> None:
        """Both."""
        self.fetched(played, day)
        self.loaded(played, day)

    def scheduled(self, names: Mapping[str, bool], day: date = DAY) -> None:
        """Puts the schedule of a date: game -> whether it was postponed."""
        found = []
        for number, (name, postponed) in enumerate(names.items()):
            away, home = name.split("@")
            key = {
                "game_date": day,
                "game_id": f"00224{number:05}",
                "away_tricode": away,
                "home_tricode": home,
            }
            facts = {"season_type": "Regular Season", "counts": True, "postponed": postponed}
            found.append({**key, **facts, "source_file": "season"})
        self.warehouse.replace(SCHEDULE, day, found)

    def body(self, day: date = DAY) -> Path:
        """The file of a date's one body."""
        (path,) = (self.store.root / partition(day).prefix).glob("all-*.gz")
        return path
