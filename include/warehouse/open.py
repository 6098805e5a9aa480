"""What a warehouse promises, and which one a connection URL means."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import parse_qsl, unquote, urlparse

from include.errors import ErrorClass, Problem
from include.sources.spec import Row, Table
from include.used import Used
from include.warehouse.local import LocalWarehouse
from include.warehouse.rows import Loaded
from include.warehouse.status import DateStatus

if TYPE_CHECKING:
    import pyarrow as pa
    from google.cloud.bigquery import Client

_PREFIX = re.compile(r"\w*", re.ASCII)


class Warehouse(Protocol):
    """Tables of rows, partitioned by US/Eastern game date; each partition is replaced whole.

    Everything that reads or writes rows does it by this. It may remember what it has read of a date
    until it writes itself: who wants to see what others have written opens another. Each method
    raises Problem, in one line that names the repair, where the warehouse cannot be used.
    """

    @property
    def url(self) -> str:
        """Where it is, as the connection ``warehouse`` names it."""
        ...

    @property
    def used(self) -> Used:
        """What it has been asked for so far."""
        ...

    def create(self, tables: Sequence[Table]) -> None:
        """Makes all that rows of these tables need, or brings it up to date; safe to repeat."""
        ...

    def prepare(self, table: Table) -> None:
        """Makes sure that the table can be loaded, before anything is asked of an upstream."""
        ...

    def replace(self, table: Table, day: date, rows: Iterable[Row]) -> Loaded:
        """Replaces the date's partition by ``rows``, whole or not at all; who reads meanwhile sees
        the old rows or the new ones. A date without rows has a partition, too; one that has these
        rows already is left alone. Raises Problem(SCHEMA_DRIFT) for rows that the table cannot
        hold."""
        ...

    def replace_status(self, status: DateStatus) -> bool:
        """Writes the one row that says how a table's date stands; whether it changed."""
        ...

    def status(self, table: Table, day: date) -> list[Mapping[str, Any]] | None:
        """The row of ``raw.date_status`` on the table's date; None where nothing has been said."""
        ...

    def days(self, table: Table) -> list[date]:
        """The dates that have a partition, sorted."""
        ...

    def rows(
        self, table: Table, day: date, columns: Sequence[str] | None = None
    ) -> list[Mapping[str, Any]] | None:
        """The partition's rows in key order, or None where it was never loaded."""
        ...

    def rows_between(
        self, table: Table, first: date, last: date
    ) -> dict[date, list[Mapping[str, Any]]]:
        """As above, of each date of a window (both ends included) that was loaded; at once, for
        who needs many."""
        ...

    def ask(self, sql: str) -> pa.Table:
        """The rows of one query, which changes nothing. Raises Refused, in one line, for what is
        not a query, or more than one, and where it cannot be answered."""
        ...

    def tables(self) -> pa.Table:
        """The tables that there are, each with its columns: ``table``, ``columns``."""
        ...


BigQuery = Callable[[str, str], "Client"]
"""Project and location -> a client, which has not connected yet."""


def open_warehouse(url: str, *, bigquery: BigQuery | None = None) -> Warehouse:
    """``duckdb:///folder`` -> the local warehouse; ``bigquery://project?location=US`` -> BigQuery,
    for which a client is made. Raises Problem(STORAGE) naming the connection."""
    parsed = urlparse(url)
    if parsed.scheme == "duckdb" and parsed.path:
        return LocalWarehouse(Path(unquote(parsed.netloc + parsed.path)))
    if parsed.scheme == "bigquery" and bigquery:
        return _open_bigquery(parsed.netloc, parsed.query, bigquery)
    raise _refused(
        f"names no warehouse that this version knows ({parsed.scheme or 'no scheme'}): set it to"
        " duckdb:///absolute/folder or bigquery://project?location=US"
    )


def _open_bigquery(project: str, query: str, bigquery: BigQuery) -> Warehouse:
    """Its library is imported here, where a connection names it, and nowhere else."""
    from include.warehouse.bigquery.warehouse import MAX_GIB, BigQueryWarehouse

    given = dict(parse_qsl(query))
    location, prefix = given.pop("location", ""), given.pop("prefix", "")
    gib = given.pop("maximum_gib", str(MAX_GIB))
    if not project or not location or given or not gib.isdecimal() or not _PREFIX.fullmatch(prefix):
        raise _refused(
            "is not one of BigQuery: write bigquery://project?location=US, and behind it, if at"
            " all, &prefix=dev_ (letters, digits and _) and &maximum_gib=10"
        )
    return BigQueryWarehouse(bigquery(project, location), prefix=prefix, max_gib=int(gib))


def _refused(what: str) -> Problem:
    return Problem(error_class=ErrorClass.STORAGE, message=f"connection warehouse {what}")
