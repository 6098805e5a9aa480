"""How a date stands by its own data: manifest, bodies, warehouse and schedule; an audit that
changes nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from include.checks.acceptance import read_judged
from include.checks.rows import (
    differ,
    find_doubled,
    games_of,
    incomplete,
    loaded_per_game,
    outdated,
    rows_per_game,
    stray_files,
)
from include.checks.schedule import scheduled_games
from include.checks.sound import loadable
from include.errors import Problem
from include.outcome import Outcome
from include.partition import Partition
from include.sources.spec import Endpoint, Game, GameState
from include.storage import raw
from include.storage.moved import PREFIX, moved_to, uncounted
from include.storage.store import Store
from include.warehouse.open import Warehouse


class Fault(StrEnum):
    """What is wrong with a date of an endpoint, and by that how it is healed."""

    MISSING_DATE = "missing date"
    MISSING_GAME = "missing game"
    MISSING_PART = "missing part"
    THIN_GAME = "thin game"
    UNVERIFIED = "unverified"
    DAMAGED_RAW = "damaged raw"
    STALE_MANIFEST = "stale manifest"
    RAW_WITHOUT_ROWS = "raw without rows"
    ROWS_WITHOUT_RAW = "rows without raw"
    SURPLUS_ROWS = "surplus rows"
    THIN_ROWS = "thin rows"
    DUPLICATE_ROWS = "duplicate rows"
    OLD_ROWS = "old rows"
    NONE = ""

    @property
    def healed_from_raw(self) -> bool:
        """Whether the rows alone are wrong, and are made again of the bodies that raw has."""
        return self in _OF_ROWS


_OF_ROWS = frozenset(
    (
        *(Fault.RAW_WITHOUT_ROWS, Fault.SURPLUS_ROWS, Fault.THIN_ROWS),
        *(Fault.DUPLICATE_ROWS, Fault.OLD_ROWS),
    )
)


@dataclass(frozen=True, kw_only=True)
class Standing:
    """``outcome`` is an audit's, or NOT_RUN where there is no manifest, though there may be games.

    ``problem`` is what is wrong, None where nothing is; ``fault`` is its kind.

    ``manifest`` is None where there is none, or none that can be read; ``rows`` counts those of the
    bodies.
    """

    outcome: Outcome
    message: str
    problem: Problem | None = None
    manifest: raw.Manifest | None = None
    rows: int = 0
    fault: Fault = Fault.NONE

    @property
    def done(self) -> bool:
        """Whether nothing is missing."""
        return self.outcome.done


def standing(
    endpoint: Endpoint, partition: Partition, store: Store, warehouse: Warehouse
) -> Standing:
    """Judges the date as an audit would, without loading or writing anything. Raises nothing of the
    date's own.

    A date that was never fetched is done where the schedule says that it has no games.
    """
    # What can be told without comparing; then bodies and rows are counted.
    try:
        scheduled = None if endpoint.is_schedule else scheduled_games(warehouse, partition.day)
        manifest = read_judged(store, partition)
        if manifest is None:
            orphans = loaded_per_game(endpoint.table, partition.day, warehouse)
            return _never_fetched(endpoint, scheduled, orphans=bool(orphans))
        if not manifest.done:
            return _incomplete(manifest)
        if lacking := manifest.lacking(endpoint.parts):
            message = f"has no {', '.join(lacking)}: run the date again"
            partial = replace(manifest, outcome=Outcome.PARTIAL, message=message)
            return _incomplete(partial, Fault.MISSING_PART)
        games = games_of(endpoint, manifest, store, scheduled)
        wanted = rows_per_game(loadable(manifest, games))
        found = loaded_per_game(endpoint.table, partition.day, warehouse)
        older = found and stray_files(endpoint.table, partition.day, warehouse, manifest)
        doubled = found and find_doubled(endpoint.table, partition.day, warehouse)
    except Problem as problem:
        return Standing(
            outcome=Outcome.FAILED,
            message=problem.message,
            problem=problem,
            fault=Fault.DAMAGED_RAW,
        )
    # A day without games that was not loaded lacks nothing.
    if (found or {}) != wanted:
        difference = differ(endpoint, partition, wanted, found)
        return Standing(
            outcome=Outcome.PARTIAL,
            message=difference.message,
            problem=difference,
            manifest=manifest,
            fault=_compare(wanted, found),
        )
    if older:
        message = f"{endpoint.table} has rows of older bodies than raw: run the date again"
        partial = replace(manifest, outcome=Outcome.PARTIAL, message=message)
        return _incomplete(partial, Fault.OLD_ROWS)
    if doubled:
        message = f"{endpoint.table} has rows twice: {', '.join(doubled)}"
        partial = replace(manifest, outcome=Outcome.PARTIAL, message=message)
        return _incomplete(partial, Fault.DUPLICATE_ROWS)
    if stale := outdated(manifest, scheduled, games):
        return _incomplete(stale, Fault.STALE_MANIFEST)
    told = moved_to(store, partition) if endpoint.moved else []
    if moved := uncounted(told, manifest.objects):
        return _behind(manifest, moved)
    return Standing(
        outcome=Outcome(manifest.outcome),
        message=manifest.message,
        manifest=manifest,
        rows=sum(wanted.values()),
    )


def _compare(wanted: Mapping[str, int], found: Mapping[str, int] | None) -> Fault:
    """How the rows of each game differ from raw's."""
    if found is None or any(name not in found for name in wanted):
        return Fault.RAW_WITHOUT_ROWS
    if any(name not in wanted for name in found):
        return Fault.SURPLUS_ROWS
    fewer = any(found[name] < count for name, count in wanted.items())
    return Fault.THIN_ROWS if fewer else Fault.DUPLICATE_ROWS


