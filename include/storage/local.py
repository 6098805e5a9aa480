"""The object store that is a folder (``file://dir``): write-once objects, swapped manifests."""

from __future__ import annotations

from pathlib import Path

from include.files import storage_errors, write_atomically


class LocalStore:
    """Objects below one folder, named by slash-separated paths relative to it."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @property
    def url(self) -> str:
        """Where it is, as the connection ``raw_store`` names it."""
        return f"file://{self.root}"

    def create(self, path: str, data: bytes) -> bool:
        """Writes an object that must not exist yet; False when it did (its bytes are then the same
        by name)."""
        return write_atomically(self.root / path, data, replace=False)

    def replace(self, path: str, data: bytes) -> None:
        """Writes or swaps an object (manifests, and raw objects that are damaged)."""
        write_atomically(self.root / path, data, replace=True)

    def read(self, path: str) -> bytes | None:
        """The object's bytes, or None where there is none. Raises Problem(STORAGE)."""
        with storage_errors(f"read {self.root / path}"):
            try:
                return (self.root / path).read_bytes()
            except FileNotFoundError:
                return None

    def names(self, prefix: str) -> list[str]:
        """Sorted paths of the objects in the folder ``prefix`` (not below it), temporary files left
        out. Raises Problem(STORAGE)."""
        with storage_errors(f"list {self.root / prefix}"):
            files = (self.root / prefix).glob("[!.]*")
            return sorted(f"{prefix}/{file.name}" for file in files if file.is_file())

    def folders(self, prefix: str) -> list[str]:
        """Sorted paths of the folders in the folder ``prefix`` (not below them). Raises
        Problem(STORAGE)."""
        with storage_errors(f"list {self.root / prefix}"):
            folders = (self.root / prefix).glob("*/")
            return sorted(f"{prefix}/{folder.name}" for folder in folders)
