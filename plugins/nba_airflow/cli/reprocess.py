"""`airflow nba reprocess`: the tables of a DAG made again from raw, date by date; no upstream is
asked."""

from __future__ import annotations

from argparse import Namespace
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from include.errors import Problem
from include.outcome import Later
from include.partition import Partition
from include.wording import counted
from nba_airflow import connections
from nba_airflow.cli.answer import Answer, Line, Row, command, find_source
from nba_airflow.cli.progress import track
from nba_airflow.cli.window import parse_window

if TYPE_CHECKING:
    from include.ops.session import Session
    from include.sources.spec import Source
    from include.steps.job import Stores

FAILED = "failed"


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


@command("airflow nba reprocess")
def reprocess(args: Namespace) -> Answer:
    """Every date of the window that raw has, one after another, each under its lease; exit code 1
    where one could not be loaded whole. Run again, it goes on."""
    from include.http.transport import SENT
    from include.ops.session import Session

    window = parse_window(args.start_date, args.end_date, datetime.now(UTC))
    source = find_source(args.dag_id)
    before, stores = SENT.requests, connections.stores()
    dates = [(day, endpoint.name) for day in window.days for endpoint in source.endpoints]
    with Session(connections.ops_url()) as session:
        made = (_reprocess(source, name, day, stores, session) for day, name in dates)
        found = list(track(made, "dates of endpoints", len(dates)))
    sent, used = SENT.requests - before, stores.warehouse.used
    became = dict(Counter(each.became for each in found))
    facts: dict[str, Any] = {
        "dag_id": source.dag_id,
        "first": window.first,
        "last": window.last,
        "became": became,
        "rows": sum(each.rows for each in found),
        "upstream_requests": sent,
        "changes_total": sum(each.changes_total for each in found),
        "changes": [
            {"date": each.day, "endpoint": each.endpoint, "change": change}
            for each in found
            for change in each.changes
        ],
        "wrong": [asdict(each) for each in found if each.wrong],
        "warehouse": asdict(used),
    }
    head = f"{source.dag_id}: {window}"
    return Answer(
        text=[Line(text=text) for text in _lines(head, facts, found)],
        rows=[_row(each) for each in found],
        facts=facts,
        code=int(any(each.wrong for each in found)),
    )


def _reprocess(source: Source, name: str, day: date, stores: Stores, session: Session) -> Result:
    """One date, whatever comes of it: the others go on."""
    from include.ops.leases import lease
    from include.steps.reprocess import reprocess as load_again

    partition = Partition(dag_id=source.dag_id, endpoint=name, day=day)
    try:
        with lease(session, partition):
            made = load_again(source.endpoint(name), partition, stores)
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


def _lines(head: str, facts: dict[str, Any], found: Sequence[Result]) -> Iterator[str]:
    became = ", ".join(f"{n} {how}" for how, n in sorted(facts["became"].items()))
    yield f"{head}: {counted(len(found), 'date of endpoints', 'dates of endpoints')}: {became}"
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
    for each in filter(lambda result: result.wrong, found):
        yield f"  {each.day} {each.endpoint}: {each.became}: {each.message}"


def _row(each: Result) -> Row:
    return {
        "date": each.day,
        "endpoint": each.endpoint,
        "became": each.became,
        "rows": each.rows,
        "changes": each.changes_total,
        "message": each.message,
    }
