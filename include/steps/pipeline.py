"""The three steps of a date, as functions of their arguments: scrape to raw, load to the warehouse,
audit the count."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime

from include.checks.completeness import Count, count
from include.checks.drift import Drift, corrections
from include.checks.rows import (
    differ,
    games_of,
    incomplete,
    loaded_per_game,
    outdated,
    rows_per_game,
    stray_files,
)
from include.errors import ErrorClass, Problem
from include.failpoints import reach
from include.http.client import Client, Upstream
from include.partition import Partition, eastern_moment
from include.sources.spec import Endpoint, Game, Row, Source
from include.steps import reuse
from include.steps.walk import fetch
from include.storage import raw, shared
from include.storage.refetch import Progress, note, progress
from include.warehouse.local import SOURCE_FILE, Loaded, check_types
from include.warehouse.open import Warehouse

log = logging.getLogger(__name__)

_LONG_AGO = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class Stores:
    """Where bodies and rows live."""

    raw: raw.Store
    warehouse: Warehouse


@dataclass(frozen=True, kw_only=True)
class Wire:
    """How upstreams are reached: one client, and where each connection leads."""

    client: Client
    upstreams: Mapping[str, Upstream]


@dataclass(frozen=True, kw_only=True)
class Audited:
    """A date that is right: the manifest that says so, and the rows counted in the warehouse."""

    manifest: raw.Manifest
    rows: int


@dataclass(frozen=True, kw_only=True)
class Scraped:
    """A scrape's result; ``requests`` is 0 when the raw layer had the date already."""

    manifest: raw.Manifest
    requests: int
    credits: int


def available_at(endpoint: Endpoint, day: date) -> datetime:
    """The UTC moment from which the date's data can be final."""
    return eastern_moment(day, endpoint.available_after, days_later=1)


def late_at(endpoint: Endpoint, day: date) -> datetime:
    """The UTC moment after which an incomplete date has failed instead of being early."""
    return eastern_moment(day, endpoint.late_after, days_later=1)


def expected_games(stores: Stores, day: date) -> tuple[Game, ...] | None:
    """The games that the schedule table expects on the date; None while it does not have the
    date."""
    from include.checks.schedule import scheduled_games

    return scheduled_games(stores.warehouse, day)


