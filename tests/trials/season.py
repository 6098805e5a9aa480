"""A season of the sandbox's league, as the DAGs' tasks run it: each date of each table, by real
HTTP, into stores below a folder and the real ledger."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

import psycopg

from devstack.sandbox.league import League
from devstack.sandbox.schedule import COUNTING, Game
from devstack.sandbox.server import Sandbox
from include.checks.gaps import find_gaps
from include.errors import Problem
from include.http.client import Client, Policy, Upstream
from include.http.transport import Bounds
from include.ops.outcomes import OutcomeRow, record
from include.partition import Partition
from include.results import DateResult
from include.sources.spec import Source
from include.steps.attempt import MAX_DEFERRALS, attempt
from include.steps.entry import Entry
from include.steps.job import Job, Stores, Wire
from tests.steps.one_date import OpenGate

At = tuple[str, str]
"""DAG and endpoint."""

SEASON = 2025
NOW = datetime(2026, 7, 15, 20, tzinfo=UTC)
_GAME = re.compile(r"\b[A-Z]{3}@[A-Z]{3}\b")


def played_on(league: League) -> dict[date, tuple[Game, ...]]:
    """The season's dates with games that count, in order."""
    days = {game.day for game in league.season(SEASON) if game.stage in COUNTING}
    return {day: league.games_on(day) for day in sorted(days)}


@dataclass(kw_only=True)
class Season:
    """``dates``: which dates of which table are run, in order. ``patient`` and ``hasty`` wait ten
    seconds and half a second for an answer."""

    sandbox: Sandbox
    sources: Mapping[str, Source]
    stores: Stores
    ledger: psycopg.Connection[Any]
    league: League
    dates: Mapping[At, Sequence[date]]
    patient: Client
    hasty: Client
    tries: int = field(default=0)

    def run_all(self, hasty: Collection[tuple[At, date]]) -> dict[tuple[At, date], OutcomeRow]:
        """One try of every date of every table, of some by the hasty client: what was recorded."""
        return {
            (at, day): self.run(at, day, hasty=(at, day) in hasty)
            for at, days in self.dates.items()
            for day in days
        }

    def run(
        self, at: At, day: date, *, hasty: bool = False, refetch: datetime | None = None
    ) -> OutcomeRow:
        """One try of a date, as its task makes it; its upstream may not put it off again."""
        self.tries += 1
        partition = Partition(dag_id=at[0], endpoint=at[1], day=day)
        told: list[OutcomeRow] = []
        run_id = f"backfill__{self.tries}"
        entry = Entry(partition, told.append, run_id=run_id, deferrals=MAX_DEFERRALS)
        client = self.hasty if hasty else self.patient
        wire = Wire(client=client, upstreams=self._upstreams)
        job = Job(
            source=self.sources[at[0]],
            endpoint=self.sources[at[0]].endpoint(at[1]),
            partition=partition,
            stores=self.stores,
            reach=lambda: nullcontext(wire),
            refetch=refetch,
        )
        try:
            with entry.recorded():
                attempt(job, entry, now=lambda: NOW)
        except Problem:
            pass  # it is in the record
        record(self.ledger, told[-1])
        return told[-1]

    @property
    def _upstreams(self) -> Mapping[str, Upstream]:
        hosts = {host.connection: host for each in self.sources.values() for host in each.hosts}
        return {
            name: Upstream(
                name=name,
                base_url=self.sandbox.base(name),
                key="sandbox-key",
                auth=host.auth,
                headers=host.headers,
                token=lambda: "ya29.sandbox-key",
            )
            for name, host in hosts.items()
        }

    def gaps(self) -> dict[tuple[At, date], DateResult]:
        """The dates that are not done by their own data."""
        found: dict[tuple[At, date], DateResult] = {}
        for at, days in self.dates.items():
            dates = [(at[1], day) for day in days]
            raw, warehouse = self.stores.raw, self.stores.warehouse
            results = find_gaps(self.sources[at[0]], dates, raw, warehouse)
            for day, gap in zip(days, results, strict=True):
                if gap:
                    found[at, day] = gap
        return found

    def rows(self, at: At, day: date) -> list[Mapping[str, Any]]:
        """The date's rows; none where it was never loaded."""
        table = self.sources[at[0]].endpoint(at[1]).table
        return self.stores.warehouse.rows(table, day) or []

    def status(self, at: At, day: date) -> str:
        """The outcome in ``raw.date_status``; empty where the table has no row of the date."""
        table = self.sources[at[0]].endpoint(at[1]).table
        rows = self.stores.warehouse.status(table, day) or []
        return "".join(str(row["outcome"]) for row in rows)


@contextmanager
def clients() -> Iterator[tuple[Client, Client]]:
    """A patient and a hasty one, neither of which waits between two tries."""
    policy = Policy(backoff=0.01, slow_down=0.01)
    with (
        Client(OpenGate(), policy=policy, bounds=Bounds(read=30.0)) as patient,
        Client(OpenGate(), policy=policy, bounds=Bounds(read=0.5)) as hasty,
    ):
        yield patient, hasty


def named_in(message: str) -> tuple[str, ...]:
    """The games that a message names, each once, in alphabetical order."""
    return tuple(sorted(set(_GAME.findall(message))))
