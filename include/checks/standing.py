"""How a date stands by its own data: manifest, bodies, warehouse and schedule; an audit that
changes nothing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from include.checks.acceptance import read_judged
from include.checks.rows import (
    differ,
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


@dataclass(frozen=True, kw_only=True)
class Standing:
    """``outcome`` is an audit's, or NOT_RUN where there is no manifest, though there may be games.

    ``problem`` is what is wrong, None where nothing is.

    ``manifest`` is None where there is none, or none that can be read; ``rows`` counts those of the
    bodies.
    """

    outcome: Outcome
    message: str
    problem: Problem | None = None
    manifest: raw.Manifest | None = None
    rows: int = 0

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
    try:
        scheduled = None if endpoint.is_schedule else scheduled_games(warehouse, partition.day)
        manifest = read_judged(store, partition)
        if manifest is None:
            return _never_fetched(endpoint, scheduled)
        if not manifest.done:
            return _incomplete(manifest)
        if lacking := manifest.lacking(endpoint.parts):
            message = f"has no {', '.join(lacking)}: run the date again"
            return _incomplete(replace(manifest, outcome=Outcome.PARTIAL, message=message))
        games = games_of(endpoint, manifest, store, scheduled)
        wanted = rows_per_game(loadable(manifest, games))
        found = loaded_per_game(endpoint.table, partition.day, warehouse)
        older = found and stray_files(endpoint.table, partition.day, warehouse, manifest)
    except Problem as problem:
        return Standing(outcome=Outcome.FAILED, message=problem.message, problem=problem)
    # A day without games that was not loaded lacks nothing.
    if (found or {}) != wanted:
        difference = differ(endpoint, partition, wanted, found)
        return Standing(
            outcome=Outcome.PARTIAL,
            message=difference.message,
            problem=difference,
            manifest=manifest,
        )
    if older:
        message = f"{endpoint.table} has rows of older bodies than raw: run the date again"
        return _incomplete(replace(manifest, outcome=Outcome.PARTIAL, message=message))
    if stale := outdated(manifest, scheduled, games):
        return _incomplete(stale)
    told = moved_to(store, partition) if endpoint.moved else []
    if moved := uncounted(told, manifest.objects):
        return _behind(manifest, moved)
    return Standing(
        outcome=Outcome(manifest.outcome),
        message=manifest.message,
        manifest=manifest,
        rows=sum(wanted.values()),
    )


def _behind(manifest: raw.Manifest, moved: Iterable[raw.RawObject]) -> Standing:
    """A date to which a game was moved, whose body came after the date was counted."""
    where = ", ".join(sorted(each.item.removeprefix(PREFIX) for each in moved))
    message = f"a game was moved to this date from {where}, whose body has it: run the date again"
    stale = replace(manifest, outcome=Outcome.PARTIAL, message=message)
    return _incomplete(stale)


def _never_fetched(endpoint: Endpoint, scheduled: tuple[Game, ...] | None) -> Standing:
    if endpoint.is_schedule:
        return Standing(outcome=Outcome.NOT_RUN, message="never fetched")
    if scheduled is None:
        message = "never fetched, and the schedule does not have the date either"
        return Standing(outcome=Outcome.NOT_RUN, message=message)
    due = [game for game in scheduled if game.state is not GameState.POSTPONED]
    if not due:
        return Standing(outcome=Outcome.NO_GAMES, message="no games on this date")
    message = f"never fetched, {len(due)} games by the schedule"
    return Standing(outcome=Outcome.NOT_RUN, message=message)


def _incomplete(manifest: raw.Manifest) -> Standing:
    problem = incomplete(manifest)
    unverified = manifest.outcome is Outcome.UNVERIFIED
    outcome = Outcome.UNVERIFIED if unverified else Outcome.PARTIAL
    return Standing(outcome=outcome, message=problem.message, problem=problem, manifest=manifest)
