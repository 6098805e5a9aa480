"""The rows of a table's date as every warehouse keeps them: typed, in key order, no key twice."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from hashlib import sha256
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from include.errors import ErrorClass, Problem
from include.sources.spec import Column, Row, Table

if TYPE_CHECKING:
    import pyarrow as pa

SOURCE_FILE = Column(
    "source_file", "STRING", "Raw object, relative to the raw store, that the row was read from"
)


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """What a load did: rows now in the partition, their bytes as Parquet, and whether they changed;
    ``content`` is the same for the same rows."""

    rows: int
    bytes: int
    changed: bool
    content: str = ""


def loaded(rows: Sequence[Row], parquet: bytes, *, changed: bool) -> Loaded:
    """What a load of these rows did, which are written as ``parquet``."""
    content = sha256(parquet).hexdigest()[:16]
    return Loaded(rows=len(rows), bytes=len(parquet), changed=changed, content=content)


def _schema(table: Table) -> pa.Schema:
    import pyarrow as pa

    types = {
        "DATE": pa.date32(),
        "STRING": pa.string(),
        "INTEGER": pa.int64(),
        "DOUBLE": pa.float64(),
        "BOOLEAN": pa.bool_(),
        "TIMESTAMP": pa.timestamp("us", tz="UTC"),
    }
    return pa.schema([pa.field(c.name, types[c.type]) for c in (*table.columns, SOURCE_FILE)])


_PYTHON: Mapping[str, tuple[type, ...]] = {
    "DATE": (date,),
    "STRING": (str,),
    "INTEGER": (int,),
    "DOUBLE": (float, int),
    "BOOLEAN": (bool,),
}


def check_types(table: Table, rows: Sequence[Row]) -> None:
    """Raises Problem(SCHEMA_DRIFT) naming the first column with a value of another type than its
    own, and the value.

    PyArrow would cast instead (checked on 26.0): 1.5 becomes the INTEGER 1, and 1 the DATE
    1970-01-02.
    """
    for column in (*table.columns, SOURCE_FILE):
        for row in rows:
            value = row.get(column.name)
            if value is not None and not _fits(column, value):
                raise Problem(
                    error_class=ErrorClass.SCHEMA_DRIFT,
                    message=(
                        f"{table}.{column.name} should be {column.type}, but one is {value!r:.100};"
                        " nothing was loaded"
                    ),
                )


def _fits(column: Column, value: Any) -> bool:
    if column.type == "TIMESTAMP":
        return type(value) is datetime and value.utcoffset() is not None
    return type(value) in _PYTHON[column.type]


def sorted_rows(table: Table, rows: Iterable[Row]) -> list[Row]:
    """The rows in key order. Raises Problem(SCHEMA_DRIFT) when two rows share a key: nothing may be
    counted twice."""
    ordered = in_key_order(table, rows)
    for before, after in pairwise(ordered):
        if all(before[k] == after[k] for k in table.key):
            key = ", ".join(f"{k}={after[k]}" for k in table.key)
            raise Problem(
                error_class=ErrorClass.SCHEMA_DRIFT,
                message=(
                    f"{table}: two rows with the key {key}, from {before['source_file']} and"
                    f" {after['source_file']}; nothing was loaded"
                ),
            )
    return ordered


def in_key_order(table: Table, rows: Iterable[Row]) -> list[Row]:
    """The rows sorted by key, one that is not there first."""
    return sorted(rows, key=lambda row: tuple((row[k] is not None, row[k]) for k in table.key))


def arrange(table: Table, day: date, rows: Iterable[Row]) -> list[Row]:
    """The rows as the date's partition has them. Raises Problem(SCHEMA_DRIFT) for what no partition
    holds: a value of another type, another date's row, a key twice."""
    given = list(rows)
    check_types(table, given)
    strays = {row["game_date"] for row in given} - {day}
    if strays:
        raise Problem(
            error_class=ErrorClass.SCHEMA_DRIFT,
            message=(
                f"{table}: rows of {', '.join(sorted(map(str, strays)))} among those of {day};"
                " nothing loaded"
            ),
        )
    return sorted_rows(table, given)


def check_rows(table: Table, rows: Sequence[Row]) -> None:
    """Raises Problem(SCHEMA_DRIFT) for rows that no partition could hold: a value that its column
    cannot, a key twice."""
    check_types(table, rows)
    _columns(table, rows)
    seen: set[tuple[Any, ...]] = set()
    for row in rows:
        key = tuple(row[name] for name in table.key)
        if key in seen:
            named = ", ".join(f"{k}={row[k]}" for k in table.key)
            raise Problem(
                error_class=ErrorClass.SCHEMA_DRIFT,
                message=f"two rows with the key {named}; nothing was loaded",
            )
        seen.add(key)


def to_parquet(table: Table, rows: Sequence[Row]) -> bytes:
    """Typed columns in the table's order; equal rows give equal bytes (one writer version, no time
    in the file).

    Raises Problem(SCHEMA_DRIFT) naming column and value where a value does not fit its column.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    sink = pa.BufferOutputStream()
    arrow = pa.Table.from_arrays(_columns(table, rows), schema=_schema(table))
    pq.write_table(arrow, sink, compression="zstd")
    return sink.getvalue().to_pybytes()


def _columns(table: Table, rows: Sequence[Row]) -> list[pa.Array[Any]]:
    """The rows by column. Raises Problem(SCHEMA_DRIFT)."""
    import pyarrow as pa

    columns = []
    for field in _schema(table):
        try:
            columns.append(pa.array([row.get(field.name) for row in rows], type=field.type))
        except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError, UnicodeEncodeError) as error:
            raise Problem(
                error_class=ErrorClass.SCHEMA_DRIFT,
                message=f"{table}.{field.name} should be {field.type}: {error}; nothing was loaded",
            ) from error
    return columns
