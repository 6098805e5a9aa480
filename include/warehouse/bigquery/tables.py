"""Tables of BigQuery made of the same specs as Parquet, and brought up to date where that only
adds; anything else is refused with its repair."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from hashlib import sha256

from google.api_core.exceptions import NotFound, PreconditionFailed
from google.cloud import bigquery

from include.errors import ErrorClass, Problem
from include.sources.spec import Column, Table
from include.warehouse.bigquery.errors import explained
from include.warehouse.bigquery.jobs import CALL_SECONDS, Jobs
from include.warehouse.rows import SOURCE_FILE
from include.warehouse.status import DATE_STATUS
from include.warehouse.views import DATASET, find_views

STAGING = "staging"
"""The dataset of what is on its way; its tables go by themselves."""
STAGING_DAYS = 1
LABELS = {"managed_by": "nba_backfill"}
MAX_CLUSTERING = 4
MAX_UPDATES = 5

HISTORY = replace(
    DATE_STATUS,
    name="date_status_history",
    columns=(*DATE_STATUS.columns, Column("written_at", "TIMESTAMP", "UTC, by BigQuery's clock")),
    doc="Every status of every date; raw.date_status shows the newest ones.",
)
"""Rows are only added: of changes BigQuery makes two at a time a table, and every task has one."""
EMPTY_DATES = Table(
    dataset=DATE_STATUS.dataset,
    name="empty_dates",
    columns=(
        Column("game_date", "DATE", "US/Eastern game date"),
        Column("table_name", "STRING", "dataset and table, as in raw.bdl_box_scores"),
    ),
    key=("game_date", "table_name"),
    doc="The dates that were loaded and have no rows: BigQuery has no empty partitions.",
)

# The types as BigQuery's API names them, which is not as SQL does.
_API_TYPES = {
    "DATE": "DATE",
    "STRING": "STRING",
    "INTEGER": "INTEGER",
    "DOUBLE": "FLOAT",
    "BOOLEAN": "BOOLEAN",
    "TIMESTAMP": "TIMESTAMP",
}
_SQL_TYPES = {"INTEGER": "INT64", "FLOAT": "FLOAT64", "BOOLEAN": "BOOL"}
_SHOWN = ("schema", "description", "labels")


class Tables:
    """The tables of one project, in datasets whose names begin with ``prefix``."""

    def __init__(self, jobs: Jobs, prefix: str) -> None:
        self.jobs, self.client, self.prefix = jobs, jobs.client, prefix
        self._ready: set[str] = set()

    def name(self, table: Table) -> str:
        """``project.dev_raw.bdl_box_scores``."""
        return f"{self.client.project}.{self.prefix}{table.dataset}.{table.name}"

    def create(self, tables: Sequence[Table]) -> None:
        """Makes datasets and tables that are not there. Raises Problem."""
        every = (*tables, HISTORY, EMPTY_DATES)
        for dataset in sorted({table.dataset for table in every}):
            self._create_dataset(dataset)
        self._create_dataset(STAGING, days=STAGING_DAYS)
        for table in every:
            self.ensure(table)
        self.ensure_view()
        there = {str(table) for table in (*tables, DATE_STATUS)}
        if DATASET in {table.dataset for table in tables}:
            for view in find_views(there):
                name = f"{self.client.project}.{self.prefix}{DATASET}.{view.name}"
                self._show(name, view.query(self._quote), view.doc)

    def _quote(self, table: str) -> str:
        """``raw.date_status`` as a query writes it."""
        return f"`{self.client.project}.{self.prefix}{table}`"

    def ensure(self, table: Table) -> None:
        """Makes the table, or what it lacks, once a process. Raises Problem for what cannot be
        changed in place, and where its dataset is not there."""
        if str(table) in self._ready:
            return
        with explained(self.jobs.place):
            for _ in range(MAX_UPDATES):
                try:
                    self._bring_up_to_date(self._wanted(table))
                    break
                except PreconditionFailed:
                    continue  # another process was at it
        self._ready.add(str(table))

    def ensure_view(self) -> None:
        """Makes ``raw.date_status``, the newest rows of its history."""
        if str(DATE_STATUS) in self._ready:
            return
        columns = ", ".join(f"`{field.name}`" for field in schema(DATE_STATUS))
        query = (
            f"SELECT {columns} FROM `{self.name(HISTORY)}` WHERE TRUE QUALIFY ROW_NUMBER() OVER"
            " (PARTITION BY `game_date`, `table_name` ORDER BY `written_at` DESC) = 1"
        )
        self._show(self.name(DATE_STATUS), query, DATE_STATUS.doc)
        self._ready.add(str(DATE_STATUS))

    def _show(self, name: str, query: str, doc: str) -> None:
        """Makes the view, or makes it anew where it was made of another query."""
        wanted = bigquery.Table(name)
        wanted.view_query = query
        made_of = sha256(query.encode()).hexdigest()[:12]
        wanted.description, wanted.labels = doc, {**LABELS, "made_of": made_of}
        with explained(self.jobs.place):
            there = self._get(wanted)
            if there is None:
                self.client.create_table(
                    wanted, exists_ok=True, retry=self.jobs.retry, timeout=CALL_SECONDS
                )
            elif there.labels.get("made_of") != made_of:
                self.client.update_table(
                    wanted, ["view_query", "labels"], retry=self.jobs.retry, timeout=CALL_SECONDS
                )

    def _create_dataset(self, name: str, *, days: int | None = None) -> None:
        """Asks first: who may not make datasets may have been given those that are there."""
        dataset = bigquery.Dataset(f"{self.client.project}.{self.prefix}{name}")
        dataset.location, dataset.labels = self.jobs.place.location, LABELS
        if days:
            dataset.default_table_expiration_ms = days * 24 * 3600 * 1000
        with explained(self.jobs.place):
            try:
                self._check_dataset(dataset.dataset_id)
            except NotFound:
                self.client.create_dataset(
                    dataset, exists_ok=True, retry=self.jobs.retry, timeout=CALL_SECONDS
                )

    def _bring_up_to_date(self, wanted: bigquery.Table) -> None:
        """Raises PreconditionFailed where another process has changed the table meanwhile."""
        there = self._get(wanted)
        if there is None:
            self._check_dataset(wanted.dataset_id)
            self.client.create_table(
                wanted, exists_ok=True, retry=self.jobs.retry, timeout=CALL_SECONDS
            )
            return
        self._check_location(there.location, wanted.dataset_id)
        for difference in _differences(there, wanted):
            raise _refused(difference)
        if columns := _new_columns(there, wanted):
            self.jobs.change(f"ALTER TABLE `{_full(there)}` {', '.join(columns)}", {})
            there = self.client.get_table(there, retry=self.jobs.retry, timeout=CALL_SECONDS)
        described = _described(there.schema, wanted.schema)
        labels = {**there.labels, **LABELS}
        before = (there.schema, there.description, there.labels)
        if before != (described, wanted.description, labels):
            there.schema, there.description, there.labels = described, wanted.description, labels
            self.client.update_table(there, _SHOWN, retry=self.jobs.retry, timeout=CALL_SECONDS)

    def _get(self, wanted: bigquery.Table) -> bigquery.Table | None:
        try:
            return self.client.get_table(
                wanted.reference, retry=self.jobs.retry, timeout=CALL_SECONDS
            )
        except NotFound:
            return None

    def _check_dataset(self, dataset_id: str) -> None:
        found = self.client.get_dataset(dataset_id, retry=self.jobs.retry, timeout=CALL_SECONDS)
        self._check_location(found.location, dataset_id)

    def _check_location(self, location: str | None, dataset_id: str) -> None:
        """A job asks one location, and finds nothing in another."""
        if location and location.upper() != self.jobs.place.location.upper():
            raise _refused(
                f"dataset {dataset_id} is in location {location}, not"
                f" {self.jobs.place.location}: write location={location} in connection warehouse"
            )

    def _wanted(self, table: Table) -> bigquery.Table:
        wanted = bigquery.Table(self.name(table), schema=schema(table))
        wanted.time_partitioning = bigquery.TimePartitioning(field="game_date")
        wanted.clustering_fields = _clustering(table)
        wanted.description, wanted.labels = table.doc or None, LABELS
        return wanted


def schema(table: Table) -> list[bigquery.SchemaField]:
    """The table's columns in its order, as BigQuery has them."""
    return [
        bigquery.SchemaField.from_api_repr(
            {
                "name": column.name,
                "type": _API_TYPES[column.type],
                "mode": "NULLABLE",
                "description": column.doc or None,
            }
        )
        for column in (*table.columns, SOURCE_FILE)
    ]


