"""Bodies of the raw store that a date's manifest names and that are gone or damaged."""

from __future__ import annotations

from dataclasses import replace

from include.errors import Problem
from include.outcome import Outcome
from include.partition import Partition
from include.storage import raw
from include.storage.store import Store


def give_up_lost(store: Store, partition: Partition) -> int:
    """Takes lost bodies out of the date's manifest, which is partial from here on, so that its next
    try asks for them and for nothing else; how many there were. Raises Problem where the manifest
    itself cannot be read."""
    manifest = raw.read_manifest(store, partition)
    if manifest is None:
        return 0
    kept = tuple(found for found in manifest.objects if _is_there(store, found))
    lost = len(manifest.objects) - len(kept)
    if lost:
        message = f"{lost} of {len(manifest.objects)} bodies are gone or damaged"
        partial = replace(manifest, objects=kept, outcome=Outcome.PARTIAL, message=message)
        raw.write_manifest(store, partition, partial, over=manifest)
    return lost


def _is_there(store: Store, found: raw.RawObject) -> bool:
    try:
        raw.get_body(store, found)
    except Problem:
        return False
    return True
