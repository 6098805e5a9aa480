"""Which raw store a connection URL means."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlparse

from include.errors import ErrorClass, Problem
from include.storage.local import LocalStore
from include.storage.store import Store


def open_store(url: str) -> Store:
    """The store of a connection URL: ``file:///folder``. Raises Problem(STORAGE) naming the
    connection."""
    parsed = urlparse(url)
    if parsed.scheme == "file" and parsed.path:
        return LocalStore(Path(unquote(parsed.netloc + parsed.path)))
    raise Problem(
        error_class=ErrorClass.STORAGE,
        message=(
            "connection raw_store names no store that this version knows"
            f" ({parsed.scheme or 'no scheme'}): set it to file:///absolute/folder"
        ),
    )
