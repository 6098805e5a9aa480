"""Reprocess of many dates: each endpoint's date under its lease whatever comes of the others, and
what they come to together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from typing import Any

from include.errors import Problem
from include.http.transport import SENT
from include.ops.leases import lease
from include.ops.outcomes import OutcomeRow, note_remade, row_of
from include.ops.session import Session
from include.outcome import Later
from include.partition import DateRange, Partition
from include.sources.spec import Source
from include.steps.job import Stores
from include.steps.reprocess import Became, Reprocessed, reprocess
from include.storage.raw import Manifest
from include.used import Used
from include.wording import counted

FAILED = "failed"
WORDS = {
    Became.SAME: "the same as before",
    Became.KEPT: "kept as before, not whole",
    Became.NOT_FETCHED: "never fetched",
}
"""What a sum calls that of which the name alone says too little."""
RUN_ID = "reprocessed"


@dataclass(frozen=True, kw_only=True)
class Result:
    """One endpoint's date: ``became`` is that of ``Reprocessed``, or FAILED."""

    day: date
    endpoint: str
    became: str
    rows: int = 0
    changes: Sequence[str] = ()
    changes_total: int = 0
    message: str = ""

    @property
    def wrong(self) -> bool:
        """Whether a person has to do something about it."""
        return self.became == FAILED or bool(self.message)

    def __str__(self) -> str:
        return f"{self.day} {self.endpoint}: {self.became}: {self.message}"


@dataclass(frozen=True, kw_only=True)
class Made:
    """A date after it: what became of each endpoint, and what was asked of upstreams (nothing) and
    of both stores meanwhile."""

    results: Sequence[Result]
    upstream_requests: int
    used: Used

    @property
    def wrong(self) -> Sequence[Result]:
        """The endpoints about which a person has to do something."""
        return [each for each in self.results if each.wrong]

    def pack(self) -> dict[str, Any]:
        """As JSON knows it."""
        results = [{**asdict(each), "day": str(each.day)} for each in self.results]
        return {**asdict(self), "results": results}

    @classmethod
    def unpack(cls, packed: Mapping[str, Any]) -> Made:
        """What ``pack`` has made."""
        results = [
            Result(**{**each, "day": date.fromisoformat(each["day"])}) for each in packed["results"]
        ]
        return cls(
            results=results,
            upstream_requests=packed["upstream_requests"],
            used=Used(**packed["used"]),
        )


def reprocess_date(source: Source, day: date, stores: Stores, session: Session) -> Made:
    """Every endpoint of the date, one after the other."""
    sent, used = SENT.requests, stores.used
    results = [_reprocess(source, each.name, day, stores, session) for each in source.endpoints]
    return Made(
        results=results,
        upstream_requests=SENT.requests - sent,
        used=stores.used.since(used),
    )


def _reprocess(source: Source, name: str, day: date, stores: Stores, session: Session) -> Result:
    # What stops one is told as its result: the others go on.
    partition = Partition(dag_id=source.dag_id, endpoint=name, day=day)
    try:
        with lease(session, partition):
            made = reprocess(source.endpoint(name), partition, stores)
            if made.content and made.manifest:
                row = _describe(partition, made, made.manifest)
                session.run(lambda ledger: note_remade(ledger, row))
    except (Later, Problem) as error:
        said = error.message if isinstance(error, Problem) else str(error)
        return Result(day=day, endpoint=name, became=FAILED, message=said)
    return Result(
        day=day,
        endpoint=name,
        became=made.became,
        rows=made.rows,
        changes=made.drift.changes,
        changes_total=made.drift.total,
        message=made.message,
    )


def _describe(partition: Partition, made: Reprocessed, manifest: Manifest) -> OutcomeRow:
    """The row that its task would leave by now, without what the fetch took."""
    return row_of(
        partition,
        run_id=RUN_ID,
        at=datetime.now(UTC),
        outcome=manifest.outcome,
        message=manifest.message,
        rows=made.rows,
        games_expected=manifest.games_expected,
        games_found=manifest.games_found,
        missing=manifest.missing,
        changes=tuple(made.drift.changes),
        changes_total=made.drift.total,
        content=made.content,
    )


def sum_up(dag_id: str, window: DateRange, made: Sequence[Made]) -> dict[str, Any]:
    """All dates in one object, for JSON."""
    # Dates stay dates: who writes JSON makes them text.
    found = [result for each in made for result in each.results]
    return {
        "dag_id": dag_id,
        "first": window.first,
        "last": window.last,
        "became": dict(Counter(each.became for each in found)),
        "rows": sum(each.rows for each in found),
        "upstream_requests": sum(each.upstream_requests for each in made),
        "changes_total": sum(each.changes_total for each in found),
        "changes": [
            {"date": each.day, "endpoint": each.endpoint, "change": change}
            for each in found
            for change in each.changes
        ],
        "wrong": [asdict(each) for each in found if each.wrong],
        "warehouse": {
            "operations": sum(each.used.operations for each in made),
            "billed": sum(each.used.billed for each in made),
        },
        "bucket": {
            "writes": sum(each.used.writes for each in made),
            "reads": sum(each.used.reads for each in made),
        },
    }


def word(dag_id: str, window: DateRange, made: Sequence[Made]) -> Iterator[str]:
    """All dates for a person, one fact a line; the first line is the sum."""
    facts = sum_up(dag_id, window, made)
    found = [result for each in made for result in each.results]
    became = ", ".join(f"{n} {WORDS.get(how, how)}" for how, n in sorted(facts["became"].items()))
    dates = counted(len(found), "endpoint's date", "endpoints' dates")
    yield f"{dag_id}: {window}: {dates}: {became}"
    yield (
        f"  {counted(facts['rows'], 'row')}, {counted(facts['changes_total'], 'change')},"
        f" {counted(facts['upstream_requests'], 'upstream request')}"
    )
    if operations := facts["warehouse"]["operations"]:
        billed = facts["warehouse"]["billed"]
        yield f"  BigQuery: {counted(operations, 'job')}, {billed / 2**20:,.0f} MiB billed"
    for each in found:
        yield from (f"  {each.day} {each.endpoint}: {change}" for change in each.changes)
        if (more := each.changes_total - len(each.changes)) > 0:
            yield f"  {each.day} {each.endpoint}: and {counted(more, 'more change')}"
    yield from (f"  {each}" for each in found if each.wrong)
