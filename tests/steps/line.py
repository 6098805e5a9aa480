"""One endpoint's date with everything that its steps need, and the sandbox at the other end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
import requests

from devstack.sandbox.server import Sandbox
from include.errors import Problem
from include.parsing.nbacom import SCHEDULE
from include.sources.spec import Endpoint
from include.steps.audit import Audited, audit
from include.steps.job import Stores, Wire
from include.steps.load import load
from include.steps.raw_date import RawDate
from include.steps.scrape import Scraped, scrape
from include.storage import raw
from include.storage.local import LocalStore
from include.warehouse.local import LocalWarehouse
from include.warehouse.rows import Loaded
from tests.steps.one_date import BOX_SCORES, SOURCE, partition

DAY = date(2025, 1, 15)
NO_GAMES = date(2024, 12, 24)


@dataclass(frozen=True, kw_only=True)
class Line:
    """A date of an endpoint, by default of Ball Don't Lie's box scores."""

    sandbox: Sandbox
    wire: Wire
    stores: Stores
    endpoint: Endpoint = BOX_SCORES
    day: date = DAY

    @property
    def folder(self) -> Path:
        """Where its raw objects lie."""
        assert isinstance(self.stores.raw, LocalStore)
        return self.stores.raw.root / partition(self.endpoint, self.day).prefix

    @property
    def part(self) -> Path:
        """Its file in the warehouse."""
        assert isinstance(self.stores.warehouse, LocalWarehouse)
        return self.stores.warehouse.part(self.endpoint.table, self.day)

    @property
    def manifest_file(self) -> Path:
        """The file that says which objects are the date."""
        return self.folder / raw.MANIFEST

    def scrape(self, *, refetch: bool = False, ordered_at: datetime | None = None) -> Scraped:
        """``refetch``: fresh bodies were ordered just now, or at ``ordered_at``."""
        at = partition(self.endpoint, self.day)
        order = ordered_at or (datetime.now(UTC) if refetch else None)
        found = RawDate(self.endpoint, at, self.stores.raw, ordered_at=order)
        return scrape(SOURCE, found, self.stores.warehouse, self.wire)

    def load(self) -> Loaded:
        return load(self.endpoint, partition(self.endpoint, self.day), self.stores)

    def audit(self) -> Audited:
        return audit(self.endpoint, partition(self.endpoint, self.day), self.stores)

    def run(self) -> tuple[str, int]:
        """All three steps; outcome and rows."""
        self.scrape()
        self.load()
        audited = self.audit()
        return audited.manifest.outcome, audited.rows

    def rows(self) -> list[Any]:
        """The date's rows in the warehouse."""
        found = self.stores.warehouse.rows(self.endpoint.table, self.day)
        assert found is not None, f"{self.part} was never loaded"
        return found

    def manifest(self) -> raw.Manifest:
        """The manifest that was written last."""
        found = raw.read_manifest(self.stores.raw, partition(self.endpoint, self.day))
        assert found, f"{self.manifest_file} is not there"
        return found

    def objects(self) -> list[str]:
        """Names of the raw objects, without their hashes."""
        return sorted(path.name.rpartition("-")[0] for path in self.folder.glob("*.gz"))

    def asked(self) -> list[str]:
        """The paths of all requests so far."""
        return [entry["path"] for entry in self.sandbox.log()]

    def listed(self) -> list[str]:
        """The games that the upstream lists for the date, in its order."""
        url = f"{self.sandbox.base('balldontlie')}/v1/games?dates[]={self.day}"
        games = requests.get(url, headers={"Authorization": "sandbox-key"}, timeout=10).json()[
            "data"
        ]
        return [
            f"{game['visitor_team']['abbreviation']}@{game['home_team']['abbreviation']}"
            for game in games
        ]

    def fault(self, kind: str, **more: Any) -> None:
        """Orders a fault for this date's requests."""
        self.sandbox.faults([{"source": "balldontlie", "kind": kind, "day": str(self.day), **more}])

    def schedule(self, games: Sequence[str], postponed: Sequence[str] = ()) -> None:
        """Puts games (``GSW@UTA``) into the schedule table, as if it had been loaded for the
        date."""
        rows = []
        for number, game in enumerate([*games, *postponed]):
            away, home = game.split("@")
            key = {
                "game_date": self.day,
                "game_id": f"00224{number:05}",
                "away_tricode": away,
                "home_tricode": home,
            }
            facts = {
                "season_type": "Regular Season",
                "counts": True,
                "postponed": game in postponed,
            }
            rows.append(
                {**key, **facts, "source_file": "nbacom_schedule/season-000000000000.json.gz"}
            )
        self.stores.warehouse.replace(SCHEDULE, self.day, rows)


def refused(call: Callable[[], object]) -> Problem:
    """The Problem that the call ends with."""
    with pytest.raises(Problem) as caught:
        call()
    return caught.value


def said(manifest: raw.Manifest) -> tuple[str, str, tuple[str, ...]]:
    """The manifest's judgement: outcome, where the expected games are from, and the missing
    ones."""
    return manifest.outcome, manifest.expected_from, manifest.missing
