"""How every date of a season stands by its newest tries: what a calendar shows."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

import psycopg
from psycopg.rows import class_row

from include.outcome import Outcome
from include.partition import DateRange

SEASON_BEGINS = 8
"""The month from which on a date is of the next season: a season is called by the year in which it
starts, and its last game is in June."""
FIRST_SEASON, LAST_SEASON = 1946, 2200
"""The league's first, and one that nobody will ask for: a date beyond was mistyped."""
BEGAN_LATE = {2020: date(2020, 10, 12)}
"""The season before it ended on the day before, in the bubble."""


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A date of a DAG: as bad as its worst endpoint, whose games these are; ``run_id`` is the run
    that it comes from, ``accepted`` whether a person has accepted what is missing anywhere."""

    day: date
    outcome: Outcome
    games_found: int | None
    games_expected: int | None
    run_id: str
    accepted: bool


@dataclass(frozen=True, kw_only=True)
class _Standing:
    dag_id: str
    day: date
    outcome: str
    games_found: int | None
    games_expected: int | None
    run_id: str


def season_of(day: date) -> int:
    """The year in which the date's season starts."""
    return day.year - (day < _begin(day.year))


def season_range(season: int) -> DateRange:
    """All dates that ``season_of`` gives this season."""
    return DateRange(_begin(season), _begin(season + 1) - timedelta(days=1))


def _begin(season: int) -> date:
    return BEGAN_LATE.get(season, date(season, SEASON_BEGINS, 1))


def read_seasons(connection: psycopg.Connection[Any], dag_ids: Collection[str]) -> list[int]:
    """The seasons from the first to the last date that the ledger has of these DAGs, newest
    first, none before FIRST_SEASON or after LAST_SEASON. Reads two index entries of each DAG."""
    rows = connection.execute(
        "SELECT (SELECT min(day) FROM ops.outcomes WHERE dag_id = given),"
        " (SELECT max(day) FROM ops.outcomes WHERE dag_id = given) FROM unnest(%s::text[]) given",
        ([*dag_ids],),
    )
    days = [day for row in rows for day in row if day]
    if not days:
        return []
    first, last = max(min(days), season_range(FIRST_SEASON).first), max(days)
    last = min(last, season_range(LAST_SEASON).last)
    return [*range(season_of(last), season_of(first) - 1, -1)]


def read_season(
    connection: psycopg.Connection[Any],
    dag_ids: Collection[str],
    season: int,
    read_open_runs: Callable[[], Collection[str]],
) -> dict[str, list[Cell]]:
    """DAG -> its dates of the season that the ledger has, in order.

    A date that waits and has none of the open runs waits no more: its run was ended by hand.
    ``read_open_runs``: asked where a date waits.
    """
    window = season_range(season)
    with connection.cursor(row_factory=class_row(_Standing)) as cursor:
        cursor.execute(
            "SELECT DISTINCT ON (dag_id, day, endpoint) dag_id, day, outcome, games_found,"
            " games_expected, run_id FROM ops.outcomes WHERE dag_id = ANY(%s) AND day BETWEEN %s"
            " AND %s ORDER BY dag_id, day, endpoint, recorded_at DESC, outcome_id DESC",
            ([*dag_ids], window.first, window.last),
        )
        standing = cursor.fetchall()
    if any(Outcome(each.outcome).waits for each in standing):
        standing = _end_waits(standing, {*read_open_runs()})
    return {
        dag_id: _cells(each for each in standing if each.dag_id == dag_id) for dag_id in dag_ids
    }


def _end_waits(standing: Iterable[_Standing], open_runs: Collection[str]) -> list[_Standing]:
    return [
        replace(each, outcome=str(Outcome.NOT_RUN))
        if Outcome(each.outcome).waits and each.run_id not in open_runs
        else each
        for each in standing
    ]


def _cells(standing: Iterable[_Standing]) -> list[Cell]:
    days: dict[date, list[_Standing]] = {}
    for each in standing:
        days.setdefault(each.day, []).append(each)
    return [_cell(day, endpoints) for day, endpoints in days.items()]


def _cell(day: date, endpoints: Sequence[_Standing]) -> Cell:
    worst = min(endpoints, key=lambda each: Outcome(each.outcome).severity)
    return Cell(
        day=day,
        outcome=Outcome(worst.outcome),
        games_found=worst.games_found,
        games_expected=worst.games_expected,
        run_id=worst.run_id,
        accepted=any(each.outcome == Outcome.ACCEPTED for each in endpoints),
    )
