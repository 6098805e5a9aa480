"""A raw store in a folder (``file://``): objects are written once, whole or not at all, by link and
rename."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from include.errors import ErrorClass, Problem
from include.failpoints import reach


@contextmanager
def storage_errors(doing: str) -> Iterator[None]:
    """Turns an OSError into a Problem(STORAGE) that says what failed (``write /folder/file``) and
    the repair."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            repair = (
                "the disk is full: free some space, then rerun the date; nothing was half-written"
            )
        elif error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            repair = "no permission: give Airflow's user read and write access to the folder"
        else:
            repair = os.strerror(error.errno) if error.errno else str(error)
        raise Problem(
            error_class=ErrorClass.STORAGE, message=f"cannot {doing}: {repair}"
        ) from error


def write_atomically(path: Path, data: bytes, *, replace: bool) -> bool:
    """Writes ``data`` so that ``path`` has all of it or is untouched, also across kill -9 and power
    loss.

    With ``replace`` the file is swapped in; without, it is created and an existing one is left as
    it is. Returns whether ``path`` was written. Raises Problem(STORAGE).
    """
    with storage_errors(f"write {path}"):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".tmp-")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.chmod(name, 0o644)
            reach("before swap")
            if replace:
                os.replace(name, path)
            else:
                try:
                    os.link(name, path)
                except FileExistsError:
                    return False
            folder = os.open(path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
            return True
        finally:
            Path(name).unlink(missing_ok=True)


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
        """Writes or swaps an object (manifests only; raw objects are never replaced)."""
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
        out."""
        folder = self.root / prefix
        if not folder.is_dir():
            return []
        return sorted(
            f"{prefix}/{p.name}"
            for p in folder.iterdir()
            if p.is_file() and not p.name.startswith(".")
        )

    def folders(self, prefix: str) -> list[str]:
        """Sorted paths of the folders in the folder ``prefix`` (not below them)."""
        folder = self.root / prefix
        if not folder.is_dir():
            return []
        return sorted(f"{prefix}/{p.name}" for p in folder.iterdir() if p.is_dir())
