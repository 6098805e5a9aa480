"""Audit: counts the warehouse against raw and schedule, game by game, and loads once more where
they differ."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from include.checks.drift import Drift
from include.checks.rows import (
    differ,
    games_of,
    incomplete,
    loaded_per_game,
    outdated,
    rows_per_game,
    stray_files,
)
from include.partition import Partition
from include.sources.spec import Endpoint
from include.steps.job import Stores
from include.steps.load import load, whole_manifest
from include.steps.tally import scheduled
from include.storage import raw

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Audited:
    """A date that is right: the manifest that says so, and the rows counted in the warehouse."""

    manifest: raw.Manifest
    rows: int


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
    manifest = whole_manifest(partition, stores)
    games = games_of(endpoint, manifest, stores.raw)
    wanted = rows_per_game(games)
    table, day, warehouse = endpoint.table, partition.day, stores.warehouse
    found = loaded_per_game(table, day, warehouse)
    if found != wanted or stray_files(table, day, warehouse, manifest):
        log.warning("%s: %s is not what raw holds (%s); loading it again", partition, table, found)
        load(endpoint, partition, stores, corrected=corrected)
        found = loaded_per_game(table, day, warehouse)
    if found != wanted:
        raise differ(endpoint, partition, wanted, found)
    if stale := outdated(manifest, scheduled(endpoint, day, warehouse), games):
        raw.write_manifest(stores.raw, partition, stale)  # so that the next scrape asks again
        raise incomplete(stale)
    return Audited(manifest=manifest, rows=sum(wanted.values()))