def scrape(
    source: Source,
    endpoint: Endpoint,
    partition: Partition,
    stores: Stores,
    wire: Wire,
    *,
    refetch: datetime | None = None,
) -> Scraped:
    """Fetches what the raw layer lacks of the date and writes its manifest, whose outcome is the
    counted truth.

    A date that is complete in raw costs no request, unless fresh bodies were ordered at the moment
    ``refetch`` and it has not been fetched since. A body whose game is final is not asked for again
    after a crash. Raises Problem; bodies that had arrived by then stay and are reused.
    """
    known = raw.read_manifest(stores.raw, partition)
    renewed = progress(stores.raw, partition, refetch) if refetch else None
    if known and known.done and (renewed is None or renewed.done):
        return Scraped(manifest=known, requests=0, credits=0)
    if renewed and renewed.done:  # but the date is not whole any more
        renewed = _asking_again(endpoint, renewed)

    expected: Iterable[Game] | None = _scheduled(endpoint, partition, stores)
    expected_from = (
        "schedule"
        if expected is not None or endpoint.is_schedule
        else "listing"
        if endpoint.truth
        else ""
    )
    there = renewed.objects if renewed else reuse.stored_of(endpoint, partition, stores.raw)
    unfinished = known is None or renewed is not None
    if endpoint.shared:
        # A date that ended incomplete asks for what is newer than its end.
        ended = datetime.fromisoformat(known.finished_at) if known and not known.done else _LONG_AGO
        fresh = max(late_at(endpoint, partition.day), refetch or _LONG_AGO, ended)
        stored = reuse.of_group(endpoint, partition, stores.raw, since=fresh)
    else:
        named = {each.path for each in known.objects} if known and not renewed else ()
        stored = reuse.of_date(
            endpoint, partition, there, stores.raw, unfinished=unfinished, named=named
        )
    listing = reuse.listing(endpoint, partition, there, stores.raw, expected, unfinished=unfinished)
    listed: list[Game] = []
    present: list[Game] = []
    objects: list[raw.RawObject] = []
    requests = credits = 0
    if listing:
        objects.append(listing[0])
        if endpoint.truth and expected_from == "listing" and _truth_role(endpoint) == "listing":
            expected = listed = list(endpoint.truth.games(listing[1], partition.day))

    def have(item: str) -> bool:
        if item in stored:
            objects.append(stored[item][0])
            present.extend(stored[item][1])
        return item in stored

    reach("before fetch")
    given = {"have": have, "listing": listing[1] if listing else None}
    for got in fetch(
        endpoint, source, partition.day, expected, wire.client, wire.upstreams, **given
    ):
        reach("after fetch")
        requests, credits = requests + got.requests, credits + got.credits
        get = endpoint.request if got.role == "data" else None
        objects.append(
            raw.put_body(
                stores.raw,
                partition,
                item=got.item,
                role=got.role,
                body=got.body,
                url=got.url,
                status=got.status,
                suffix="csv" if get and get.accept == "csv" else "json",
            )
        )
        reach("after raw write")
        if renewed:
            renewed = replace(renewed, objects=(*renewed.objects, objects[-1]))
            note(stores.raw, partition, renewed)
        if got.role == "data":
            present.extend(endpoint.games(got.body, partition.day))
        elif endpoint.truth and expected_from == "listing" and got.role == _truth_role(endpoint):
            listed.extend(endpoint.truth.games(got.body, partition.day))
            expected = listed
    if endpoint.is_schedule:
        expected = present
    if endpoint.shared and requests:
        shared.remember(
            stores.raw,
            partition.dag_id,
            partition.endpoint,
            endpoint.shared(partition.day),
            objects,
        )
    manifest = _manifest(
        partition, count(expected, present), expected_from, objects, requests, credits
    )
    if known and _says_the_same(known, manifest):
        manifest = known
    else:
        reach("before manifest")
        raw.write_manifest(stores.raw, partition, manifest)
        reach("after manifest")
    if renewed:
        note(
            stores.raw,
            partition,
            replace(renewed, done=True) if manifest.done else _asking_again(endpoint, renewed),
        )
    return Scraped(manifest=manifest, requests=requests, credits=credits)


def _asking_again(endpoint: Endpoint, renewed: Progress) -> Progress:
    """An order that ended incomplete asks again for all but the games that it has."""
    kept = tuple(each for each in renewed.objects if endpoint.per_game and each.role == "data")
    return replace(renewed, done=False, objects=kept)


def _truth_role(endpoint: Endpoint) -> str:
    return "truth" if endpoint.truth and endpoint.truth.request else "listing"


def _says_the_same(known: raw.Manifest, new: raw.Manifest) -> bool:
    """Whether a date that was whole is so still, by the same bodies: its manifest keeps what the
    first fetch cost."""
    same_bodies = [o.sha256 for o in known.objects] == [o.sha256 for o in new.objects]
    return known.done and known.outcome == new.outcome and same_bodies


def _manifest(
    partition: Partition,
    counted: Count,
    expected_from: str,
    objects: Sequence[raw.RawObject],
    requests: int,
    credits: int,
) -> raw.Manifest:
    return raw.Manifest(
        dag_id=partition.dag_id,
        endpoint=partition.endpoint,
        day=str(partition.day),
        outcome=counted.outcome.value,
        message=counted.message,
        expected_from=expected_from,
        games_expected=counted.expected,
        games_found=counted.found,
        missing=tuple(counted.missing) + tuple(counted.unsound),
        requests=requests,
        credits=credits,
        objects=tuple(objects),
        finished_at=datetime.now(UTC).isoformat(timespec="milliseconds"),
    )


