"""The Odds API's dates as a connection's extra chooses them: the real line on a sandbox, with the
real ledger of credits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from devstack.sandbox.league import League
from devstack.sandbox.server import Sandbox
from include.checks.gaps import find_gaps
from include.errors import Problem
from include.http.client import Client, Policy
from include.http.upstream import Upstream
from include.limits.credits import Meter
from include.ops.outcomes import OutcomeRow
from include.ops.session import Session
from include.outcome import Later
from include.parsing.nbacom import SCHEDULE
from include.partition import Partition
from include.sources.spec import Credits, Source
from include.steps.attempt import attempt
from include.steps.entry import Entry
from include.steps.job import Job, Stores, Wire
from include.steps.price import Allotment
from tests.steps.one_date import OpenGate, stores_in

DAY = date(2025, 1, 15)
NO_GAMES = date(2024, 12, 24)
GAMES = len(League(seed=1).games_on(DAY))
NOW = datetime(2026, 3, 15, 20, tzinfo=UTC)
PLENTY = Credits(monthly=1_000_000, live_reserve=0, spread=False)
ODDS = "the_odds_api"


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """The spec in dags/, a sandbox that bills, and stores below a folder."""

    source: Source
    sandbox: Sandbox
    ops_db: str
    folder: Path

    @property
    def stores(self) -> Stores:
        return stores_in(self.folder)

    def wanted(self, extra: Mapping[str, Any]) -> Source:
        """The source as the connection's extra chooses it."""
        assert self.source.choose
        return replace(self.source, endpoints=self.source.choose(extra))

    def schedule(self, day: date = DAY) -> None:
        """Makes the league's games of the date known."""
        facts = {"season_type": "Regular Season", "counts": True, "postponed": False}
        games = [
            {
                **facts,
                "game_date": day,
                "game_id": game.nba_id,
                "away_tricode": game.away.tricode,
                "home_tricode": game.home.tricode,
                "source_file": "by hand",
            }
            for game in League(seed=1).games_on(day)
        ]
        self.stores.warehouse.replace(SCHEDULE, day, games)

    def run(
        self,
        extra: Mapping[str, Any],
        name: str = "player_props",
        *,
        day: date = DAY,
        credits: Credits = PLENTY,
        refetch: datetime | None = None,
    ) -> OutcomeRow:
        """One try of an endpoint's date by a backfill: what was recorded of it."""
        source, host = self.wanted(extra), self.source.hosts[0]
        upstream = Upstream(
            name=ODDS, base_url=self.sandbox.base(ODDS), key="sandbox-key", auth=host.auth
        )
        told: list[OutcomeRow] = []
        partition = Partition(dag_id=source.dag_id, endpoint=name, day=day)
        entry = Entry(partition, told.append, run_id="chosen")
        session = Session(self.ops_db)
        meter = Meter(session, {ODDS: credits}, purpose="backfill", spread=False, now=lambda: NOW)
        allotment = Allotment(connection=ODDS, credits=credits, purpose="backfill")
        with session, Client(OpenGate(), meter=meter, policy=Policy(backoff=0.01)) as client:
            wire = Wire(client=client, upstreams={ODDS: upstream}, allotments={ODDS: allotment})
            job = Job(
                source=source,
                endpoint=source.endpoint(name),
                partition=partition,
                stores=self.stores,
                reach=lambda: nullcontext(wire),
                refetch=refetch,
            )
            try:
                with entry.recorded():
                    attempt(job, entry)
            except (Problem, Later):
                pass  # it is in the record
        return told[-1]

    def asked(self) -> tuple[Counter[str], int]:
        """How often each market was asked for since the last look (``list`` for a list), and what
        it cost."""
        entries = self.sandbox.log()
        seen = self.folder / "seen"
        new = entries[int(seen.read_text()) if seen.exists() else 0 :]
        seen.write_text(str(len(entries)))
        markets = (parse_qs(entry["query"]).get("markets", ["list"])[0] for entry in new)
        return Counter(markets), sum(entry["billed"] for entry in new)

    def rows(self, name: str = "player_props", day: date = DAY) -> list[Any]:
        table = self.source.endpoint(name).table
        return list(self.stores.warehouse.rows(table, day) or [])

    def markets(self, name: str = "player_props", day: date = DAY) -> dict[str, int]:
        """Market -> how many games have rows of it."""
        games = {(row["market"], row["game_id"]) for row in self.rows(name, day)}
        return dict(sorted(Counter(market for market, _ in games).items()))

    def gaps(self, extra: Mapping[str, Any], *days: date) -> list[tuple[str, str]]:
        """Date and message of each date that is not whole, of the player props."""
        at = [("player_props", day) for day in days]
        stores = self.stores
        found = find_gaps(self.wanted(extra), at, stores.raw, stores.warehouse)
        return [(str(gap.day), gap.message) for gap in found if gap]
