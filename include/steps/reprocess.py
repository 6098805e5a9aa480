"""Reprocess: a date's rows made again of the bodies that raw has; no upstream is asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from include.checks.acceptance import read_judged
from include.checks.drift import Drift, all_changes
from include.errors import Problem
from include.partition import Partition
from include.sources.spec import Endpoint, Row
from include.steps.audit import audit
from include.steps.job import Stores
from include.steps.load import load, load_sound
from include.storage.raw import Manifest
from include.warehouse.rows import Loaded


class Became(StrEnum):
    """What has become of a date's rows: they were there already; others stood there; none did; they
    stay as they were, since the date is not whole; raw has nothing of the date."""

    SAME = "same"
    REPLACED = "replaced"
    LOADED = "loaded"
    KEPT = "kept"
    NOT_FETCHED = "not_fetched"


NO_DRIFT = Drift(changes=(), total=0)


@dataclass(frozen=True, kw_only=True)
class Reprocessed:
    """A date after it: ``rows`` in its partition, and how they differ from those before;
    ``content`` is that of what was loaded, empty where nothing was; ``manifest`` is raw's, None
    where that has nothing."""

    became: Became
    rows: int = 0
    content: str = ""
    drift: Drift = NO_DRIFT
    message: str = ""
    manifest: Manifest | None = None


def reprocess(endpoint: Endpoint, partition: Partition, stores: Stores) -> Reprocessed:
    """Loads the date again as its task would, and counts it; of a date that is not whole, its sound
    games.

    A date whose rows come out the same is left alone, so that an interrupted run goes on where it
    was. Raises Problem where raw is damaged, cannot be read any more, or the count is wrong.
    """
    manifest = read_judged(stores.raw, partition)
    if manifest is None:
        return Reprocessed(became=Became.NOT_FETCHED)
    table, day = endpoint.table, partition.day
    before = _rows_there(endpoint, partition, stores)
    loaded = _load(endpoint, partition, stores, manifest)
    after = stores.warehouse.rows(table, day) or []
    return Reprocessed(
        became=_tell(loaded, before),
        rows=len(after),
        content=loaded.content if loaded else "",
        drift=all_changes(table, before or [], after) if before else NO_DRIFT,
        message="" if manifest.done else manifest.message,
        manifest=manifest,
    )


def _load(
    endpoint: Endpoint, partition: Partition, stores: Stores, manifest: Manifest
) -> Loaded | None:
    if not manifest.done:
        return load_sound(endpoint, partition, manifest, stores)
    loaded = load(endpoint, partition, stores)
    audit(endpoint, partition, stores)
    return loaded


def _rows_there(endpoint: Endpoint, partition: Partition, stores: Stores) -> Sequence[Row] | None:
    """None where there is no partition, or none that can be read."""
    try:
        return stores.warehouse.rows(endpoint.table, partition.day)
    except Problem:
        return None


def _tell(loaded: Loaded | None, before: Sequence[Row] | None) -> Became:
    if loaded is None:
        return Became.KEPT
    if not loaded.changed:
        return Became.SAME
    return Became.LOADED if before is None else Became.REPLACED
