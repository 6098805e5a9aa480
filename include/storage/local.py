"""The object store that is a folder (``file://dir``): write-once objects, swapped manifests."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from include.files import storage_errors, write_atomically
from include.used import Used

LOCK = ".lock"
"""The file at the top of the store that one swap at a time holds, on whichever host."""


class LocalStore:
    """A Store of files below one folder; names that begin with a dot are its own."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @property
    def url(self) -> str:
        return f"file://{self.root}"

    @property
    def used(self) -> Used:
        return Used()

    def check_writable(self) -> None:
        with storage_errors(f"write below {self.root}"):
            self.root.mkdir(parents=True, exist_ok=True)
            if not os.access(self.root, os.R_OK | os.W_OK | os.X_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    def create(self, path: str, data: bytes) -> bool:
        return write_atomically(self.root / path, data, replace=False)

    def replace(self, path: str, data: bytes) -> None:
        write_atomically(self.root / path, data, replace=True)

    def swap(self, path: str, data: bytes, *, seen: bytes | None) -> bool:
        with self._locked():
            if self.read(path) != seen:
                return False
            return write_atomically(self.root / path, data, replace=True)

    def read(self, path: str) -> bytes | None:
        with storage_errors(f"read {self.root / path}"):
            try:
                return (self.root / path).read_bytes()
            except FileNotFoundError:
                return None

    def names(self, prefix: str) -> list[str]:
        with storage_errors(f"list {self.root / prefix}"):
            files = (self.root / prefix).glob("[!.]*")
            return sorted(f"{prefix}/{file.name}" for file in files if file.is_file())

    def walk(self, prefix: str) -> Iterator[str]:
        with storage_errors(f"list {self.root / prefix}"):
            files = (self.root / prefix).rglob("[!.]*")
            found = sorted(
                file.relative_to(self.root).as_posix() for file in files if file.is_file()
            )
        yield from found

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """One at a time; a process that is killed gives it back."""
        with storage_errors(f"lock {self.root / LOCK}"):
            self.root.mkdir(parents=True, exist_ok=True)
            handle = os.open(self.root / LOCK, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            with storage_errors(f"lock {self.root / LOCK}"):
                fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)
