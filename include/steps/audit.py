"""Audit: counts the warehouse against raw and schedule, game by game, and loads once more where
they differ."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from include.checks.rows import (
    differ,
    games_of,
    loaded_per_game,
    outdated,
    rows_per_game,
    stray_files,
)
from include.checks.sound import describe_date, loadable
from include.partition import Partition
from include.sources.spec import Endpoint
from include.steps.job import Stores
from include.steps.load import load, whole_manifest
from include.steps.tally import scheduled
from include.storage import raw

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Audited:
    """A date whose rows are raw's: how it stands by its manifest, and the rows in the warehouse."""

    manifest: raw.Manifest
    rows: int


def audit(endpoint: Endpoint, partition: Partition, stores: Stores) -> Audited:
    """Counts the warehouse against raw and schedule, game by game.

    Rows that are not raw's (a lost or torn partition) are loaded once more. Where the schedule has
    changed since the fetch, so that the date is not done any more, its manifest is rewritten to say
    so, and the next scrape asks again. Raises Problem(INCOMPLETE) when the rows still differ.
    """
    manifest = whole_manifest(partition, stores)
    expected = scheduled(endpoint, partition.day, stores.warehouse)
    games = games_of(endpoint, manifest, stores.raw, expected)
    wanted = rows_per_game(loadable(manifest, games))
    table, day, warehouse = endpoint.table, partition.day, stores.warehouse
    found = loaded_per_game(table, day, warehouse)
    if found != wanted or stray_files(table, day, warehouse, manifest):
        log.warning("%s: %s is not what raw holds (%s); loading it again", partition, table, found)
        load(endpoint, partition, stores)
        found = loaded_per_game(table, day, warehouse)
    if found != wanted:
        raise differ(endpoint, partition, wanted, found)
    if stale := outdated(manifest, expected, games):
        raw.write_manifest(stores.raw, partition, stale, over=manifest)
    warehouse.replace_status(describe_date(endpoint, partition, stale or manifest))
    return Audited(manifest=stale or manifest, rows=sum(wanted.values()))
