"""The commands on a warehouse in BigQuery, which nothing but its connection says."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import date

import pytest

from devstack.engines import running_bigquery
from include.partition import Partition
from include.sources.spec import Source
from include.steps.load import load
from include.warehouse.bigquery.warehouse import BigQueryWarehouse
from nba_airflow import connections
from nba_airflow.cli.gaps import gaps
from nba_airflow.cli.repair import repair
from nba_airflow.cli.sql import sql
from tests.plugins.cli.asking import DAG, DAY, Call

pytestmark = pytest.mark.usefixtures("stores", "our_dags", "in_bigquery")

MISSING = (
    "BigQuery has not all datasets in location US: make them with `airflow nba repair --tables`"
)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_bigquery(tmp_path_factory.mktemp("engine")) as url:
        yield url


@pytest.fixture
def in_bigquery(stores: object, engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    fields = {
        "WAREHOUSE": ("generic", {"url": "bigquery://nba-project?location=US&prefix=dev_"}),
        "GOOGLE_CLOUD_DEFAULT": ("generic", {"is_anonymous": True}),
    }
    for name, (kind, extra) in fields.items():
        monkeypatch.setenv(f"AIRFLOW_CONN_{name}", json.dumps({"conn_type": kind, "extra": extra}))
    monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", engine)


def test_commands_read_bigquery(
    call: Call, done: Callable[[date], None], sources: dict[str, Source]
) -> None:
    window = {"dag_id": DAG, "start_date": str(DAY), "end_date": str(DAY)}
    said = call(sql, sql="SELECT 1 AS one FROM dev_raw.bdl_box_scores")
    assert (said.code, said.err.count("\n")) == (2, 1)
    tables = call(sql, sql=None)
    assert tables.err == (
        "airflow nba sql: bigquery://nba-project?location=US&prefix=dev_ has no datasets: `airflow"
        " nba repair --tables` makes them\n"
    )

    made = call(repair, tables=True).out.splitlines()[-1]
    assert made == "operations tables and warehouse: up to date"

    done(DAY)  # into the local warehouse, and raw
    stores = connections.stores()
    assert isinstance(stores.warehouse, BigQueryWarehouse)
    before = call(gaps, **window, json=True)
    assert (before.code, before.facts["days"]) == (1, [str(DAY)])
    at = Partition(dag_id=DAG, endpoint="box_scores", day=DAY)
    rows = load(sources[DAG].endpoint("box_scores"), at, stores).rows
    assert call(gaps, **window).code == 0
    query = "SELECT outcome, COUNT(*) AS n FROM dev_raw.date_status GROUP BY 1"
    assert call(sql, sql=query, json=True).facts["rows"] == [{"outcome": "complete", "n": 1}]
    query = "SELECT COUNT(*) AS n FROM dev_raw.bdl_box_scores"
    assert call(sql, sql=query, json=True).facts["rows"] == [{"n": rows}]
    listed = call(sql, sql=None, json=True).facts["rows"]
    names = {f"dev_{e.table}" for source in sources.values() for e in source.endpoints}
    names |= {"dev_analytics.player_prop_results", "dev_analytics.unmatched_players"}
    assert names <= {each["table"] for each in listed}


def test_warehouse_without_datasets_is_one_line(
    call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    extra = {"url": "bigquery://another-project?location=US"}
    monkeypatch.setenv(
        "AIRFLOW_CONN_WAREHOUSE", json.dumps({"conn_type": "generic", "extra": extra})
    )
    said = call(gaps, dag_id=DAG, start_date=str(DAY), end_date=str(DAY))
    assert MISSING in said.out + said.err
