"""Writes a file whole or not at all; names the repair when the disk is full or closed."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from include.errors import ErrorClass, Problem
from include.failpoints import reach_failpoint

_FULL = (errno.ENOSPC, errno.EDQUOT)
_CLOSED = (errno.EACCES, errno.EPERM, errno.EROFS)


@contextmanager
def storage_errors(doing: str) -> Iterator[None]:
    """Turns an OSError into a Problem(STORAGE) that says what failed (``write /folder/file``) and
    the repair."""
    try:
        yield
    except OSError as error:
        message = f"cannot {doing}: {_repair(error)}"
        raise Problem(error_class=ErrorClass.STORAGE, message=message) from error


def _repair(error: OSError) -> str:
    if error.errno in _FULL:
        return "the disk is full: free some space, then rerun the date; nothing was half-written"
    if error.errno in _CLOSED:
        return "no permission: give Airflow's user read and write access to the folder"
    return os.strerror(error.errno) if error.errno else str(error)


def write_atomically(path: Path, data: bytes, *, replace: bool, private: bool = False) -> bool:
    """Writes ``data`` so that ``path`` has all of it or is untouched, also across kill -9 and power
    loss.

    With ``replace`` the file is swapped in; without, it is created and an existing one is left as
    it is. Only its owner reads a ``private`` file, from its first byte on. Returns whether ``path``
    was written. Raises Problem(STORAGE).
    """
    with storage_errors(f"write {path}"):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".tmp-")
        try:
            _fill(handle, data)  # mkstemp's files are 0600
            if not private:
                os.chmod(name, 0o644)
            reach_failpoint("before swap")
            written = _put(name, path, replace=replace)
            _sync_folder(path.parent)
            return written
        finally:
            Path(name).unlink(missing_ok=True)


def _fill(handle: int, data: bytes) -> None:
    with os.fdopen(handle, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _put(temporary: str, path: Path, *, replace: bool) -> bool:
    if replace:
        os.replace(temporary, path)
        return True
    try:
        os.link(temporary, path)
    except FileExistsError:
        return False
    return True


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
