"""What the parsers' tests share: bodies from files and from values, and what comes out."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from include.errors import ErrorClass, Problem
from include.sources.spec import Table


def read(folder: Path, name: str) -> bytes:
    raw = (folder / name).read_bytes()
    return gzip.decompress(raw) if name.endswith(".gz") else raw


def encoded(body: Any) -> bytes:
    return json.dumps(body).encode()


def shape(table: Table, rows: Iterable[Any]) -> list[Any]:
    """The rows, after a look at their columns and at the key."""
    got = list(rows)
    assert {frozenset(row) for row in got} == {frozenset(column.name for column in table.columns)}
    assert len({tuple(row[name] for name in table.key) for row in got}) == len(got)
    return got


def drift(call: Iterable[Any]) -> str:
    """What the drift that reading raises says, without its repair."""
    with pytest.raises(Problem) as caught:
        list(call)
    assert caught.value.error_class is ErrorClass.SCHEMA_DRIFT
    return caught.value.message.partition(";")[0]
