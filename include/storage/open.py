"""Which raw store a connection URL means."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlparse

from include.errors import ErrorClass, Problem
from include.storage.local import LocalStore
from include.storage.store import Store

if TYPE_CHECKING:
    from google.cloud.storage import Client


def open_store(url: str, gcs_client: Callable[[], Client]) -> Store:
    """The store of a connection URL: ``file:///folder``, or ``gs://bucket/prefix``, for which the
    client is made; nothing is connected. Raises Problem(STORAGE) naming the connection."""
    bucket, _, prefix = url.removeprefix("gs://").partition("/")
    if url.startswith("gs://") and bucket:
        from include.storage.gcs import GcsStore

        return GcsStore(gcs_client(), bucket, prefix)
    parsed = urlparse(url)
    if parsed.scheme == "file" and parsed.path:
        return LocalStore(Path(unquote(parsed.netloc + parsed.path)))
    raise Problem(
        error_class=ErrorClass.STORAGE,
        message=(
            "connection raw_store names no store that this version knows"
            f" ({parsed.scheme or 'no scheme'}): set it to file:///absolute/folder or"
            " gs://bucket/prefix"
        ),
    )
