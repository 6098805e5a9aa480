"""Every table of every source in BigQuery: made of its spec, and its rows the local warehouse's."""

from __future__ import annotations

from pathlib import Path

from include.warehouse.bigquery.warehouse import BigQueryWarehouse
from include.warehouse.local import LocalWarehouse
from tests.plugins.test_specs import Case, case
from tests.warehouse.conftest import client, cloud, engine

__all__ = ["case", "client", "cloud", "engine"]


def test_rows_are_those_of_the_local_warehouse(
    case: Case, cloud: BigQueryWarehouse, tmp_path: Path
) -> None:
    table, day = case.endpoint.table, case.day
    rows = [{**row, "source_file": "fixture"} for row in case.endpoint.rows(case.body, day)]
    local = LocalWarehouse(tmp_path)
    for warehouse in (local, cloud):
        assert warehouse.replace(table, day, rows).changed
    found = BigQueryWarehouse(cloud.client).rows(table, day)
    assert found
    assert found == local.rows(table, day)


def test_table_and_columns_are_described(case: Case, cloud: BigQueryWarehouse) -> None:
    table = case.endpoint.table
    cloud.prepare(table)
    made = cloud.client.get_table(f"{cloud.client.project}.{table}")
    assert made.description == table.doc
    assert table.doc.endswith(".")
    assert made.clustering_fields
    described = {field.name: field.description or "" for field in made.schema}
    assert described.items() >= {column.name: column.doc for column in table.columns}.items()
