"""Load: replaces a date's rows in the warehouse by those of its bodies, and says what the upstream
has corrected since."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence

from include.checks.bodies import Asked
from include.checks.drift import Drift, corrections
from include.errors import ErrorClass, Problem
from include.failpoints import reach_failpoint
from include.partition import Partition
from include.sources.spec import Endpoint, Row
from include.steps.job import Stores
from include.steps.tally import scheduled
from include.storage import raw
from include.warehouse.local import SOURCE_FILE, Loaded, check_types

log = logging.getLogger(__name__)


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
    reach_failpoint("before load")
    rows: Iterable[Row] = _read_rows(endpoint, partition, whole_manifest(partition, stores), stores)
    if corrected:
        rows = list(rows)
        check_types(endpoint.table, rows)
        if (drift := _drift(endpoint, partition, stores, rows)).total:
            corrected(drift)
    loaded = stores.warehouse.replace(endpoint.table, partition.day, rows)
    reach_failpoint("after load")
    return loaded


def whole_manifest(partition: Partition, stores: Stores) -> raw.Manifest:
    """The manifest of a date that raw has whole. Raises Problem(STORAGE) for any other."""
    manifest = raw.read_manifest(stores.raw, partition)
    if manifest is not None and manifest.done:
        return manifest
    state = manifest.message if manifest else "no manifest"
    raise Problem(
        error_class=ErrorClass.STORAGE,
        message=f"the raw layer does not have the whole date ({state}): clear its task",
        endpoint=partition.endpoint,
        day=partition.day,
    )


def _read_rows(
    endpoint: Endpoint, partition: Partition, manifest: raw.Manifest, stores: Stores
) -> Iterator[Row]:
    day, expected = partition.day, scheduled(endpoint, partition.day, stores.warehouse)
    for item in manifest.data():
        asked = Asked(endpoint=endpoint, item=item.item, day=day, scheduled=expected)
        for row in asked.rows(raw.get_body(stores.raw, item)):
            yield {**row, SOURCE_FILE.name: item.path}


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