def load(
    endpoint: Endpoint,
    partition: Partition,
    stores: Stores,
    *,
    corrected: Callable[[Drift], None] | None = None,
) -> Loaded:
    """Replaces the date's rows by those of the manifest's bodies. Makes no request.

    ``corrected`` is told what the upstream has changed since the rows that are replaced, if
    anything, before they are replaced: afterwards a process that is killed could not find out
    again. Raises Problem(STORAGE) without a complete manifest: a partial day never replaces a whole
    one.
    """
    reach("before load")
    rows: Iterable[Row] = _rows(endpoint, partition, _done(partition, stores), stores)
    if corrected:
        rows = list(rows)
        check_types(endpoint.table, rows)
        if (drift := _drift(endpoint, partition, stores, rows)).total:
            corrected(drift)
    loaded = stores.warehouse.replace(endpoint.table, partition.day, rows)
    reach("after load")
    return loaded


def _drift(endpoint: Endpoint, partition: Partition, stores: Stores, rows: Sequence[Row]) -> Drift:
    """What differs from the loaded rows; those are read as a whole only where they come from other
    bodies."""
    read, day, table = stores.warehouse.rows, partition.day, endpoint.table
    try:
        files = read(table, day, [SOURCE_FILE.name])
        if files is None or _files(files) == _files(rows):
            return Drift(changes=(), total=0)
        return corrections(table, read(table, day) or [], rows)
    except Problem as problem:
        log.warning("%s: what changed upstream cannot be told: %s", partition, problem.message)
        return Drift(changes=(), total=0)


def _files(rows: Iterable[Row]) -> set[str]:
    return {row[SOURCE_FILE.name] for row in rows}


def is_whole(partition: Partition, stores: Stores) -> bool:
    """Whether raw has the whole date, so that it needs no request."""
    manifest = raw.read_manifest(stores.raw, partition)
    return manifest is not None and manifest.done


def _done(partition: Partition, stores: Stores) -> raw.Manifest:
    manifest = raw.read_manifest(stores.raw, partition)
    if manifest is None or not manifest.done:
        state = manifest.message if manifest else "no manifest"
        raise Problem(
            error_class=ErrorClass.STORAGE,
            message=f"the raw layer does not have the whole date ({state}): clear its scrape task",
            endpoint=partition.endpoint,
            day=partition.day,
        )
    return manifest


def _rows(
    endpoint: Endpoint, partition: Partition, manifest: raw.Manifest, stores: Stores
) -> Iterator[Row]:
    for item in manifest.data():
        for row in endpoint.rows(raw.get_body(stores.raw, item), partition.day):
            yield {**row, SOURCE_FILE.name: item.path}


def audit(
    endpoint: Endpoint,
    partition: Partition,
    stores: Stores,
    *,
    corrected: Callable[[Drift], None] | None = None,
) -> Audited:
    """Counts the warehouse against raw and schedule, game by game.

    Rows that are not raw's (a lost or torn partition, bodies that were fetched and not loaded) are
    loaded once more; ``corrected`` is as for ``load``. Raises Problem(INCOMPLETE) when the counts
    still differ, or when the schedule has since learnt of games that raw does not have.
    """
    manifest = _done(partition, stores)
    games = games_of(endpoint, manifest, stores.raw)
    wanted = rows_per_game(games)
    found = loaded_per_game(endpoint.table, partition.day, stores.warehouse)
    if found != wanted or stray_files(endpoint.table, partition.day, stores.warehouse, manifest):
        log.warning(
            "%s: %s is not what raw holds (%s); loading it again", partition, endpoint.table, found
        )
        load(endpoint, partition, stores, corrected=corrected)
        found = loaded_per_game(endpoint.table, partition.day, stores.warehouse)
    if found != wanted:
        raise differ(endpoint, partition, wanted, found)
    if stale := outdated(manifest, _scheduled(endpoint, partition, stores), games):
        raw.write_manifest(stores.raw, partition, stale)  # so that the next scrape asks again
        raise incomplete(stale)
    return Audited(manifest=manifest, rows=sum(wanted.values()))


def _scheduled(endpoint: Endpoint, partition: Partition, stores: Stores) -> tuple[Game, ...] | None:
    return None if endpoint.is_schedule else expected_games(stores, partition.day)
