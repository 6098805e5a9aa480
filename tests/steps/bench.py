"""The specs of dags/ and the connections' upstreams on the real client, limiter, ledger and
sandbox; nothing waits.

Whatever a date logs, raises, stores or records is searched for secrets before it is judged.
"""

from __future__ import annotations

import shutil
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest

from devstack.sandbox.server import Sandbox
from include.errors import Problem
from include.http.addresses import Health
from include.http.client import Client
from include.http.transport import Bounds
from include.http.upstream import Upstream
from include.limits.credits import Meter
from include.limits.limiter import Limiter
from include.ops.db import connect
from include.ops.outcomes import record
from include.ops.session import Session
from include.outcome import Outcome
from include.partition import Partition
from include.sources.spec import Credits, Endpoint, Source, Window
from include.steps.attempt import MAX_DEFERRALS, attempt
from include.steps.entry import Entry
from include.steps.job import Job, Stores, Wire
from include.steps.load import load
from include.storage.local import LocalStore
from include.warehouse.local import LocalWarehouse
from tests.http.local_health import LocalHealth
from tests.steps.leaks import everything_logged, recorded_in, secrets_in, stored_in, told_by

# In the middle of a month: on its first day the credit ledger does not believe the upstream's
# totals.
NOW = datetime(2026, 3, 15, 20, tzinfo=UTC)
PLENTY = Credits(monthly=1_000_000, live_reserve=0)
_OPEN = (Window(limit=1000, seconds=1.0),)
_PATIENCE = 10.0


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How a date ended: the outcome and class that were recorded, and what it asked and waited.

    ``requests`` is what the sandbox logged, sign-ins apart; ``backoffs`` and ``paused`` are the
    seconds that the client and the limiter would have slept. ``rows`` is None where nothing was
    loaded.
    """

    outcome: str
    error_class: str
    message: str
    requests: int
    signed_in: int
    by_address: Mapping[str, int]
    backoffs: tuple[float, ...]
    paused: float
    rows: int | None
    sound: Counter[str]
    """Rows by game in the warehouse afterwards."""
    retry_at: datetime | None


@dataclass(kw_only=True)
class Bench:
    """A module's sandbox and operations database, and the upstreams as sound connections describe
    them."""

    sandbox: Sandbox
    ops_db: str
    sources: Mapping[str, Source]
    upstreams: Mapping[str, Upstream]
    secrets: tuple[str, ...]
    schedule: Path | None = None
    """A warehouse that knows the schedule: every date starts with a copy of it."""
    _seen: int = field(default=0, init=False)

    def run(
        self,
        at: tuple[str, str],
        day: date,
        folder: Path,
        *,
        requests: int,
        endpoint: Endpoint | None = None,
        upstreams: Mapping[str, Upstream] | None = None,
        credits: Credits = PLENTY,
        scheduled: bool = True,
        fresh: bool = True,
        read: float = 10.0,
        health: Health | None = None,
    ) -> Ended:
        """One try of a date of ``(dag_id, endpoint)`` below ``folder``, as a task makes it; its
        upstream may not put it off again.

        So many ``requests`` are waited for in the sandbox's log. ``endpoint``, ``upstreams`` (by
        connection) and ``credits`` replace the sound ones; without ``fresh`` limits and credits are
        as the run before left them. Lets through what defers a task.
        """
        told: list[str] = []
        source, (dag_id, name) = self.sources[at[0]], at
        endpoint = endpoint or source.endpoint(name)
        partition = Partition(dag_id=dag_id, endpoint=name, day=day)
        stores = Stores(
            raw=LocalStore(folder / "raw"), warehouse=LocalWarehouse(folder / "warehouse")
        )
        if scheduled and self.schedule:
            shutil.copytree(self.schedule, folder / "warehouse", dirs_exist_ok=True)
        loaded = _files(folder / "warehouse")
        problem = None
        skip, backoffs = _Skip(self.ops_db), list[float]()
        with connect(self.ops_db) as connection, everything_logged(told):
            if fresh:
                _forget(connection)
            with self._wire(
                {**self.upstreams, **(upstreams or {})}, credits, read, health, skip, backoffs
            ) as wire:
                entry = Entry(
                    partition,
                    lambda row: record(connection, row),
                    run_id="backfill__1",
                    deferrals=MAX_DEFERRALS,
                )
                job = Job(
                    source=source,
                    endpoint=endpoint,
                    partition=partition,
                    stores=stores,
                    reach=lambda: nullcontext(wire),
                )
                try:
                    with entry.recorded():
                        attempt(job, entry)
                except Problem as caught:
                    problem = caught
                    told += told_by(caught)
            (recorded,) = connection.execute(
                "SELECT outcome, error_class, message, rows FROM ops.outcomes"
                " ORDER BY outcome_id DESC LIMIT 1"
            ).fetchall()
            told += recorded_in(connection, "ops")
        leaked = secrets_in([*told, *stored_in(folder)], self.secrets)
        assert leaked == [], leaked
        if problem:
            # Nor does a load by itself put half a date into the warehouse.
            with pytest.raises(Problem):
                load(endpoint, partition, stores)
            assert (recorded[1], recorded[2]) == (problem.error_class, problem.message)
            counted = recorded[0] in (Outcome.PARTIAL, Outcome.UNVERIFIED)
            assert counted or _files(folder / "warehouse") == loaded
        entries = self._logged(requests)
        asked = [entry for entry in entries if not _signs_in(entry)]
        return Ended(
            outcome=recorded[0],
            error_class=recorded[1],
            message=recorded[2].replace(str(folder), "FOLDER"),
            requests=len(asked),
            signed_in=len(entries) - len(asked),
            by_address=Counter(entry["address"] for entry in asked),
            backoffs=tuple(backoffs),
            paused=sum(skip.slept),
            rows=None if problem else recorded[3],
            sound=Counter(
                f"{row['away_tricode']}@{row['home_tricode']}"
                for row in stores.warehouse.rows(endpoint.table, day) or ()
            ),
            retry_at=problem.retry_at if problem else None,
        )

    @contextmanager
    def _wire(
        self,
        upstreams: Mapping[str, Upstream],
        credits: Credits,
        read: float,
        health: Health | None,
        skip: _Skip,
        backoffs: list[float],
    ) -> Iterator[Wire]:
        rules = {a.limiter: _OPEN for u in upstreams.values() for a in u.addresses}
        session = Session(self.ops_db)
        limiter = Limiter(session, rules, sleep=skip)
        meter = Meter(session, {"the_odds_api": credits}, purpose="live", now=lambda: NOW)
        client = Client(
            limiter,
            meter=meter,
            bounds=Bounds(read=read),
            health=health or LocalHealth(lambda: NOW),
            sleep=backoffs.append,
            random=lambda: 1.0,
        )
        with closing(skip), session, client:
            yield Wire(client=client, upstreams=upstreams)

    def _logged(self, requests: int) -> list[dict[str, Any]]:
        """What the sandbox has logged since the run before: an answer that nobody waits for any
        more comes late."""
        deadline = time.monotonic() + _PATIENCE
        while True:
            log = self.sandbox.log()
            new = log[self._seen :]
            if (
                sum(not _signs_in(entry) for entry in new) >= requests
                or time.monotonic() > deadline
            ):
                self._seen = len(log)
                return new


class _Skip:
    """A sleep that lets time pass in the limiter's tables alone: all that they hold becomes so much
    older."""

    def __init__(self, ops_db: str) -> None:
        self._ops_db = ops_db
        self._connection: psycopg.Connection[Any] | None = None
        self.slept: list[float] = []

    def __call__(self, seconds: float) -> None:
        self.slept.append(seconds)
        if seconds == 0.0:
            return
        if self._connection is None:
            self._connection = connect(self._ops_db)
            self._connection.autocommit = True
        for table, moments in _MOMENTS.items():
            changes = ", ".join(
                f"{moment} = {moment} - make_interval(secs => %(by)s)" for moment in moments
            )
            self._connection.execute(f"UPDATE ops.{table} SET {changes}", {"by": seconds})

    def close(self) -> None:
        if self._connection:
            self._connection.close()


_MOMENTS = {
    "limiters": ("next_at", "paused_until", "known_since"),
    "limiter_windows": ("declared_at",),
    "limiter_requests": ("admitted_at", "done_at"),
}


def _forget(connection: psycopg.Connection[Any]) -> None:
    """Empties every table of ours, so that a pause or an empty account is no other case's."""
    found = connection.execute(
        "SELECT tablename FROM pg_tables WHERE schemaname = 'ops'"
    ).fetchall()
    tables = ", ".join(f"ops.{table}" for (table,) in found if table != "versions")
    connection.execute(f"TRUNCATE {tables}")
    connection.commit()


def _signs_in(entry: Mapping[str, Any]) -> bool:
    return entry["path"].endswith("/token")


def _files(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
