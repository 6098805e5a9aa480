"""A date of a source whose upstream answers with given bodies, through the real line: scrape, load
and audit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from include.errors import Problem
from include.http.client import Client, Policy
from include.http.upstream import Upstream
from include.ops.outcomes import OutcomeRow
from include.outcome import Later
from include.parsing.nbacom import SCHEDULE
from include.partition import Partition
from include.steps.attempt import attempt
from include.steps.entry import Entry
from include.steps.job import Job, Stores, Wire
from include.storage.local import LocalStore
from include.warehouse.local import LocalWarehouse
from tests.http.scripted import Scripted, Step, reply
from tests.steps.one_date import OpenGate

if TYPE_CHECKING:
    from include.sources.spec import Source


@dataclass(frozen=True, kw_only=True)
class Told:
    """How a date ended: what was recorded of it, and the rows that were loaded."""

    outcome: str
    error_class: str
    message: str
    rows: Sequence[Mapping[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Telling:
    """The specs in dags/ on a scripted upstream, with stores below a folder."""

    scripted: Scripted
    sources: Mapping[str, Source]
    folder: Path

    @property
    def store(self) -> LocalStore:
        """The raw store."""
        return LocalStore(self.folder / "raw")

    def schedule(self, day: date, *games: Mapping[str, Any]) -> None:
        """What the schedule table has of the date."""
        LocalWarehouse(self.folder / "warehouse").replace(SCHEDULE, day, games)

    def run(
        self,
        at: tuple[str, str],
        day: date,
        *answers: bytes | Step,
        refetch: datetime | None = None,
    ) -> Told:
        """One try of the date of ``(dag_id, endpoint)``; the upstream answers so, in order; bytes
        are the body of a 200."""
        source, (dag_id, name) = self.sources[at[0]], at
        self.scripted.steps[:] = [
            reply(200, answer) if isinstance(answer, bytes) else answer for answer in answers
        ]
        partition = Partition(dag_id=dag_id, endpoint=name, day=day)
        stores = Stores(
            raw=LocalStore(self.folder / "raw"), warehouse=LocalWarehouse(self.folder / "warehouse")
        )
        told: list[OutcomeRow] = []
        entry = Entry(partition, told.append, run_id="told")
        with Client(OpenGate(), policy=Policy(backoff=0.01)) as client:
            wire = Wire(client=client, upstreams=dict(self._upstreams(source)))
            job = Job(
                source=source,
                endpoint=source.endpoint(name),
                partition=partition,
                stores=stores,
                reach=lambda: nullcontext(wire),
                refetch=refetch,
            )
            try:
                with entry.recorded():
                    attempt(job, entry)
            except (Problem, Later):
                pass  # it is in the record
        rows = stores.warehouse.rows(source.endpoint(name).table, day) or []
        last = told[-1]
        return Told(
            outcome=last.outcome, error_class=last.error_class, message=last.message, rows=rows
        )

    def _upstreams(self, source: Source) -> Iterator[tuple[str, Upstream]]:
        for host in source.hosts:
            sound = Upstream(name=host.connection, base_url=self.scripted.url, key="key")
            yield host.connection, replace(sound, headers=host.headers)


def scheduled(day: date, game: str, game_id: str, **facts: Any) -> dict[str, Any]:
    """A row of the schedule table: ``GSW@UTA``, a regular game that counts."""
    away, home = game.split("@")
    return {
        "game_date": day,
        "game_id": game_id,
        "away_tricode": away,
        "home_tricode": home,
        "season_type": "Regular Season",
        "counts": True,
        "postponed": False,
        "source_file": "by hand",
        **facts,
    }
