"""Partitions of BigQuery's tables: each loaded into a table of its own, then swapped in by one
statement."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from hashlib import sha256
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from google.api_core.exceptions import BadRequest, Forbidden, NotFound
from google.cloud import bigquery

from include.errors import ErrorClass, Problem, Refused
from include.sources.spec import Row, Table
from include.used import Used
from include.warehouse.bigquery.errors import explained, first_line, reason
from include.warehouse.bigquery.jobs import CALL_SECONDS, Jobs, Value
from include.warehouse.bigquery.tables import (
    EMPTY_DATES,
    HISTORY,
    STAGING,
    Tables,
    schema,
    sql_type,
)
from include.warehouse.rows import Loaded, arrange, in_key_order, loaded, to_parquet
from include.warehouse.status import DATE_STATUS, DateStatus

if TYPE_CHECKING:
    import pyarrow as pa

log = logging.getLogger(__name__)

MAX_GIB = 10
"""Bytes that one query may be billed for, where the connection does not say: 6 cents."""
MAX_ATTEMPTS = 100
"""Of loading the same rows of one date: each rerun that meets other rows there is one."""


class BigQueryWarehouse:
    """The warehouse of one project and location. ``prefix`` begins its datasets' names
    (``dev_raw``); it is given a client that has not connected yet."""

    def __init__(
        self, client: bigquery.Client, *, prefix: str = "", max_gib: int = MAX_GIB
    ) -> None:
        self.client, self.prefix = client, prefix
        self.jobs = Jobs(client, max_bytes=max_gib * 2**30)
        self._tables = Tables(self.jobs, prefix)
        self._day: date | None = None
        self._seen: dict[str, list[Mapping[str, Any]] | None] = {}

    @property
    def url(self) -> str:
        """Where it is, as the connection ``warehouse`` names it."""
        place = {"location": self.jobs.place.location, "prefix": self.prefix}
        known = urlencode({name: value for name, value in place.items() if value})
        return f"bigquery://{self.jobs.place.project}?{known}"

    @property
    def used(self) -> Used:
        """Jobs so far, and the bytes that they are billed."""
        return self.jobs.used

    def create(self, tables: Sequence[Table]) -> None:
        """Makes datasets, tables and the view that are not there, and adds columns."""
        self._tables.create(tables)

    def prepare(self, table: Table) -> None:
        """Makes the table, or adds its new columns. Its dataset is made by ``create``."""
        self._tables.ensure(table)

    def replace(self, table: Table, day: date, rows: Iterable[Row]) -> Loaded:
        """Replaces the partition by ``rows``, whole or not at all.

        The rows that lie there are read first: where they are the same, nothing is loaded.
        """
        ordered = arrange(table, day, rows)
        data = to_parquet(table, ordered)
        self.prepare(table)
        before = self.rows(table, day)
        changed = before is None or to_parquet(table, before) != data
        if changed:
            self._seen.pop(str(table), None)
        if changed and ordered:
            self._swap(table, day, data, len(ordered))
            if before == []:
                self._mark(table, day, empty=False)
        elif changed:
            self._delete(table, day)
            self._mark(table, day, empty=True)
        return loaded(ordered, data, changed=changed)

    def replace_status(self, status: DateStatus) -> bool:
        """Adds a row to the history that ``raw.date_status`` shows the newest of."""
        row = status.row()
        if self._status(status.table, status.day) == [row]:
            return False
        self._tables.ensure(HISTORY)
        self._tables.ensure_view()
        types = {field.name: sql_type(field.field_type) for field in schema(DATE_STATUS)}
        names = ", ".join(f"`{name}`" for name in types)
        places = ", ".join(f"@{name}" for name in types)
        self.jobs.change(
            f"INSERT INTO `{self._tables.name(HISTORY)}` ({names}, `written_at`)"
            f" VALUES ({places}, CURRENT_TIMESTAMP())",
            {name: Value(kind, row[name]) for name, kind in types.items()},
        )
        self._seen[f"status of {status.table}"] = [row]
        return True

    def status(self, table: Table, day: date) -> list[Mapping[str, Any]] | None:
        """The row of ``raw.date_status`` on the table's date; None where nothing has been said."""
        return self._status(str(table), day)

    def days(self, table: Table) -> list[date]:
        """The dates that have rows, or were loaded without any, sorted."""
        with_rows = self._select(
            f"SELECT DISTINCT `game_date` FROM `{self._tables.name(table)}`", {}
        )
        without = self._select(
            f"SELECT `game_date` FROM `{self._tables.name(EMPTY_DATES)}`"
            " WHERE `table_name` = @name",
            {"name": str(table)},
        )
        return sorted({row["game_date"] for row in (*(with_rows or []), *(without or []))})

    def rows(
        self, table: Table, day: date, columns: Sequence[str] | None = None
    ) -> list[Mapping[str, Any]] | None:
        """The partition's rows, or None where it was never loaded."""
        found = self._once(str(table), day, lambda: self._rows(table, day))
        if found is None or columns is None:
            return found
        return [{name: row[name] for name in columns} for row in found]

    def rows_between(
        self, table: Table, first: date, last: date
    ) -> dict[date, list[Mapping[str, Any]]]:
        """The rows of each date of the window that was loaded: two queries, however long it is."""
        window = {"first": first, "last": last}
        between = "`game_date` BETWEEN @first AND @last"
        rows = self._select(f"SELECT * FROM `{self._tables.name(table)}` WHERE {between}", window)
        empty = self._select(
            f"SELECT `game_date` FROM `{self._tables.name(EMPTY_DATES)}`"
            f" WHERE `table_name` = @name AND {between}",
            {**window, "name": str(table)},
        )
        found: dict[date, list[Mapping[str, Any]]] = {row["game_date"]: [] for row in empty or ()}
        for row in in_key_order(table, rows or ()):
            found.setdefault(row["game_date"], []).append(row)
        return found

    def ask(self, sql: str) -> pa.Table:
        """The rows of one query, which changes nothing and is billed no more than the bound.
        Raises Refused with BigQuery's first line."""
        with explained(self.jobs.place):
            try:
                if self.jobs.kind_of(sql) != "SELECT":
                    raise Refused("that is not one query: write one SELECT")
                return self.jobs.read(
                    sql, lambda rows: rows.to_arrow(create_bqstorage_client=False)
                )
            except (BadRequest, NotFound, Forbidden) as error:
                if reason(error) in ("invalidQuery", "notFound", "invalid"):
                    raise Refused(first_line(error)) from None
                raise

    def tables(self) -> pa.Table:
        """The tables of the datasets whose names begin with the prefix, each with its columns."""
        with explained(self.jobs.place):
            datasets = sorted(
                each.dataset_id
                for each in self.client.list_datasets(retry=self.jobs.retry, timeout=CALL_SECONDS)
                if each.dataset_id.startswith(self.prefix)
                and each.dataset_id != self.prefix + STAGING
            )
        listed = " UNION ALL ".join(
            "SELECT table_schema, table_name, column_name, ordinal_position FROM"
            f" `{self.client.project}.{name}`.INFORMATION_SCHEMA.COLUMNS"
            for name in datasets
        )
        if not listed:
            raise Refused(f"{self.url} has no datasets: `airflow nba repair --tables` makes them")
        return self.ask(
            "SELECT CONCAT(table_schema, '.', table_name) AS `table`,"
            " STRING_AGG(column_name, ', ' ORDER BY ordinal_position) AS `columns`"
            f" FROM ({listed}) GROUP BY 1 ORDER BY 1"
        )

    # --- one date

    def _swap(self, table: Table, day: date, data: bytes, count: int) -> None:
        """Loads the rows beside, then replaces the date by them.

        Job ids are made of table, date, content and attempt: a process that comes after a killed
        one meets its jobs, and waits for them instead of doing all twice. A job that was there is
        not proof, since it may be of an earlier load of the same rows, or have failed: what lies
        there is read again, and another attempt made.
        """
        content = sha256(data).hexdigest()[:12]
        key = f"{self.prefix}{table.dataset}_{table.name}_{day:%Y%m%d}_{content}"
        for attempt in range(1, MAX_ATTEMPTS + 1):
            staged = f"{self.client.project}.{self.prefix}{STAGING}.{key}_{attempt}"
            ours = self.jobs.load(data, staged, schema(table), job_id=f"nba_load_{key}_{attempt}")
            if not ours and self._count_rows(staged) != count:
                continue
            ours = self._merge(table, day, staged, f"nba_merge_{key}_{attempt}")
            self._drop(staged)
            if ours or to_parquet(table, self._rows(table, day) or []) == data:
                return
        raise Problem(
            error_class=ErrorClass.STORAGE,
            message=(
                f"BigQuery has done {MAX_ATTEMPTS} loads of these rows of {table}, and has others"
                " there: look at its jobs, and rerun the date tomorrow"
            ),
        )

    def _merge(self, table: Table, day: date, staged: str, job_id: str) -> bool:
        """Swaps the date's rows in one statement, which reads no other partition and joins
        nothing."""
        columns = ", ".join(f"`{field.name}`" for field in schema(table))
        return self.jobs.change(
            f"MERGE INTO `{self._tables.name(table)}` AS target USING `{staged}` AS staged ON FALSE"
            " WHEN NOT MATCHED BY SOURCE AND target.`game_date` = @day THEN DELETE"
            f" WHEN NOT MATCHED BY TARGET THEN INSERT ({columns}) VALUES ({columns})",
            {"day": day},
            job_id=job_id,
        )

    def _drop(self, staged: str) -> None:
        """A table that is left expires by itself, so the date does not fail for it."""
        try:
            with explained(self.jobs.place):
                self.client.delete_table(
                    staged, not_found_ok=True, retry=self.jobs.retry, timeout=CALL_SECONDS
                )
        except Problem as problem:
            log.warning("%s is left to expire: %s", staged, problem.message)

    def _count_rows(self, staged: str) -> int | None:
        with explained(self.jobs.place):
            try:
                found = self.client.get_table(staged, retry=self.jobs.retry, timeout=CALL_SECONDS)
            except NotFound:
                return None
        return int(found.num_rows or 0)

    def _delete(self, table: Table, day: date) -> None:
        """Empties a partition, which is free."""
        self.jobs.change(
            f"DELETE FROM `{self._tables.name(table)}` WHERE `game_date` = @day", {"day": day}
        )

    def _mark(self, table: Table, day: date, *, empty: bool) -> None:
        """Notes that the date was loaded and has no rows, or that it has some again."""
        self._tables.ensure(EMPTY_DATES)
        name = self._tables.name(EMPTY_DATES)
        statement = f"DELETE FROM `{name}` WHERE `game_date` = @day AND `table_name` = @name"
        if empty:
            statement = f"INSERT INTO `{name}` (`game_date`, `table_name`) VALUES (@day, @name)"
        self.jobs.change(statement, {"day": day, "name": str(table)})

    def _is_marked(self, table: Table, day: date) -> bool:
        found = self._select(
            f"SELECT 1 AS there FROM `{self._tables.name(EMPTY_DATES)}`"
            " WHERE `game_date` = @day AND `table_name` = @name LIMIT 1",
            {"day": day, "name": str(table)},
        )
        return bool(found)

    def _status(self, table: str, day: date) -> list[Mapping[str, Any]] | None:
        read = (
            f"SELECT * FROM `{self._tables.name(DATE_STATUS)}`"
            " WHERE `game_date` = @day AND `table_name` = @name"
        )
        return self._once(
            f"status of {table}",
            day,
            lambda: list(self._select(read, {"day": day, "name": table}) or []) or None,
        )

    def _rows(self, table: Table, day: date) -> list[Mapping[str, Any]] | None:
        found = self._select(
            f"SELECT * FROM `{self._tables.name(table)}` WHERE `game_date` = @day", {"day": day}
        )
        if found is None or not (found or self._is_marked(table, day)):
            return None
        return list(in_key_order(table, found))

    def _once(
        self, what: str, day: date, read: Callable[[], list[Mapping[str, Any]] | None]
    ) -> list[Mapping[str, Any]] | None:
        """What was read of this date before, if nothing else was asked for meanwhile: a task asks
        for the same again and again, and each query takes a second or more."""
        if day != self._day:
            self._day, self._seen = day, {}
        if what not in self._seen:
            self._seen[what] = read()
        return self._seen[what]

    def _select(self, sql: str, values: Mapping[str, Any]) -> list[dict[str, Any]] | None:
        """The rows; None where there is no such table."""
        with explained(self.jobs.place):
            try:
                return self.jobs.select(sql, values)
            except NotFound as error:
                if "Not found: Table" in str(error):
                    return None
                raise
