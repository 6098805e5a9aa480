"""Copies one raw store into another; what is there already is left as it is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
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
    DIFFERS = "differs"  # the target has other bytes by that name, and keeps them
    GONE = "gone"  # from the source, since it was listed


@dataclass(frozen=True, kw_only=True)
class Copied:
    """One object, and the bytes that were written of it."""

    path: str
    fate: Fate
    bytes: int = 0


def copy(source: Store, target: Store, paths: Sequence[str]) -> Iterator[Copied]:
    """Copies these objects of the source, and says of each what became of it.

    All bodies come first: a manifest that is there never names one that is not. It may be stopped
    and begun again: bodies that are there are told by their names, all else by its bytes. Raises
    Problem(STORAGE) where a store fails.
    """
    target.check_writable()
    there = set(target.walk(""))

    def copy_one(path: str) -> Copied:
        if path in there and is_body(path):
            return Copied(path=path, fate=Fate.THERE)
        if (data := source.read(path)) is None:
            return Copied(path=path, fate=Fate.GONE)
        if target.create(path, data):
            return Copied(path=path, fate=Fate.COPIED, bytes=len(data))
        fates = {True: Fate.THERE, False: Fate.DIFFERS}
        return Copied(path=path, fate=fates[target.read(path) == data])

    with ThreadPoolExecutor(MAX_COPIES) as pool:
        try:
            yield from pool.map(copy_one, filter(is_body, paths))
            yield from pool.map(copy_one, filterfalse(is_body, paths))
        finally:
            pool.shutdown(cancel_futures=True)