def _behind(manifest: raw.Manifest, moved: Iterable[raw.RawObject]) -> Standing:
    """A date to which a game was moved, whose body came after the date was counted."""
    where = ", ".join(sorted(each.item.removeprefix(PREFIX) for each in moved))
    message = f"a game was moved to this date from {where}, whose body has it: run the date again"
    stale = replace(manifest, outcome=Outcome.PARTIAL, message=message)
    return _incomplete(stale, Fault.STALE_MANIFEST)


def _never_fetched(
    endpoint: Endpoint, scheduled: tuple[Game, ...] | None, *, orphans: bool
) -> Standing:
    """Of a date without a manifest, by what the schedule expects. ``orphans``: it has rows."""
    if orphans:
        message = f"{endpoint.table} has rows, and raw has nothing of the date"
        return Standing(outcome=Outcome.NOT_RUN, message=message, fault=Fault.ROWS_WITHOUT_RAW)
    due = [game for game in scheduled or () if game.state is not GameState.POSTPONED]
    if scheduled is not None and not due:
        return Standing(outcome=Outcome.NO_GAMES, message="no games on this date")
    message = f"never fetched, {len(due)} games by the schedule"
    if endpoint.is_schedule:
        message = "never fetched"
    elif scheduled is None:
        message = (
            "never fetched, and the schedule does not have the date either: `airflow dags backfill"
            " nbacom_schedule -s DATE -e DATE` gets it"
        )
    return Standing(outcome=Outcome.NOT_RUN, message=message, fault=Fault.MISSING_DATE)


def _incomplete(manifest: raw.Manifest, fault: Fault = Fault.NONE) -> Standing:
    problem = incomplete(manifest)
    unverified = manifest.outcome is Outcome.UNVERIFIED
    outcome = Outcome.UNVERIFIED if unverified else Outcome.PARTIAL
    return Standing(
        outcome=outcome,
        message=problem.message,
        problem=problem,
        manifest=manifest,
        fault=fault or _blame(manifest),
    )


def _blame(manifest: raw.Manifest) -> Fault:
    """What is wrong with a date that was counted and is not done."""
    if manifest.outcome is Outcome.UNVERIFIED:
        return Fault.UNVERIFIED
    return Fault.THIN_GAME if manifest.unsound else Fault.MISSING_GAME
