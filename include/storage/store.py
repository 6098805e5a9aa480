"""What the raw layer needs of an object store, whichever it is; the conformance tests hold each to
it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

from include.errors import ErrorClass, Problem
from include.used import Used

MAX_SWAPS = 10
"""How often a change is made again because another writer's came first: many more than can meet."""


class Store(Protocol):
    """Objects named by slash-separated paths, each there whole or not at all, also across kill -9.

    Every method raises Problem(STORAGE), in one line that names the repair, where the store cannot
    do it.
    """

    @property
    def url(self) -> str:
        """Where it is, as the connection ``raw_store`` names it; without a trailing slash."""
        ...

    @property
    def used(self) -> Used:
        """What it has been asked for so far."""
        ...

    def check_writable(self) -> None:
        """Raises Problem(STORAGE) where objects cannot be written and read: asked before an
        upstream is, so that nothing is paid for that cannot be kept. Writes nothing."""
        ...

    def create(self, path: str, data: bytes) -> bool:
        """Writes an object that must not exist yet; False when it does, and is left as it is.

        Of many writers one has True, unless its answer was lost: then nobody has, and the object is
        there all the same.
        """
        ...

    def replace(self, path: str, data: bytes) -> None:
        """Writes an object whatever was there (pointers with one writer, and raw objects that are
        damaged)."""
        ...

    def swap(self, path: str, data: bytes, *, seen: bytes | None) -> bool:
        """Writes an object if it still has the bytes that were ``seen`` (None: if it still is not
        there); False when another writer came first."""
        ...

    def read(self, path: str) -> bytes | None:
        """The object's bytes, or None where there is none."""
        ...

    def names(self, prefix: str) -> list[str]:
        """Sorted paths of the objects in the folder ``prefix``, not below it."""
        ...

    def walk(self, prefix: str) -> Iterator[str]:
        """Sorted paths of all objects below the folder ``prefix`` (empty: of the store)."""
        ...


def change(store: Store, path: str, of: Callable[[bytes | None], bytes]) -> None:
    """Writes what ``of`` makes of the object's bytes, again where another writer came first, so
    that no writer's change is lost. Raises Problem(STORAGE)."""
    for _ in range(MAX_SWAPS):
        seen = store.read(path)
        if store.swap(path, of(seen), seen=seen):
            return
    raise Problem(
        error_class=ErrorClass.STORAGE,
        message=(
            f"raw store {store.url}: {path} was changed by others {MAX_SWAPS} times meanwhile: try"
            " again"
        ),
    )
