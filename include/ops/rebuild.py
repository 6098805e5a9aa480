"""Writes lost outcomes anew from what lies beside the data: every manifest, counted against the
warehouse."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

import psycopg

from include.checks.standing import Standing, standing
from include.ops.outcomes import OutcomeRow, record, row_of
from include.partition import Partition
from include.sources.spec import Source
from include.storage.raw import partitions
from include.storage.store import Store
from include.warehouse.open import Warehouse

RUN_ID = "rebuilt"
KNOWN = "known"
"""What becomes of a date whose outcome was not lost: its rows stay as the tasks wrote them."""
UNFINISHED = "unfinished"
"""What becomes of a folder without a manifest: its scrape died, and there is nothing to tell."""
NOT_OURS = "not_in_spec"
"""What becomes of an endpoint that the source no longer has."""


def rebuild(
    connection: psycopg.Connection[Any], source: Source, store: Store, warehouse: Warehouse
) -> Iterator[tuple[Partition, str]]:
    """Each partition that has a raw folder, and the outcome that was recorded for it (or KNOWN,
    UNFINISHED, NOT_OURS).

    One at a time, so it may be stopped and started again; a second pass judges the rebuilt ones
    again and replaces them. Raises Problem(STORAGE) when a store or the database fails.
    """
    known = _known(connection, source.dag_id)
    endpoints = {endpoint.name: endpoint for endpoint in source.endpoints}
    for partition in partitions(store, source.dag_id):
        if partition.endpoint not in endpoints:
            yield partition, NOT_OURS
        elif (partition.endpoint, partition.day) in known:
            yield partition, KNOWN
        else:
            found = standing(endpoints[partition.endpoint], partition, store, warehouse)
            if found.manifest or found.problem:
                record(connection, rebuilt(partition, found))
                yield partition, found.outcome
            else:
                yield partition, UNFINISHED


def rebuilt(partition: Partition, found: Standing) -> OutcomeRow:
    """The row that the date's audit would leave, at the time of the fetch; now, where the manifest
    cannot say it."""
    manifest, problem = found.manifest, found.problem
    at = datetime.fromisoformat(manifest.finished_at) if manifest else datetime.now(UTC)
    counts: dict[str, Any] = {}
    if manifest:
        counts = {
            "requests": manifest.requests,
            "credits": manifest.credits,
            "rows": found.rows,
            "bytes": sum(stored.bytes for stored in manifest.objects),
            "games_expected": manifest.games_expected,
            "games_found": manifest.games_found,
            "missing": manifest.missing,
        }
    return row_of(
        partition,
        run_id=RUN_ID,
        at=at,
        outcome=found.outcome,
        error_class=str(problem.error_class) if problem else "",
        fingerprint=problem.fingerprint if problem else "",
        message=found.message,
        **counts,
    )


def _known(connection: psycopg.Connection[Any], dag_id: str) -> set[tuple[str, date]]:
    """(endpoint, day) of every date that a task has written of."""
    found = connection.execute(
        "SELECT DISTINCT endpoint, day FROM ops.outcomes WHERE dag_id = %s AND run_id <> %s",
        (dag_id, RUN_ID),
    ).fetchall()
    connection.commit()
    return {(endpoint, day) for endpoint, day in found}
