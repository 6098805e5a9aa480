"""Copies one raw store into another, beside whoever writes to it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from itertools import filterfalse

from include.storage.raw import is_body
from include.storage.store import Store

MAX_COPIES = 8
"""Objects on their way at a time: each waits a tenth of a second for the cloud, not for us."""


class Fate(StrEnum):
    """What became of an object."""

    COPIED = "copied"
    THERE = "there"
    REPLACED = "replaced"  # the target had other bytes by that name
    DIFFERS = "differs"  # the target has other bytes by that name, and keeps them
    GONE = "gone"  # from the source, since it was listed


@dataclass(frozen=True, kw_only=True)
class Copied:
    """One object, and the bytes that were written of it; of a manifest with those of the bodies
    that it names and that have come since the listing."""

    path: str
    fate: Fate
    bytes: int = 0


def copy(
    source: Store, target: Store, paths: Sequence[str], *, update: bool = False
) -> Iterator[Copied]:
    """Copies these objects of the source, and says of each what became of it.

    The source may be written to meanwhile, and it may be stopped and begun again: a manifest that
    is there never names a body that is not. Bodies that are there are told by their names, all else
    by its bytes; with ``update`` what has changed since it was copied is replaced. Raises
    Problem(STORAGE) where a store fails.
    """
    target.check_writable()
    there = set(target.walk(""))
    known = there | set(filter(is_body, paths))

    def copy_body(path: str) -> Copied:
        if path in there:
            return Copied(path=path, fate=Fate.THERE)
        if (data := source.read(path)) is None:
            return Copied(path=path, fate=Fate.GONE)
        written = target.create(path, data)
        fate = Fate.COPIED if written else Fate.THERE
        return Copied(path=path, fate=fate, bytes=len(data) * written)

    def copy_other(path: str) -> Copied:
        if (data := source.read(path)) is None:
            return Copied(path=path, fate=Fate.GONE)
        # A writer stores a body before the manifest that names it.
        later = sum(copy_body(body).bytes for body in _bodies_of(data) if body not in known)
        fate = _write(target, path, data, update=update)
        written = fate in (Fate.COPIED, Fate.REPLACED)
        return Copied(path=path, fate=fate, bytes=later + len(data) * written)

    with ThreadPoolExecutor(MAX_COPIES) as pool:
        try:
            yield from pool.map(copy_body, filter(is_body, paths))
            yield from pool.map(copy_other, filterfalse(is_body, paths))
        finally:
            pool.shutdown(cancel_futures=True)


def _write(target: Store, path: str, data: bytes, *, update: bool) -> Fate:
    if target.create(path, data):
        return Fate.COPIED
    seen = target.read(path)
    if seen == data:
        return Fate.THERE
    # Not over what somebody has written there since.
    return Fate.REPLACED if update and target.swap(path, data, seen=seen) else Fate.DIFFERS


def _bodies_of(data: bytes) -> list[str]:
    """The bodies that a manifest, or a pointer to a season's, names; none of what is neither."""
    with suppress(ValueError, KeyError, TypeError):
        told = json.loads(data)
        return [each["path"] for each in (told["objects"] if isinstance(told, dict) else told)]
    return []
