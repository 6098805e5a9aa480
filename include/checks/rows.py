"""Rows per game in the bodies of a date, in the warehouse, and by the schedule: what an audit
compares."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import date
from itertools import repeat
from operator import attrgetter, itemgetter

from include.checks.acceptance import list_wrong
from include.checks.bodies import Asked, Scheduled
from include.checks.completeness import count, weigh
from include.checks.parts import merge_parts
from include.errors import ErrorClass, Problem
from include.outcome import Outcome
from include.partition import Partition
from include.sources.spec import Endpoint, Game, Table, game_of
from include.storage import raw
from include.storage.moved import is_of_other_date
from include.storage.store import Store
from include.warehouse.open import Warehouse
from include.warehouse.rows import SOURCE_FILE


def games_of(
    endpoint: Endpoint, manifest: raw.Manifest, store: Store, scheduled: Scheduled
) -> list[Game]:
    """The games in the manifest's bodies, each from the one that its rows are loaded from. Raises
    Problem(STORAGE) for a damaged body, SCHEMA_DRIFT for an unknown.
    """
    endpoint = turn_back(endpoint, manifest)
    doubles = find_doubles(endpoint, manifest, store, scheduled)
    reports = _reports(endpoint, manifest, store, scheduled)
    counted = [(f.item, game) for f, game in reports if (f.path, str(game)) not in doubles]
    return merge_parts(endpoint, counted)


def turn_back(endpoint: Endpoint, manifest: raw.Manifest) -> Endpoint:
    """The endpoint as the manifest was counted by it, whatever is wanted now: in the parts of then,
    or with one body of all games."""
    if endpoint.parts and not manifest.parts:
        return replace(endpoint, parts=(), item_of=None)
    return replace(endpoint, parts=endpoint.parts and manifest.parts)


def find_doubles(
    endpoint: Endpoint, manifest: raw.Manifest, store: Store, scheduled: Scheduled
) -> set[tuple[str, str]]:
    """(path, game) that are not loaded, since another body has the game as well: a moved one, which
    has since been listed on its true date. The body counts that says most of it, of two alike the
    date's own."""
    if not any(map(is_of_other_date, manifest.objects)):
        return set()
    reports = list(_reports(endpoint, manifest, store, scheduled))
    best_last = sorted(reports, key=lambda each: (weigh(each[1]), not is_of_other_date(each[0])))
    best = {str(game): found.path for found, game in best_last}
    return {(found.path, str(game)) for found, game in reports} - {(p, g) for g, p in best.items()}


def _reports(
    endpoint: Endpoint, manifest: raw.Manifest, store: Store, scheduled: Scheduled
) -> Iterator[tuple[raw.RawObject, Game]]:
    day = date.fromisoformat(manifest.day)
    for found in manifest.data():
        asked = Asked(endpoint=endpoint, item=found.item, day=day, scheduled=scheduled)
        yield from zip(repeat(found), asked.games(raw.get_body(store, found)))


def rows_per_game(games: Iterable[Game]) -> dict[str, int]:
    """``GSW@UTA`` -> rows, of the games that have any."""
    found = Counter[str]()
    for game in games:
        found[str(game)] += game.rows
    return dict(+found)


def loaded_per_game(table: Table, day: date, warehouse: Warehouse) -> dict[str, int] | None:
    """The same of the warehouse's partition; None where it is not there or cannot be read: it has
    to be loaded."""
    try:
        rows = warehouse.rows(table, day, ("away_tricode", "home_tricode"))
    except Problem:
        return None
    if rows is None:
        return None
    return dict(Counter(map(game_of, rows)))


def find_doubled(table: Table, day: date, warehouse: Warehouse) -> list[str]:
    """The keys that more than one row of the partition has."""
    rows = warehouse.rows(table, day, table.key) or []
    keys = Counter(tuple(str(row[name]) for name in table.key) for row in rows)
    return sorted(" ".join(key) for key, times in keys.items() if times > 1)


def stray_files(table: Table, day: date, warehouse: Warehouse, manifest: raw.Manifest) -> set[str]:
    """Files that loaded rows are from and that the manifest does not name: its own were fetched,
    and never loaded."""
    rows = warehouse.rows(table, day, (SOURCE_FILE.name,)) or []
    named = set(map(attrgetter("path"), manifest.data()))
    return set(map(itemgetter(SOURCE_FILE.name), rows)) - named


def differ(
    endpoint: Endpoint,
    partition: Partition,
    wanted: Mapping[str, int],
    found: Mapping[str, int] | None,
) -> Problem:
    """The Problem of a partition whose rows are not those of raw, game by game."""
    if found is None:
        what = "the partition is not there"
    else:
        names = sorted(n for n in {*wanted, *found} if wanted.get(n, 0) != found.get(n, 0))
        what = ", ".join(f"{n} {found.get(n, 0)} of {wanted.get(n, 0)} rows" for n in names)
    return Problem(
        error_class=ErrorClass.INCOMPLETE,
        message=f"{endpoint.table} has other rows than raw: {what}",
        source=partition.dag_id,
        endpoint=partition.endpoint,
        day=partition.day,
    )


def outdated(
    manifest: raw.Manifest, scheduled: Iterable[Game] | None, games: Iterable[Game]
) -> raw.Manifest | None:
    """The manifest as it must read when the schedule has since learnt of games that raw lacks; None
    where it holds.

    ``scheduled`` is None where the schedule does not have the date, and for the schedule's own
    endpoint.
    """
    if scheduled is None:
        return None
    recount = count(scheduled, games)
    if recount.outcome.done:
        return None
    stale = replace(
        manifest,
        outcome=recount.outcome,
        message=f"the schedule changed since the fetch: {recount.message}",
        games_expected=recount.expected,
        games_found=recount.found,
        missing=tuple(recount.missing) + tuple(recount.unsound),
        unsound=tuple(recount.unsound),
        unexpected=tuple(recount.unexpected),
        accepted=(),
    )
    return stale if list_wrong(stale).keys() - set(manifest.accepted) else None


def incomplete(manifest: raw.Manifest) -> Problem:
    """The Problem of a date that was fetched and is not complete."""
    return Problem(
        error_class=_classify(manifest),
        message=manifest.message,
        source=manifest.dag_id,
        endpoint=manifest.endpoint,
        day=date.fromisoformat(manifest.day),
    )


def _classify(manifest: raw.Manifest) -> ErrorClass:
    if any(found.role == raw.DRIFTED for found in manifest.objects):
        return ErrorClass.SCHEMA_DRIFT
    verified = manifest.outcome is not Outcome.UNVERIFIED
    empty = verified and manifest.games_expected and not manifest.games_found
    return ErrorClass.EMPTY_UNEXPECTED if empty else ErrorClass.INCOMPLETE