def sql_type(api_type: str) -> str:
    """A type as SQL names it."""
    return _SQL_TYPES.get(api_type, api_type)


def _clustering(table: Table) -> list[str]:
    """The first of the key's columns; fractions cannot be clustered by."""
    types = {column.name: column.type for column in table.columns}
    able = [name for name in table.key if name != "game_date" and types[name] != "DOUBLE"]
    return able[:MAX_CLUSTERING]


def _new_columns(there: bigquery.Table, wanted: bigquery.Table) -> list[str]:
    """What adds to a table the columns that it lacks."""
    known = {field.name for field in there.schema}
    return [
        f"ADD COLUMN IF NOT EXISTS `{field.name}` {sql_type(field.field_type)}"
        for field in wanted.schema
        if field.name not in known
    ]


def _described(
    there: Sequence[bigquery.SchemaField], wanted: Sequence[bigquery.SchemaField]
) -> list[bigquery.SchemaField]:
    """The columns in their order, with the descriptions of this version."""
    by_name = {field.name: field for field in wanted}
    return [by_name.get(field.name, field) for field in there]


def _differences(there: bigquery.Table, wanted: bigquery.Table) -> Iterator[str]:
    """What cannot be changed without making the table anew."""
    name = _full(there)
    anew = (
        f"rename or drop {name}, then `airflow nba repair --tables` makes it and `airflow nba"
        " reprocess` fills it from raw"
    )
    types = {field.name: field.field_type for field in wanted.schema}
    for field in there.schema:
        if field.name not in types:
            yield (
                f"{name} has a column {field.name} that this version does not know: `ALTER TABLE"
                f" {name} DROP COLUMN {field.name}`, if nobody reads it"
            )
        elif field.field_type != types[field.name]:
            was, now = field.field_type, types[field.name]
            yield f"{name}.{field.name} is {was} in BigQuery and {now} in this version: {anew}"
    if _partitioned_by(there) != _partitioned_by(wanted):
        yield f"{name} is not partitioned by day of game_date: {anew}"
    if list(there.clustering_fields or []) != list(wanted.clustering_fields or []):
        fields = ",".join(wanted.clustering_fields or [])
        yield (
            f"{name} is not clustered by {fields}: `bq update --clustering_fields={fields}"
            f" {there.project}:{there.dataset_id}.{there.table_id}`"
        )


def _full(table: bigquery.Table) -> str:
    return f"{table.project}.{table.dataset_id}.{table.table_id}"


def _partitioned_by(table: bigquery.Table) -> tuple[str | None, str | None]:
    how = table.time_partitioning
    return (how.type_, how.field) if how else (None, None)


def _refused(message: str) -> Problem:
    return Problem(error_class=ErrorClass.STORAGE, message=f"BigQuery: {message}")
