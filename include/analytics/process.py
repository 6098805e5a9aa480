"""One try of a processor's date: its inputs' rows into its tables, whole; no request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

from include.analytics.spec import Built, Input, Processor
from include.errors import ErrorClass, Problem
from include.outcome import Outcome
from include.partition import DateRange
from include.reruns import word_backfill
from include.sources.spec import Row, Table
from include.steps.entry import Entry
from include.warehouse.open import Warehouse
from include.warehouse.rows import SOURCE_FILE
from include.warehouse.status import DateStatus

_NOBODY = datetime.min.replace(tzinfo=UTC)


def process(processor: Processor, day: date, warehouse: Warehouse, entry: Entry) -> None:
    """Replaces the date's partitions by what its inputs give.

    What it does is told to ``entry``. Raises Problem(INCOMPLETE) where a required input is not
    done, and nothing is replaced then.
    """
    before = warehouse.used
    entry.used = lambda: warehouse.used.since(before)
    with entry.phase("fetch"):
        states = {str(each.table): _read_state(each, day, warehouse) for each in processor.inputs}
        rows = {str(each.table): warehouse.rows(each.table, day) or [] for each in processor.inputs}
    with entry.phase("load"):
        built = processor.build(day, rows)
        for table in processor.tables:
            entry.note_loaded(warehouse.replace(table, day, built.rows[str(table)]))
    with entry.phase("audit"):
        for table in processor.tables:
            _check_count(table, day, warehouse, built.rows[str(table)])
        outcome = _judge(states)
        for table in processor.tables:
            warehouse.replace_status(_describe(table, day, outcome, built, states))
        total = sum(map(len, built.rows.values()))
        entry.close_built(outcome, rows=total, games=built.games, said=built.said)


def _read_state(given: Input, day: date, warehouse: Warehouse) -> Mapping[str, Any]:
    """How the input stands by ``raw.date_status``. Raises Problem(INCOMPLETE) for a required one
    that is not done."""
    (state,) = warehouse.status(given.table, day) or [{"outcome": None, "as_of": _NOBODY}]
    done = state["outcome"] is not None and Outcome(state["outcome"]).done
    if given.required and not done:
        command = word_backfill(given.dag_id, DateRange(day, day), "--rerun-failed-tasks", "-y")
        raise Problem(
            error_class=ErrorClass.INCOMPLETE,
            message=(
                f"{given.table} is {state['outcome'] or 'not there'} for {day}: once it is done"
                f" this follows by itself; {command}"
            ),
        )
    return state


def _judge(states: Mapping[str, Mapping[str, Any]]) -> Outcome:
    """A date of which every input says that it has no games has none."""
    said = {state["outcome"] for state in states.values()} - {None}
    return Outcome.NO_GAMES if said == {str(Outcome.NO_GAMES)} else Outcome.COMPLETE


def _check_count(table: Table, day: date, warehouse: Warehouse, rows: Sequence[Row]) -> None:
    """Raises Problem(STORAGE) where the partition does not have what was written."""
    found = len(warehouse.rows(table, day, (SOURCE_FILE.name,)) or ())
    if found != len(rows):
        raise Problem(
            error_class=ErrorClass.STORAGE,
            message=f"{table} has {found} rows for {day} instead of {len(rows)}: rerun the date",
        )


def _describe(
    table: Table, day: date, outcome: Outcome, built: Built, states: Mapping[str, Mapping[str, Any]]
) -> DateStatus:
    return DateStatus(
        table=str(table),
        day=day,
        outcome=outcome,
        expected_from="inputs",
        games_expected=built.games,
        games_found=built.games,
        missing=(),
        accepted=(),
        as_of=max(state["as_of"] for state in states.values()),
        source_file="",
    )
