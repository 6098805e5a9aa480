"""The local warehouse (``duckdb://dir``): Parquet partitions that are swapped atomically, read
through DuckDB views."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from include.errors import ErrorClass, Problem, Refused
from include.files import write_atomically
from include.partition import days_between
from include.sources.spec import Row, Table
from include.used import Used
from include.warehouse.rows import Loaded, arrange, loaded, to_parquet
from include.warehouse.status import DATE_STATUS, DateStatus
from include.warehouse.views import DATASET, find_views

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

log = logging.getLogger(__name__)

_DAY_FOLDER = re.compile(r"game_date=(\d{4}-\d{2}-\d{2})")
KNOWN = "`airflow nba sql` lists the tables and their columns"
TABLES = (
    "SELECT table_schema || '.' || table_name AS \"table\","
    " string_agg(column_name, ', ' ORDER BY ordinal_position) AS columns"
    " FROM information_schema.columns GROUP BY ALL ORDER BY 1"
)


class LocalWarehouse:
    """Tables below one folder: ``<root>/<dataset>/<table>/game_date=YYYY-MM-DD/part.parquet``."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @property
    def url(self) -> str:
        """Where it is, as the connection ``warehouse`` names it."""
        return f"duckdb://{self.root}"

    @property
    def used(self) -> Used:
        """Nothing that anybody counts."""
        return Used()

    def create(self, tables: Sequence[Table]) -> None:
        """Folders are made with the first partition."""

    def prepare(self, table: Table) -> None:
        """As ``create``."""

    def part(self, table: Table, day: date) -> Path:
        """The partition's one file."""
        return self.root / table.dataset / table.name / f"game_date={day}" / "part.parquet"

    def replace(self, table: Table, day: date, rows: Iterable[Row]) -> Loaded:
        """Replaces the partition by ``rows``, whole or not at all; a day without games gets a file
        without rows.

        A file that already has these bytes is left alone. Raises Problem(SCHEMA_DRIFT, STORAGE).
        """
        ordered = arrange(table, day, rows)
        data = to_parquet(table, ordered)
        changed = _swap(self.part(table, day), data)
        return loaded(ordered, data, changed=changed)

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

    def rows_between(
        self, table: Table, first: date, last: date
    ) -> dict[date, list[Mapping[str, Any]]]:
        """The rows of each date of the window that was loaded."""
        found = ((day, self.rows(table, day)) for day in days_between(first, last))
        return {day: rows for day, rows in found if rows is not None}

    def ask(self, sql: str) -> pa.Table:
        """The rows of one query, which changes nothing. Raises Refused, with DuckDB's first line,
        for what is not a query, or more than one, and where DuckDB cannot answer it."""
        import duckdb

        connection, broken = self._open()
        with connection:
            try:
                self._confine(connection)
                kinds = [each.type for each in connection.extract_statements(sql)]
                if kinds != [duckdb.StatementType.SELECT]:
                    raise Refused("that is not one query: write one SELECT")
                return connection.execute(sql).to_arrow_table()
            except duckdb.CatalogException as error:
                raise Refused(f"{_first_line(error)} {'; '.join(broken) or KNOWN}") from None
            except duckdb.BinderException as error:
                raise Refused(f"{_first_line(error)} {KNOWN}") from None
            except duckdb.Error as error:
                raise Refused(_first_line(error)) from None

    def tables(self) -> pa.Table:
        """The tables that have partitions, each with its columns: ``table``, ``columns``."""
        return self.ask(TABLES)

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
        partitions, and with those of ``include/analytics/views`` that these allow; times are
        shown in UTC. A table with a torn file has no view, which is logged.

        A query that a replace crosses fails with duckdb.Error; run it again. DuckDB opens every
        file twice, to plan and to read (checked on 1.5), so no swap of a file is atomic to it;
        ``rows`` opens once and never fails so.
        """
        connection, broken = self._open()
        for fault in broken:
            log.warning("%s", fault)
        return connection

    def _open(self) -> tuple[duckdb.DuckDBPyConnection, list[str]]:
        """As ``connect``, and what is wrong with the tables that cannot be read."""
        import duckdb

        connection = duckdb.connect()
        broken: list[str] = []
        connection.execute("SET TimeZone = 'UTC'")
        tables = set()
        for folder in sorted(self.root.glob("*/*")):
            if any(folder.glob("game_date=*/*.parquet")):
                dataset, table = (
                    re.sub(r"\W", "_", name) for name in (folder.parent.name, folder.name)
                )
                files = f"{folder}/game_date=*/*.parquet".replace("'", "''")
                connection.execute(f"CREATE SCHEMA IF NOT EXISTS {dataset}")
                try:
                    connection.execute(
                        f"CREATE VIEW {dataset}.{table} AS SELECT * FROM"
                        f" read_parquet('{files}', union_by_name=true, hive_partitioning=false)"
                    )
                except duckdb.Error as error:
                    broken.append(_word_broken(f"{dataset}.{table}", error))
                    continue
                tables.add(f"{dataset}.{table}")
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS {DATASET}")
        for view in find_views(tables):
            query = view.query(lambda name: name)
            connection.execute(f"CREATE VIEW {DATASET}.{view.name} AS {query}")
        return connection, broken


def _word_broken(table: str, error: Exception) -> str:
    """DuckDB names the file, whose folder is its date."""
    return (
        f"{table} cannot be read ({_first_line(error)}): clear the task of that file's date to"
        " write it again"
    )


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n", 1)[0]


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
