"""How dates stand, by the endpoints of their source, the ledger, and how their runs ended in
Airflow: for the mail and for the command alike. What was not counted is never called well, whatever
colour somebody gave its run."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from operator import attrgetter
from typing import Any, Protocol

import psycopg

from include.ops import batches, outcomes
from include.ops.batches import DELETED
from include.ops.outcomes import OutcomeRow
from include.ops.results import read_row, split
from include.outcome import Outcome
from include.results import DateResult

Rows = Mapping[tuple[date, str], OutcomeRow]
"""(day, endpoint) -> the newest row."""


class Run(Protocol):
    """A date's run: ``state`` is Airflow's, or DELETED; ``started_at`` None where it never
    started."""

    @property
    def run_id(self) -> str: ...
    @property
    def day(self) -> date: ...
    @property
    def state(self) -> str: ...
    @property
    def queued_at(self) -> datetime: ...
    @property
    def started_at(self) -> datetime | None: ...


@dataclass(frozen=True, kw_only=True)
class Judgment:
    """One result per date and endpoint; and the rows of these runs, of earlier batches (``before``)
    and since (``mine``), oldest first."""

    results: Sequence[DateResult]
    before: Sequence[OutcomeRow]
    mine: Sequence[OutcomeRow]


def judge(
    connection: psycopg.Connection[Any],
    dag_id: str,
    runs: Collection[Run],
    endpoints: Sequence[str],
    *,
    until: datetime | None = None,
) -> Judgment:
    """The runs' dates by what the ledger held ``until`` then; of several runs of a date the one
    that was queued last. ``endpoints`` are those of the source; without any, of a DAG that has no
    spec any more, those that have said something."""
    queued = {run.run_id: run.queued_at for run in runs}
    rows = outcomes.of_runs(connection, dag_id, queued, until=until)
    before, mine = split(rows, batches.read_since(connection, dag_id, queued))
    newest = outcomes.read_newest(connection, dag_id, [run.day for run in runs], until=until)
    names = endpoints or sorted({endpoint for _, endpoint in newest})
    heard = {(row.day, row.endpoint) for row in mine}
    last = {run.day: run for run in sorted(runs, key=attrgetter("queued_at"))}
    by_day = sorted(last.values(), key=attrgetter("day"))
    return Judgment(results=judge_dates(by_day, newest, heard, names), before=before, mine=mine)


def judge_dates(
    runs: Iterable[Run],
    newest: Rows,
    heard: Collection[tuple[date, str]],
    endpoints: Sequence[str],
) -> list[DateResult]:
    """One result per date and endpoint; one for the whole date where nothing is known of any.

    ``heard``: (day, endpoint) of which the run said something itself, since it was queued.
    """
    found: list[DateResult] = []
    for run in runs:
        rows = {name: newest[run.day, name] for name in endpoints if (run.day, name) in newest}
        own = {name for name in rows if (run.day, name) in heard}
        results = [_judge(run, name, rows, own, endpoints) for name in endpoints]
        silent = replace(_silent(run), endpoint="")
        all_silent = all(replace(each, endpoint="") == silent for each in results)
        found += [silent] if all_silent else results
    return found


def _judge(
    run: Run,
    endpoint: str,
    rows: Mapping[str, OutcomeRow],
    own: Collection[str],
    endpoints: Sequence[str],
) -> DateResult:
    """How one endpoint of the run's date stands.

    A row of an earlier try counts where it is good, and where nothing else can be known. But a run
    that failed although all is well was lost, where it did not say so itself.
    """
    row = rows.get(endpoint)
    if row is None:
        return _silent(run, endpoint)
    if row.outcome.waits and run.state not in ("queued", "running"):
        its_own = row.run_id == run.run_id
        return _silent(run, endpoint, f" while it waited: {row.message}" if its_own else "")
    explained = any(name not in rows or not rows[name].outcome.done for name in endpoints)
    believed = run.state != "failed" or explained
    if endpoint in own or run.state == DELETED or (row.outcome.done and believed):
        return read_row(row)
    return _silent(run, endpoint)


def _silent(run: Run, endpoint: str = "", waiting: str = "") -> DateResult:
    """Of an endpoint that was not counted, since its run ended first; how it ended."""
    outcome = Outcome.NOT_RUN
    if run.state == DELETED:
        words = "the date has no run"
    elif waiting or run.state == "success":
        words = f"not counted: marked {run.state} by hand{waiting}"
    elif run.state == "failed" and run.started_at is None:
        outcome, words = Outcome.CANCELLED, "cancelled before it ran"
    else:
        outcome = Outcome.LOST
        words = "ended without a word: cancelled, or its worker was lost"
    return DateResult(day=run.day, endpoint=endpoint, outcome=outcome, message=words)
