"""The request log: one JSON object a line, flushed as it is written; it judges the client."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TextIO
from urllib.parse import urlencode

SECRET_PARAMS = frozenset({"apikey"})


def redacted(query: Sequence[tuple[str, str]]) -> str:
    """The query string with the values of key parameters replaced by ``***``."""
    pairs = [(name, "***" if name.lower() in SECRET_PARAMS else value) for name, value in query]
    return urlencode(pairs, safe="*:,[]'")


class RequestLog:
    """Keeps every entry in memory for the control API and appends it to the file, if there is
    one."""

    def __init__(self, path: Path | None) -> None:
        self.entries: list[dict[str, Any]] = []
        self._file: TextIO | None = None
        if path:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("a", encoding="utf-8", buffering=1)

    def write(self, entry: dict[str, Any]) -> None:
        """One request. An entry is written once its answer is known and before its first byte is
        sent."""
        self.entries.append(entry)
        if self._file:
            self._file.write(json.dumps(entry, separators=(",", ":")) + "\n")
            self._file.flush()
