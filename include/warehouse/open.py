"""Which warehouse a connection URL means."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlparse

from include.errors import ErrorClass, Problem
from include.warehouse.local import LocalWarehouse

Warehouse = LocalWarehouse


def open_warehouse(url: str) -> Warehouse:
    """``duckdb:///folder`` -> the local warehouse. Raises Problem(STORAGE) naming the
    connection."""
    parsed = urlparse(url)
    if parsed.scheme == "duckdb" and parsed.path:
        return LocalWarehouse(Path(unquote(parsed.netloc + parsed.path)))
    raise Problem(
        error_class=ErrorClass.STORAGE,
        message=(
            "connection warehouse names no warehouse that this version knows"
            f" ({parsed.scheme or 'no scheme'}): set it to duckdb:///absolute/folder"
        ),
    )
