"""Dates on their way into BigQuery: the rows are the local warehouse's, a rerun asks for nothing
and changes nothing, and what BigQuery refuses is known before an upstream is asked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta

import pytest
from google.cloud.bigquery import Client

from include.errors import Problem
from include.ops.outcomes import OutcomeRow
from include.outcome import Later, Outcome
from include.steps.attempt import attempt
from include.steps.entry import Entry
from include.steps.job import Job, Stores, Wire
from include.warehouse.bigquery.warehouse import BigQueryWarehouse
from include.warehouse.open import Warehouse
from tests.devstack.test_costs_page import JOBS
from tests.steps.line import Line
from tests.steps.one_date import SOURCE, partition
from tests.warehouse.conftest import client, client_of, cloud, engine, wire
from tests.warehouse.wire import Wire as Watched

__all__ = ["client", "cloud", "engine", "wire"]

WEEK = [date(2025, 1, 15) + timedelta(days=n) for n in range(7)]


class Tries:
    """Tries of the line's dates, with its raw store and any warehouse; ``asked`` says of which
    dates an upstream was asked."""

    def __init__(self, line: Line) -> None:
        self.line, self.asked, self.written = line, list[date](), list[OutcomeRow]()

    def run(self, day: date, warehouse: Warehouse) -> None:
        at = partition(self.line.endpoint, day)
        entry = Entry(at, self.written.append, run_id="r")
        stores = Stores(raw=self.line.stores.raw, warehouse=warehouse)

        @contextmanager
        def reach() -> Iterator[Wire]:
            self.asked.append(day)
            yield self.line.wire

        job = Job(
            source=SOURCE,
            endpoint=self.line.endpoint,
            partition=at,
            stores=stores,
            reach=reach,
        )
        with entry.recorded():
            attempt(job, entry)


@pytest.fixture
def tries(line: Line) -> Tries:
    return Tries(line)


def test_week_has_the_rows_of_the_local_warehouse_and_a_rerun_changes_nothing(
    tries: Tries, line: Line, cloud: BigQueryWarehouse
) -> None:
    local, table = line.stores.warehouse, line.endpoint.table
    for day in WEEK:
        tries.run(day, cloud)
    assert tries.asked == WEEK
    for day in WEEK:
        tries.run(day, local)
    again = BigQueryWarehouse(cloud.client)
    before = [(cloud.rows(table, day), cloud.status(table, day)) for day in WEEK]
    assert before == [(local.rows(table, day), local.status(table, day)) for day in WEEK]
    assert sum(len(rows or []) for rows, _ in before) > 1000
    for day in WEEK:
        tries.run(day, again)
    assert tries.asked == WEEK
    written = "SELECT COUNT(*) AS n FROM raw.date_status_history"
    assert again.ask(written).to_pylist() == [{"n": len(WEEK)}]
    jobs = [row.warehouse_jobs for row in tries.written]
    assert (set(jobs[:7]), set(jobs[7:14]), set(jobs[14:])) == ({JOBS}, {0}, {2})
    assert {row.outcome for row in tries.written} <= {Outcome.COMPLETE, Outcome.NO_GAMES}


def test_missing_dataset_is_told_before_anything_is_asked(tries: Tries, client: Client) -> None:
    with pytest.raises(Problem, match="make them with `airflow nba repair --tables`"):
        tries.run(WEEK[0], BigQueryWarehouse(client))
    assert tries.asked == []


def test_date_without_quota_waits_and_goes_on_without_another_request(
    tries: Tries, cloud: BigQueryWarehouse, wire: Watched
) -> None:
    said = "Quota exceeded: Your project exceeded quota"
    wire.refuse("POST", "MERGE", 403, "quotaExceeded", said)
    watched = BigQueryWarehouse(client_of(wire.url, str(cloud.client.project)))
    with pytest.raises(Later) as later:
        tries.run(WEEK[0], watched)
    assert (later.value.outcome, tries.written[-1].outcome) == (Outcome.QUOTA_WAIT,) * 2
    assert "no quota left of project" in later.value.reason
    wire.answers.clear()
    tries.run(WEEK[0], watched)
    assert (tries.asked, tries.written[-1].outcome) == ([WEEK[0]], Outcome.COMPLETE)
