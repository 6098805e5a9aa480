"""The local warehouse (``duckdb://dir``): Parquet partitions that are swapped atomically, read
through DuckDB views."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from include.errors import ErrorClass, Problem, Refused
from include.files import write_atomically
from include.sources.spec import Column, Row, Table
from include.warehouse.status import DATE_STATUS, DateStatus

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

SOURCE_FILE = Column(
    "source_file", "STRING", "Raw object, relative to the raw store, that the row was read from"
)
_DAY_FOLDER = re.compile(r"game_date=(\d{4}-\d{2}-\d{2})")


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """What a load did: rows now in the partition, its file's size, and whether its bytes
    changed."""

    rows: int
    bytes: int
    changed: bool


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
    ordered = sorted(rows, key=lambda row: tuple((row[k] is not None, row[k]) for k in table.key))
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


class LocalWarehouse:
    """Tables below one folder: ``<root>/<dataset>/<table>/game_date=YYYY-MM-DD/part.parquet``."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @property
    def url(self) -> str:
        """Where it is, as the connection ``warehouse`` names it."""
        return f"duckdb://{self.root}"

    def part(self, table: Table, day: date) -> Path:
        """The partition's one file."""
        return self.root / table.dataset / table.name / f"game_date={day}" / "part.parquet"

    def replace(self, table: Table, day: date, rows: Iterable[Row]) -> Loaded:
        """Replaces the partition by ``rows``, whole or not at all; a day without games gets a file
        without rows.

        A file that already has these bytes is left alone. Raises Problem(SCHEMA_DRIFT, STORAGE).
        """
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
        ordered = sorted_rows(table, given)
        data = to_parquet(table, ordered)
        changed = _swap(self.part(table, day), data)
        return Loaded(rows=len(ordered), bytes=len(data), changed=changed)

    def replace_status(self, status: DateStatus) -> bool:
        """Writes the one row that says how a table's date stands; whether its bytes changed.

        It has a file of its own, beside the tables: who reads a table's folder meets its rows only.
        """
        path = self._status_part(status.table, status.day)
        return _swap(path, to_parquet(DATE_STATUS, [status.row()]))

    def status(self, table: Table, day: date) -> list[Mapping[str, Any]] | None:
        """The row of ``raw.date_status`` on the table's date; None where nothing has been said."""
        return _read_part(self._status_part(str(table), day))

    def _status_part(self, table: str, day: date) -> Path:
        folder = self.root / DATE_STATUS.dataset / DATE_STATUS.name
        return folder / f"game_date={day}" / f"{table}.parquet"

    def days(self, table: Table) -> list[date]:
        """The dates that have a partition, sorted."""
        folder = self.root / table.dataset / table.name
        if not folder.is_dir():
            return []
        found = (
            _DAY_FOLDER.fullmatch(p.name)
            for p in folder.iterdir()
            if (p / "part.parquet").is_file()
        )
        return sorted(date.fromisoformat(m[1]) for m in found if m)

    def rows(
        self, table: Table, day: date, columns: Sequence[str] | None = None
    ) -> list[Mapping[str, Any]] | None:
        """The partition's rows, or None where it was never loaded. Raises Problem(STORAGE) for a
        damaged file."""
        return _read_part(self.part(table, day), columns)

    def ask(self, sql: str) -> pa.Table:
        """The rows of one query, which changes nothing. Raises Refused, with DuckDB's first line,
        for what is not a query, or more than one, and where DuckDB cannot answer it."""
        import duckdb

        with self.connect() as connection:
            try:
                self._confine(connection)
                kinds = [each.type for each in connection.extract_statements(sql)]
                if kinds != [duckdb.StatementType.SELECT]:
                    raise Refused("that is not one query: write one SELECT")
                return connection.execute(sql).to_arrow_table()
            except duckdb.Error as error:
                raise Refused(str(error).strip().split("\n", 1)[0]) from None

    def _confine(self, connection: duckdb.DuckDBPyConnection) -> None:
        """A query reads the warehouse, and no other file or variable: a person may have been given
        the one and not the other."""
        folders = sorted({str(self.root), str(self.root.resolve())})
        listed = ", ".join("'" + folder.replace("'", "''") + "'" for folder in folders)
        for setting in (
            f"allowed_directories=[{listed}]",
            "enable_external_access=false",
            "python_enable_replacements=false",
            "lock_configuration=true",
        ):
            connection.execute(f"SET {setting}")

    def connect(self) -> duckdb.DuckDBPyConnection:
        """An in-memory DuckDB with one schema per dataset and one view per table that has
        partitions; times are shown in UTC.

        A query that a replace crosses fails with duckdb.Error; run it again. DuckDB opens every
        file twice, to plan and to read (checked on 1.5), so no swap of a file is atomic to it;
        ``rows`` opens once and never fails so.
        """
        import duckdb

        connection = duckdb.connect()
        connection.execute("SET TimeZone = 'UTC'")
        for folder in sorted(self.root.glob("*/*")):
            if any(folder.glob("game_date=*/*.parquet")):
                dataset, table = (
                    re.sub(r"\W", "_", name) for name in (folder.parent.name, folder.name)
                )
                files = f"{folder}/game_date=*/*.parquet".replace("'", "''")
                connection.execute(f"CREATE SCHEMA IF NOT EXISTS {dataset}")
                connection.execute(
                    f"CREATE VIEW {dataset}.{table} AS SELECT * FROM"
                    f" read_parquet('{files}', union_by_name=true, hive_partitioning=false)"
                )
        return connection


def _swap(path: Path, data: bytes) -> bool:
    """Makes the file these bytes, and leaves it alone where it has them."""
    changed = not (path.is_file() and path.read_bytes() == data)
    if changed:
        write_atomically(path, data, replace=True)
    return changed


def _read_part(path: Path, columns: Sequence[str] | None = None) -> list[Mapping[str, Any]] | None:
    """The file's rows, None where it is not there."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not path.is_file():
        return None
    try:
        chosen = list(columns) if columns else None
        return list(pq.ParquetFile(path).read(columns=chosen).to_pylist())
    except (OSError, pa.ArrowInvalid) as error:
        raise Problem(
            error_class=ErrorClass.STORAGE,
            message=(
                f"{path} is not readable Parquet ({error}): clear the date's task to write it again"
            ),
        ) from error
