"""Bodies of the raw store that a date's manifest names and that are gone or damaged."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from include.errors import Problem
from include.outcome import Outcome
from include.partition import Partition
from include.storage import raw
from include.storage.store import Store


def give_up_lost(store: Store, partition: Partition) -> int:
    """Takes lost bodies out of the date's manifest, which is partial from here on, so that its next
    try asks for them and for nothing else; how many there were. A torn manifest gives way to a
    partial one without bodies."""
    manifest = raw.read_manifest_or_none(store, partition)
    if manifest is None:
        _give_up_torn(store, partition)
        return 0
    kept = tuple(found for found in manifest.objects if _is_there(store, found))
    lost = len(manifest.objects) - len(kept)
    if lost:
        message = f"{lost} of {len(manifest.objects)} bodies are gone or damaged"
        partial = replace(manifest, objects=kept, outcome=Outcome.PARTIAL, message=message)
        raw.write_manifest(store, partition, partial, over=manifest)
    return lost


def _give_up_torn(store: Store, partition: Partition) -> None:
    """The bodies stay in the store, where the next try finds those that count."""
    if store.read(f"{partition.prefix}/{raw.MANIFEST}") is None:
        return
    partial = raw.Manifest(
        dag_id=partition.dag_id,
        endpoint=partition.endpoint,
        day=str(partition.day),
        outcome=Outcome.PARTIAL,
        message="its manifest could not be read",
        expected_from="",
        games_expected=0,
        games_found=0,
        missing=(),
        requests=0,
        credits=0,
        objects=(),
        finished_at=datetime.now(UTC).isoformat(timespec="milliseconds"),
    )
    raw.write_manifest(store, partition, partial)


def _is_there(store: Store, found: raw.RawObject) -> bool:
    try:
        raw.get_body(store, found)
    except Problem:
        return False
    return True
