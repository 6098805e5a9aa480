"""Each missing or wrong thing of BigQuery is one line that names the repair."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from google.api_core.exceptions import (
    Cancelled,
    GoogleAPICallError,
    ServiceUnavailable,
    Unauthorized,
)
from google.auth.exceptions import RefreshError
from google.cloud import bigquery
from google.cloud.bigquery import Client

from include.errors import ErrorClass, Problem
from include.sources.spec import Column
from include.warehouse.bigquery import jobs
from include.warehouse.bigquery.errors import Place, explain
from include.warehouse.bigquery.warehouse import BigQueryWarehouse
from include.warehouse.open import open_warehouse
from tests.warehouse.conftest import client_of
from tests.warehouse.lines import DAY, TABLE, row
from tests.warehouse.test_bigquery import KEY, ROWS, job_ids, statements
from tests.warehouse.wire import Wire

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
Watched = Callable[[], BigQueryWarehouse]


def problem_of(warehouse: BigQueryWarehouse) -> Problem:
    """What comes of a load, before anything is asked of an upstream."""
    with pytest.raises(Problem) as failed:
        warehouse.prepare(TABLE)
    return failed.value


def test_missing_dataset_is_made_by_a_command(client: Client) -> None:
    problem = problem_of(BigQueryWarehouse(client))
    assert problem == Problem(
        error_class=ErrorClass.STORAGE,
        message="BigQuery has not all datasets in location US: make them with `airflow nba repair"
        " --tables`, or name the location of those that are there in connection warehouse (Not"
        f" found: dataset:{client.project}.raw)",
    )


def test_dataset_in_another_location_is_named_with_what_to_write(client: Client) -> None:
    dataset = bigquery.Dataset(f"{client.project}.raw")
    dataset.location = "EU"
    client.create_dataset(dataset)
    assert (
        problem_of(BigQueryWarehouse(client)).message
        == "BigQuery: dataset raw is in location EU, not US: write location=EU in connection"
        " warehouse"
    )


@pytest.mark.parametrize(
    ("status", "reason", "said", "error_class", "what"),
    [
        (
            404,
            "notFound",
            "Not found: Project p",
            ErrorClass.STORAGE,
            "does not know project {project}: correct connection warehouse",
        ),
        (
            403,
            "accessDenied",
            "Access Denied: Dataset p:raw: Permission bigquery.tables.create denied",
            ErrorClass.NOT_ENTITLED,
            "refuses: give the account of connection google_cloud_default the roles BigQuery Job"
            " User on project {project}, and BigQuery Data Editor on its datasets",
        ),
    ],
)
def test_what_the_service_refuses_is_one_line(
    watched: Watched,
    wire: Wire,
    status: int,
    reason: str,
    said: str,
    error_class: ErrorClass,
    what: str,
) -> None:
    for method in ("GET", "POST"):
        wire.refuse(method, "", status, reason, said)
    warehouse = watched()
    message = f"BigQuery {what.format(project=warehouse.client.project)} ({said})"
    assert problem_of(warehouse) == Problem(error_class=error_class, message=message)


@pytest.mark.parametrize(
    ("reason", "said", "error_class", "again"),
    [
        (
            "quotaExceeded",
            "Quota exceeded: too many partition modifications",
            ErrorClass.QUOTA_EXHAUSTED,
            timedelta(hours=1),
        ),
        (
            "invalidQuery",
            "Too many DML statements outstanding against table raw.lines, limit is 20.",
            ErrorClass.RATE_LIMITED,
            timedelta(minutes=5),
        ),
        (
            "invalidQuery",
            "Could not serialize access to table p:raw.lines due to concurrent update",
            ErrorClass.RATE_LIMITED,
            timedelta(minutes=5),
        ),
        (
            "tableUnavailable",
            "Something went wrong with the table you queried. Contact the table owner.",
            ErrorClass.STORAGE,
            timedelta(minutes=5),
        ),
    ],
)
def test_what_passes_by_itself_says_when_to_come_again(
    watched: Watched,
    wire: Wire,
    reason: str,
    said: str,
    error_class: ErrorClass,
    again: timedelta,
) -> None:
    status = {"invalidQuery": 400, "tableUnavailable": 400}.get(reason, 403)
    wire.refuse("POST", "MERGE", status, reason, said)
    began = datetime.now(UTC)
    with pytest.raises(Problem) as failed:
        watched().replace(TABLE, DAY, [row()])
    assert failed.value.error_class is error_class
    assert failed.value.message.endswith(f"; it waits ({said})")
    assert failed.value.retry_at
    assert began + again <= failed.value.retry_at <= datetime.now(UTC) + again


def test_job_that_does_not_end_is_left_to_bigquery_and_waited_for_again(
    watched: Watched, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "MAX_WAIT_SECONDS", 0.1)
    reference = {"jobId": "x", "projectId": "p", "location": "US"}
    running = {"status": {"state": "RUNNING"}, "jobReference": reference, "jobComplete": False}
    running["configuration"] = {"query": {"query": "MERGE"}}
    wire.answer("POST", "/jobs.*MERGE", 200, running)
    wire.answer("GET", "/(jobs|queries)/x", 200, running, times=1000)
    with pytest.raises(Problem) as failed:
        watched().replace(TABLE, DAY, [row()])
    assert failed.value.message.startswith(
        "BigQuery has not ended a job in time; it goes on there, and its end is waited for again"
    )
    assert failed.value.retry_at


def test_job_that_is_there_and_not_found_yet_is_waited_for(watched: Watched, wire: Wire) -> None:
    job_id = f"nba_load_{KEY}_1"
    said = f"Not found: Job p:US.{job_id}"
    wire.refuse("POST", "/upload/", 409, "duplicate", f"Already Exists: Job p:US.{job_id}")
    wire.refuse("GET", f"/jobs/{job_id}", 404, "notFound", said)
    began = datetime.now(UTC)
    with pytest.raises(Problem) as failed:
        watched().replace(TABLE, DAY, ROWS)
    assert failed.value.message == f"BigQuery does not answer; it waits ({said})"
    assert failed.value.retry_at
    assert failed.value.retry_at >= began + timedelta(minutes=5)


TIMED_OUT = "Job execution was cancelled: Job timed out after 5m 0s"


def test_job_that_bigquery_stops_in_the_end_is_begun_again_by_the_next_process(
    cloud: BigQueryWarehouse, watched: Watched, wire: Wire
) -> None:
    """The client waits longer than the job may take, so that it hears how it ended."""
    job_id = f"nba_merge_{KEY}_1"
    stopped = {
        "status": {"state": "DONE", "errorResult": {"reason": "stopped", "message": TIMED_OUT}},
        "jobReference": {"jobId": job_id, "projectId": "p", "location": "US"},
        "configuration": {"query": {"query": "MERGE"}},
    }
    running = {**stopped, "status": {"state": "RUNNING"}}
    wire.answer("POST", f"/jobs.*{job_id}", 200, running)
    error = {"code": 499, "message": TIMED_OUT, "errors": [{"reason": "stopped"}]}
    wire.answer("GET", f"/queries/{job_id}", 499, {"error": error}, times=10)
    wire.answer("GET", f"/jobs/{job_id}", 200, stopped, times=10)
    began = datetime.now(UTC)
    with pytest.raises(Problem) as failed:
        watched().replace(TABLE, DAY, ROWS)
    said = f"BigQuery has stopped a job before its end; it is begun again ({TIMED_OUT})"
    assert failed.value.message == said
    assert failed.value.retry_at
    assert failed.value.retry_at >= began + timedelta(minutes=5)
    wire.requests.clear()
    wire.refuse("POST", f"/jobs.*{job_id}", 409, "duplicate", f"Already Exists: Job p:{job_id}")
    watched().replace(TABLE, DAY, ROWS)
    assert cloud.rows(TABLE, DAY) == ROWS
    assert job_ids(statements(wire, "MERGE")) == [f"nba_merge_{KEY}_{n}" for n in (1, 2)]
    assert jobs.MAX_WAIT_SECONDS > jobs.MAX_JOB_SECONDS


@pytest.mark.parametrize(
    "error",
    [
        Cancelled(TIMED_OUT, errors=[{"reason": "stopped"}]),
        GoogleAPICallError(TIMED_OUT, errors=[{"reason": "stopped"}]),
        GoogleAPICallError(TIMED_OUT),
    ],
)
def test_stopped_job_is_known_by_its_reason_or_its_words(error: Exception) -> None:
    assert explain(error, Place("p", "US"), NOW) == Problem(
        error_class=ErrorClass.STORAGE,
        message=f"BigQuery has stopped a job before its end; it is begun again ({TIMED_OUT})",
        retry_at=NOW + timedelta(minutes=5),
    )


def test_staged_table_that_cannot_be_deleted_is_left_to_expire(
    watched: Watched, wire: Wire, caplog: pytest.LogCaptureFixture
) -> None:
    said = "Access Denied: Table p:staging.x: Permission bigquery.tables.delete denied"
    wire.refuse("DELETE", f"/tables/{KEY}_1", 403, "accessDenied", said)
    warehouse = watched()
    warehouse.replace(TABLE, DAY, ROWS)
    assert watched().rows(TABLE, DAY) == ROWS
    (logged,) = caplog.messages
    assert logged.startswith(f"{warehouse.client.project}.staging.{KEY}_1 is left to expire: ")
    assert logged.endswith(f"({said})")


def test_every_request_is_repeated_for_a_minute_at_most(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: set[tuple[str, float | None]] = set()
    send = Client._call_api

    def note(self: Client, retry: Any, *args: Any, **kwargs: Any) -> Any:
        named = kwargs["path"].split("/")[3::2]  # /projects/p/datasets/raw/tables/lines
        asked.add((" ".join([kwargs["method"], *named]), retry and retry.timeout))
        return send(self, retry, *args, **kwargs)

    monkeypatch.setattr(Client, "_call_api", note)
    warehouse = BigQueryWarehouse(client)
    warehouse.create([TABLE])
    view = client.get_table(f"{client.project}.raw.date_status", retry=warehouse.jobs.retry)
    view.labels = {"made_of": "other"}
    client.update_table(view, ["labels"], retry=warehouse.jobs.retry)
    again = BigQueryWarehouse(client)
    again.create([replace(TABLE, doc="Described since.")])
    again.replace(TABLE, DAY, ROWS)
    of_jobs = {"POST jobs", "GET queries"}
    of_datasets = {"GET datasets", "POST datasets"}
    of_tables = {f"{method} datasets tables" for method in ("GET", "POST", "PATCH", "DELETE")}
    assert asked == {(what, 60.0) for what in of_jobs | of_datasets | of_tables}


def test_service_that_cannot_be_reached_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "MAX_RETRY_SECONDS", 0.1)
    problem = problem_of(BigQueryWarehouse(client_of("http://127.0.0.1:9", "p")))
    assert problem.message.startswith("BigQuery does not answer; it waits (")
    assert problem.retry_at


@pytest.mark.parametrize(
    ("error", "error_class"),
    [
        (RefreshError("invalid_grant: Invalid JWT Signature."), ErrorClass.BAD_KEY),
        (Unauthorized("Invalid Credentials"), ErrorClass.BAD_KEY),
        (ServiceUnavailable("backend"), ErrorClass.STORAGE),
    ],
)
def test_error_is_classed_by_its_type(error: Exception, error_class: ErrorClass) -> None:
    assert explain(error, Place("p", "US"), NOW).error_class is error_class


def test_query_above_the_bound_of_bytes_names_the_bound() -> None:
    from google.api_core.exceptions import BadRequest

    said = "Query exceeded limit for bytes billed: 10737418240. 21474836480 or higher required."
    error = BadRequest(said, errors=[{"reason": "bytesBilledLimitExceeded"}])
    assert explain(error, Place("p", "US"), NOW) == Problem(
        error_class=ErrorClass.STORAGE,
        message="BigQuery would read more than the bound: ask for less, or set maximum_gib in"
        f" connection warehouse ({said})",
    )


def test_changes_that_would_make_the_table_anew_are_refused_with_the_repair(
    cloud: BigQueryWarehouse,
) -> None:
    cloud.prepare(TABLE)
    columns = TABLE.columns
    name = f"{cloud.client.project}.raw.lines"
    anew = (
        f"rename or drop {name}, then `airflow nba repair --tables` makes it and `airflow nba"
        " reprocess` fills it from raw"
    )
    changed = {
        f"{name}.number is INTEGER in BigQuery and STRING in this version: {anew}": replace(
            TABLE, columns=(*columns[:2], Column("number", "STRING"), *columns[3:])
        ),
        f"{name} has a column tip_off that this version does not know: `ALTER TABLE {name} DROP"
        " COLUMN tip_off`, if nobody reads it": replace(TABLE, columns=columns[:-1]),
        f"{name} is not clustered by number,player: `bq update"
        f" --clustering_fields=number,player {cloud.client.project}:raw.lines`": replace(
            TABLE, key=("number", "player")
        ),
    }
    for message, table in changed.items():
        with pytest.raises(Problem) as failed:
            BigQueryWarehouse(cloud.client).prepare(table)
        assert failed.value.message == f"BigQuery: {message}"


def test_table_that_is_not_partitioned_is_refused(cloud: BigQueryWarehouse) -> None:
    made = bigquery.Table(
        f"{cloud.client.project}.raw.lines", [bigquery.SchemaField("game_date", "DATE")]
    )
    cloud.client.create_table(made)
    assert problem_of(cloud).message.startswith(
        f"BigQuery: {cloud.client.project}.raw.lines is not partitioned by day of game_date: "
    )


@pytest.mark.parametrize(
    "url",
    [
        "bigquery://project",
        "bigquery://?location=US",
        "bigquery://project?location=US&prefix=dev-",
        "bigquery://project?location=US&maximum_gib=much",
        "bigquery://project?location=US&dataset=raw",
    ],
)
def test_connection_that_does_not_say_enough_is_refused(url: str) -> None:
    with pytest.raises(Problem) as failed:
        open_warehouse(url, bigquery=lambda project, location: pytest.fail("a client was made"))
    assert (
        failed.value.message
        == "connection warehouse is not one of BigQuery: write bigquery://project?location=US, and"
        " behind it, if at all, &prefix=dev_ (letters, digits and _) and &maximum_gib=10"
    )


def test_connection_names_project_location_prefix_and_bound() -> None:
    url = "bigquery://a-project?location=EU&prefix=dev_"
    warehouse = open_warehouse(
        f"{url}&maximum_gib=3", bigquery=lambda *place: client_of("http://127.0.0.1:9", place[0])
    )
    assert isinstance(warehouse, BigQueryWarehouse)
    assert (warehouse.client.project, warehouse.prefix, warehouse.jobs.max_bytes) == (
        "a-project",
        "dev_",
        3 * 2**30,
    )
