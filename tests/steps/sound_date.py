"""A date of three games on a scripted upstream, of which one can be unsound."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from include.errors import Problem
from include.http.client import Client, Policy
from include.http.upstream import Upstream
from include.ops.outcomes import OutcomeRow
from include.sources.spec import Endpoint
from include.steps.attempt import attempt
from include.steps.entry import Entry
from include.steps.job import Job, Stores, Wire
from tests.checks.kept import DAY, SCORES, SOURCE, Kept, games, partition
from tests.http.conftest import scripted
from tests.http.scripted import Scripted, reply
from tests.steps.one_date import OpenGate

__all__ = ["scripted"]


def judged_games(body: bytes, day: Any) -> list[Any]:
    """Of a game with 13 rows the points do not add up."""
    return [
        replace(game, problem="points do not add up") if game.rows == 13 else game
        for game in games(body, day)
    ]


ENDPOINT = replace(SCORES, games=judged_games)


@dataclass(frozen=True, kw_only=True)
class Date:
    """2025-01-15 of the endpoint on a scripted upstream."""

    kept: Kept
    scripted: Scripted
    endpoint: Endpoint = ENDPOINT

    def run(self, played: dict[str, int], refetch: bool = False) -> OutcomeRow:
        """One try; the upstream answers so."""

        self.scripted.steps[:] = [reply(200, json.dumps(played).encode())]
        told: list[OutcomeRow] = []
        entry = Entry(partition(), told.append, run_id="r")
        with Client(OpenGate(), policy=Policy(backoff=0.01)) as client:
            upstreams = {"kept": Upstream(name="kept", base_url=self.scripted.url, key="key")}
            wire = Wire(client=client, upstreams=upstreams)
            try:
                with entry.recorded():
                    attempt(
                        Job(
                            source=SOURCE,
                            endpoint=self.endpoint,
                            partition=partition(),
                            stores=Stores(raw=self.kept.store, warehouse=self.kept.warehouse),
                            reach=lambda: nullcontext(wire),
                            refetch=datetime.now(UTC) if refetch else None,
                        ),
                        entry,
                    )
            except Problem:
                pass  # it is in the row
        return told[-1]

    def loaded(self) -> dict[str, int]:
        """Rows by game."""
        found: dict[str, int] = {}
        for row in self.kept.warehouse.rows(self.endpoint.table, DAY) or ():
            found[row["game_id"]] = found.get(row["game_id"], 0) + 1
        return found

    def status(self) -> Sequence[Any]:
        """What people read of the date."""
        query = (
            "select table_name, outcome, expected_from, games_expected, games_found,"
            " games_missing, games_accepted, missing, accepted from raw.date_status"
        )
        return self.kept.warehouse.connect().sql(query).fetchall()


@pytest.fixture
def date(tmp_path: Path, scripted: Scripted) -> Date:
    kept = Kept(tmp_path)
    kept.scheduled({"GSW@POR": False, "MIA@BOS": False, "LAL@DEN": False})
    return Date(kept=kept, scripted=scripted)
