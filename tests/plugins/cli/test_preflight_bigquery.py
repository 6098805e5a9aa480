"""`airflow nba preflight` of a warehouse that is BigQuery: what is missing there is one line that
names its repair, and nothing is started."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from nba_airflow.cli.backfill import backfill
from tests.plugins.cli.asking import Call
from tests.plugins.cli.test_backfill import ARGUMENTS, read_books
from tests.plugins.cli.test_preflight import DAG, WINDOW, Connect, connect, failed, fit, sandbox
from tests.plugins.scheduling import Scheduler
from tests.warehouse.conftest import client, engine

if TYPE_CHECKING:
    from google.cloud.bigquery import Client

__all__ = ["client", "connect", "engine", "fit", "sandbox"]

NO_DATASETS = (
    "fail dependencies: BigQuery has not all datasets in location US: make them with `airflow nba"
    " repair --tables`, or name the location of those that are there in connection warehouse (Not"
    " found: dataset:{project}.raw)"
)
NO_SCHEDULE = (
    "airflow dags backfill: storage: BigQuery has no such table, or does not let us see it: make"
    " what is missing with `airflow nba repair --tables`, or give the account of connection"
    " google_cloud_default the role BigQuery Data Editor on the datasets of project {project}"
    " (Access Denied: Table {project}:raw.nbacom_schedule:"
)
NOT_ALL = (
    "airflow dags backfill: storage: BigQuery has not all datasets in location US: make them with"
    " `airflow nba repair --tables`"
)
OTHER_TABLE = (
    "fail dependencies: BigQuery: {project}.raw.bdl_box_scores.game_date is STRING in BigQuery and"
    " DATE in this version: rename or drop {project}.raw.bdl_box_scores, then `airflow nba repair"
    " --tables` makes it and `airflow nba reprocess` fills it from raw"
)


@pytest.fixture
def make(
    fit: Scheduler, client: Client, engine: str, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> Callable[[], None]:
    """The warehouse is an empty project; makes the datasets in it."""
    monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", engine)
    url = f"bigquery://{client.project}?location=US"
    connect("warehouse", conn_type="generic", extra={"url": url})
    connect("google_cloud_default", conn_type="google_cloud_platform", extra={"is_anonymous": True})

    def datasets() -> None:
        for name in ("raw", "staging"):
            client.create_dataset(name)

    return datasets


def test_nothing_is_started_where_there_are_no_datasets(
    make: Callable[[], None], client: Client, books: str, call: Call
) -> None:
    before = read_books(books)
    assert failed() == [NO_DATASETS.format(project=client.project)]
    # The plan comes first, and has to read the schedule.
    refused = call(backfill, **ARGUMENTS | WINDOW)
    line = refused.err.splitlines()[-1]
    assert (refused.code, read_books(books)) == (2, before)
    # The engine answers a query of a dataset that is not there in one of two ways.
    told = (NO_SCHEDULE.format(project=client.project), NOT_ALL)
    assert line.startswith(told)


def test_nothing_is_started_where_a_table_is_another_one(
    make: Callable[[], None], client: Client, books: str, call: Call
) -> None:
    make()
    client.query_and_wait("CREATE TABLE raw.bdl_box_scores (game_date STRING)")
    before = read_books(books)
    refused = call(backfill, **ARGUMENTS | WINDOW)
    assert (refused.code, refused.err.splitlines()[-2:]) == (
        2,
        [
            "airflow dags backfill: the preflight failed, so nothing was started",
            OTHER_TABLE.format(project=client.project),
        ],
    )
    assert read_books(books) == before


def test_a_table_that_is_missing_is_made(make: Callable[[], None], client: Client) -> None:
    make()
    assert failed() == []
    assert DAG in {table.table_id for table in client.list_tables("raw")}
