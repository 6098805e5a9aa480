"""Load: replaces a date's rows in the warehouse by those of its bodies, and says what the upstream
has corrected since."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from operator import itemgetter

from include.checks.acceptance import read_judged
from include.checks.bodies import Asked
from include.checks.drift import Drift, corrections
from include.checks.rows import find_doubles, games_of, loaded_per_game, turn_back
from include.checks.sound import describe_date, loadable
from include.errors import ErrorClass, Problem
from include.failpoints import reach_failpoint
from include.outcome import Outcome
from include.partition import Partition
from include.sources.spec import Endpoint, Row, game_of
from include.steps.job import Stores
from include.steps.tally import scheduled
from include.storage import raw
from include.warehouse.rows import SOURCE_FILE, Loaded, check_types

log = logging.getLogger(__name__)

Corrected = Callable[[Drift], None]


def load(
    endpoint: Endpoint,
    partition: Partition,
    stores: Stores,
    *,
    corrected: Corrected | None = None,
) -> Loaded:
    """Replaces the date's rows by those of the manifest's bodies; of an accepted date by those of
    the games that are sound or accepted. Makes no request.

    ``corrected`` is told what the upstream has changed since the rows that are replaced, if
    anything, before they are replaced: afterwards a process that is killed could not find out
    again. Raises Problem(STORAGE) without a complete manifest: see ``load_sound``.
    """
    manifest = whole_manifest(partition, stores)
    games = None
    if manifest.outcome is Outcome.ACCEPTED:
        games = _sound_games(endpoint, partition, manifest, stores)
    return _replace(endpoint, partition, manifest, stores, corrected, games)


def load_sound(
    endpoint: Endpoint,
    partition: Partition,
    manifest: raw.Manifest,
    stores: Stores,
    *,
    corrected: Corrected | None = None,
) -> Loaded | None:
    """Of a date that is not whole, replaces the rows by those of its sound games, if those that lie
    there are among them; ``raw.date_status`` tells what is missing in any case.

    None where the rows stay as they are. So do the schedule's: other dates are counted against it,
    and half of one would make them whole.
    """
    games = _sound_games(endpoint, partition, manifest, stores)
    if games and not endpoint.is_schedule:
        there = _due_there(endpoint, partition, stores)
        if there <= games:
            return _replace(endpoint, partition, manifest, stores, corrected, games)
        lost = ", ".join(sorted(there - games))
        log.warning("%s: rows stay as they are: %s would be lost", partition, lost)
    stores.warehouse.replace_status(describe_date(endpoint, partition, manifest))
    return None


def whole_manifest(partition: Partition, stores: Stores) -> raw.Manifest:
    """The manifest of a date that raw has whole. Raises Problem(STORAGE) for any other."""
    manifest = read_judged(stores.raw, partition)
    if manifest is not None and manifest.done:
        return manifest
    state = manifest.message if manifest else "no manifest"
    raise Problem(
        error_class=ErrorClass.STORAGE,
        message=f"the raw layer does not have the whole date ({state}): clear its task",
        endpoint=partition.endpoint,
        day=partition.day,
    )


def _sound_games(
    endpoint: Endpoint, partition: Partition, manifest: raw.Manifest, stores: Stores
) -> set[str]:
    expected = scheduled(endpoint, partition.day, stores.warehouse)
    games = games_of(endpoint, manifest, stores.raw, expected)
    return set(map(str, loadable(manifest, games)))


def _due_there(endpoint: Endpoint, partition: Partition, stores: Stores) -> set[str]:
    """The games that have rows; those that the schedule does not know any more may go."""
    there = set(loaded_per_game(endpoint.table, partition.day, stores.warehouse) or ())
    if (expected := scheduled(endpoint, partition.day, stores.warehouse)) is not None:
        there &= set(map(str, expected))
    return there


def _replace(
    endpoint: Endpoint,
    partition: Partition,
    manifest: raw.Manifest,
    stores: Stores,
    corrected: Corrected | None,
    games: Collection[str] | None,
) -> Loaded:
    """Replaces the rows, of these games alone where they are given, and how the date stands."""
    reach_failpoint("before load")
    rows: Iterable[Row] = _read_rows(endpoint, partition, manifest, stores)
    if games is not None:
        rows = _of_games(rows, games)
    if corrected:
        rows = list(rows)
        check_types(endpoint.table, rows)
        if (drift := _drift(endpoint, partition, stores, rows)).total:
            corrected(drift)
    loaded = stores.warehouse.replace(endpoint.table, partition.day, rows)
    stores.warehouse.replace_status(describe_date(endpoint, partition, manifest))
    reach_failpoint("after load")
    return loaded


def _read_rows(
    endpoint: Endpoint, partition: Partition, manifest: raw.Manifest, stores: Stores
) -> Iterator[Row]:
    day, expected = partition.day, scheduled(endpoint, partition.day, stores.warehouse)
    endpoint = turn_back(endpoint, manifest)
    doubles = find_doubles(endpoint, manifest, stores.raw, expected)
    for item in manifest.data():
        asked = Asked(endpoint=endpoint, item=item.item, day=day, scheduled=expected)
        for row in asked.rows(raw.get_body(stores.raw, item)):
            if (item.path, game_of(row)) not in doubles:
                yield {**row, SOURCE_FILE.name: item.path}


def _drift(endpoint: Endpoint, partition: Partition, stores: Stores, rows: Sequence[Row]) -> Drift:
    """What differs from the loaded rows; those are read as a whole only where they come from other
    bodies."""
    read, day, table = stores.warehouse.rows, partition.day, endpoint.table
    try:
        files = read(table, day, [SOURCE_FILE.name])
        if files is None or _files(files) == _files(rows):
            return Drift(changes=(), total=0)
        before = read(table, day) or []
        for status in stores.warehouse.status(table, day) or ():
            if not Outcome(status["outcome"]).done:
                # A game that was missing and has come now is not a correction.
                rows = _of_games(rows, set(map(game_of, before)))
        if endpoint.parts:
            # A part that was bought since is not a correction either, nor one that has gone.
            items = set(map(_item, before)) & set(map(_item, rows))
            before, rows = (_of_items(each, items) for each in (before, rows))
        return corrections(table, before, rows)
    except Problem as problem:
        log.warning("%s: what changed upstream cannot be told: %s", partition, problem.message)
        return Drift(changes=(), total=0)


def _of_games(rows: Iterable[Row], games: Collection[str]) -> list[Row]:
    return list(filter(lambda row: game_of(row) in games, rows))


def _of_items(rows: Iterable[Row], items: Collection[str]) -> list[Row]:
    return list(filter(lambda row: _item(row) in items, rows))


def _item(row: Row) -> str:
    """The item of the row's body, whose name is ``<item>-<hash>.json.gz``."""
    name = str(row[SOURCE_FILE.name]).rpartition("/")[2]
    return name.rpartition("-")[0]


def _files(rows: Iterable[Row]) -> set[str]:
    return set(map(itemgetter(SOURCE_FILE.name), rows))
