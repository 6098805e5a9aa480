"""The fingerprint of code and configuration: what a date's requests and rows depend on. It changes
when a source's spec, a parser, a step or a chosen option does; no secret goes into it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from hashlib import sha256
from pathlib import Path

INCLUDE = Path(__file__).resolve().parents[1]
PACKAGES = ("checks", "http", "limits", "parsing", "sources", "steps", "storage", "warehouse")
"""Of ``include``; the others say how a date ended, and to whom."""


def list_code(spec: Path) -> list[Path]:
    """The files that make a date of the source whose spec this is."""
    packages = (path for name in PACKAGES for path in (INCLUDE / name).rglob("*.py"))
    return [spec, *sorted([*INCLUDE.glob("*.py"), *packages])]


def fingerprint(files: Iterable[Path], options: Mapping[str, object]) -> str:
    """16 hex digits of the files' names and bytes, whatever folder they lie in, and the options,
    which JSON knows."""
    digest = sha256(json.dumps(options, sort_keys=True).encode())
    for path in files:
        digest.update(f"\0{path.name}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]
