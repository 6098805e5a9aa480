"""What BigQuery is sent, and what a process does that comes after a killed one. What only the real
service answers, a proxy answers in the engine's stead."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from google.cloud.bigquery import Client

from include.outcome import Outcome
from include.sources.spec import Column
from include.used import Used
from include.warehouse.bigquery.warehouse import BigQueryWarehouse
from include.warehouse.rows import to_parquet
from tests.warehouse.conftest import client_of
from tests.warehouse.lines import DAY, TABLE, row
from tests.warehouse.test_conformance import told
from tests.warehouse.wire import Wire

ROWS = [row("a", 1), row("b", 2)]
KEY = f"raw_lines_20250115_{sha256(to_parquet(TABLE, ROWS)).hexdigest()[:12]}"
DONE = {"status": {"state": "DONE"}, "statistics": {}}
FIELDS = [
    ("game_date", "DATE"),
    ("player", "STRING"),
    ("number", "INTEGER"),
    ("share", "FLOAT"),
    ("home", "BOOLEAN"),
    ("tip_off", "TIMESTAMP"),
    ("source_file", "STRING"),
]


def loads(wire: Wire) -> list[dict[str, Any]]:
    """The bodies that begin an upload."""
    return [request.body for request in wire.sent("POST", "^/.*upload/")]


def statements(wire: Wire, word: str) -> list[dict[str, Any]]:
    """The bodies of the queries that begin with the word."""
    jobs = [request.body for request in wire.sent("POST", "v2/projects/[^/]*/jobs$")]
    queries = [job for job in jobs if job and "query" in job["configuration"]]
    return [job for job in queries if job["configuration"]["query"]["query"].startswith(word)]


def sql_of(wire: Wire) -> list[str]:
    """The text of all queries."""
    return [job["configuration"]["query"]["query"] for job in statements(wire, "")]


def job_ids(jobs: list[dict[str, Any]]) -> list[str]:
    return [job["jobReference"]["jobId"] for job in jobs]


def test_table_is_made_of_its_spec(watched: Callable[[], BigQueryWarehouse], wire: Wire) -> None:
    described = replace(
        TABLE,
        doc="One row a line.",
        columns=(*TABLE.columns[:-1], Column("tip_off", "TIMESTAMP", "UTC")),
        key=("player", "share", "number"),
    )
    warehouse = watched()
    warehouse.prepare(described)
    (made,) = wire.sent("POST", "/tables$")
    fields = [{"name": n, "type": t, "mode": "NULLABLE"} for n, t in FIELDS]
    fields[5]["description"] = "UTC"
    fields[6]["description"] = "Raw object, relative to the raw store, that the row was read from"
    sent = {**made.body, "schema": {"fields": made.body["schema"]["fields"]}}
    for field in sent["schema"]["fields"]:
        if field.get("description", "") is None:
            del field["description"]
    assert sent == {
        "tableReference": {
            "projectId": warehouse.client.project,
            "datasetId": "raw",
            "tableId": "lines",
        },
        "schema": {"fields": fields},
        "timePartitioning": {"type": "DAY", "field": "game_date"},
        "clustering": {"fields": ["player", "number"]},
        "description": "One row a line.",
        "labels": {"managed_by": "nba_backfill"},
    }


def test_table_that_is_up_to_date_is_left_alone(
    watched: Callable[[], BigQueryWarehouse], wire: Wire
) -> None:
    watched().prepare(TABLE)
    wire.requests.clear()
    warehouse = watched()
    warehouse.prepare(TABLE)
    warehouse.prepare(TABLE)
    assert [(r.method, r.path.rpartition("/")[2]) for r in wire.requests] == [("GET", "lines")]


def test_all_that_is_up_to_date_is_left_alone(
    watched: Callable[[], BigQueryWarehouse], wire: Wire
) -> None:
    watched().create([TABLE])
    wire.requests.clear()
    watched().create([TABLE])
    assert {request.method for request in wire.requests} == {"GET"}


def test_date_asks_for_each_thing_once(
    watched: Callable[[], BigQueryWarehouse], wire: Wire
) -> None:
    warehouse = watched()
    warehouse.create([TABLE])
    wire.requests.clear()
    for _ in range(2):
        warehouse.rows(TABLE, DAY, ["source_file"])
        warehouse.replace(TABLE, DAY, ROWS)
        warehouse.replace_status(told(Outcome.COMPLETE, 2))
        warehouse.rows(TABLE, DAY, ["player"])
        warehouse.rows(TABLE, DAY, ["source_file"])
        warehouse.status(TABLE, DAY)
    asked = [re.split(r" WHERE| \(| AS target", statement)[0] for statement in sql_of(wire)]
    name = warehouse.client.project
    assert asked == [
        f"SELECT * FROM `{name}.raw.lines`",
        f"SELECT 1 AS there FROM `{name}.raw.empty_dates`",
        f"MERGE INTO `{name}.raw.lines`",
        f"SELECT * FROM `{name}.raw.date_status`",
        f"INSERT INTO `{name}.raw.date_status_history`",
        f"SELECT * FROM `{name}.raw.lines`",
    ]


# Of BigQuery's own list, those that somebody might take for a name; the engine takes them all.
RESERVED = frozenset(
    {"all", "any", "array", "at", "by", "current", "default", "end", "for", "from", "full"}
    | {"groups", "hash", "if", "in", "interval", "left", "limit", "lookup", "new", "no", "of"}
    | {"on", "order", "over", "range", "right", "rows", "select", "set", "some", "struct", "to"}
    | {"true", "using", "when", "window", "with", "within"}
)


def test_no_name_of_ours_is_one_of_bigquerys_words(
    watched: Callable[[], BigQueryWarehouse], wire: Wire
) -> None:
    warehouse = watched()
    for rows in (ROWS, [], ROWS):
        warehouse.replace(TABLE, DAY, rows)
    warehouse.replace_status(told(Outcome.COMPLETE, 2))
    warehouse.days(TABLE)
    warehouse.tables()
    words = {name.lower() for sql in sql_of(wire) for name in re.findall(r"(?:AS |@)(\w+)", sql)}
    assert words >= {"target", "staged", "day", "name", "there"}
    assert words & RESERVED == set()


def test_date_is_one_load_beside_and_one_merge(
    watched: Callable[[], BigQueryWarehouse], wire: Wire
) -> None:
    warehouse = watched()
    warehouse.replace(TABLE, DAY, ROWS)
    project = warehouse.client.project
    (load,) = loads(wire)
    for field in load["configuration"]["load"]["schema"]["fields"]:
        field.pop("description", None)
    staged = f"{KEY}_1"
    assert load == {
        "jobReference": {
            "jobId": f"nba_load_{KEY}_1",
            "projectId": project,
            "location": "US",
        },
        "configuration": {
            "load": {
                "destinationTable": {
                    "projectId": project,
                    "datasetId": "staging",
                    "tableId": staged,
                },
                "schema": {
                    "fields": [{"name": n, "type": t, "mode": "NULLABLE"} for n, t in FIELDS]
                },
                "sourceFormat": "PARQUET",
                "writeDisposition": "WRITE_TRUNCATE",
            },
            "jobTimeoutMs": "300000",
        },
    }
    (merge,) = statements(wire, "MERGE")
    columns = ", ".join(f"`{name}`" for name, _ in FIELDS)
    assert merge["jobReference"] == {
        "jobId": f"nba_merge_{KEY}_1",
        "projectId": project,
        "location": "US",
    }
    assert merge["configuration"] == {
        "query": {
            "query": f"MERGE INTO `{project}.raw.lines` AS target USING"
            f" `{project}.staging.{staged}` AS staged ON FALSE"
            " WHEN NOT MATCHED BY SOURCE AND target.`game_date` = @day THEN DELETE"
            f" WHEN NOT MATCHED BY TARGET THEN INSERT ({columns}) VALUES ({columns})",
            "queryParameters": [
                {
                    "name": "day",
                    "parameterType": {"type": "DATE"},
                    "parameterValue": {"value": "2025-01-15"},
                }
            ],
            "parameterMode": "NAMED",
            "useLegacySql": False,
            "maximumBytesBilled": str(10 * 2**30),
        },
        "jobTimeoutMs": "300000",
    }
    left = list(warehouse.client.list_tables(f"{project}.staging"))
    assert left == []


def test_rerun_loads_nothing(watched: Callable[[], BigQueryWarehouse], wire: Wire) -> None:
    watched().replace(TABLE, DAY, ROWS)
    wire.requests.clear()
    assert watched().replace(TABLE, DAY, ROWS).changed is False
    assert (loads(wire), statements(wire, "MERGE")) == ([], [])


KILLED = """
import os, signal, sys
from include.warehouse.bigquery.warehouse import BigQueryWarehouse
from tests.warehouse.conftest import client_of
from tests.warehouse.lines import DAY, TABLE
from tests.warehouse.test_bigquery import ROWS

class Dying(BigQueryWarehouse):
    def _merge(self, *args):
        os.kill(os.getpid(), signal.SIGKILL)

Dying(client_of(*sys.argv[1:])).replace(TABLE, DAY, ROWS)
"""


def test_process_killed_between_load_and_merge_is_made_good_by_the_next(
    cloud: BigQueryWarehouse, watched: Callable[[], BigQueryWarehouse], wire: Wire
) -> None:
    """The real service answers the second upload with 409: the job of this name is there."""
    cloud.replace(TABLE, DAY, [row("old")])
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, wire.url, str(cloud.client.project)],
        cwd=Path(__file__).resolve().parents[2],
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL
    assert cloud.rows(TABLE, DAY) == [row("old")]
    there = {**DONE, "jobReference": {"jobId": f"nba_load_{KEY}_1", "projectId": "p"}}
    there["configuration"] = {"load": {"destinationTable": {}}}
    wire.answer("GET", f"/jobs/nba_load_{KEY}_1", 200, there, times=3)
    wire.refuse("POST", "/upload/", 409, "duplicate", f"Already Exists: Job p:nba_load_{KEY}_1")
    wire.requests.clear()
    watched().replace(TABLE, DAY, ROWS)
    assert watched().rows(TABLE, DAY) == ROWS
    assert (len(wire.sent("PUT")), job_ids(statements(wire, "MERGE"))) == (
        0,
        [f"nba_merge_{KEY}_1"],
    )


def test_merge_that_was_there_already_and_left_other_rows_is_made_again(
    cloud: BigQueryWarehouse, watched: Callable[[], BigQueryWarehouse], wire: Wire
) -> None:
    """The job of this name is an earlier load's of the same rows, which others have replaced."""
    cloud.replace(TABLE, DAY, [row("old")])
    duplicate = "Already Exists: Job p:x"
    wire.answer(
        "POST",
        f"MERGE.*nba_merge_{KEY}_1|nba_merge_{KEY}_1.*MERGE",
        409,
        {"error": {"code": 409, "message": duplicate, "errors": [{"reason": "duplicate"}]}},
    )
    there = {**DONE, "jobReference": {"jobId": f"nba_merge_{KEY}_1", "projectId": "p"}}
    there |= {"configuration": {"query": {"query": "MERGE"}}, "jobComplete": True}
    wire.answer("GET", f"/(jobs|queries)/nba_merge_{KEY}_1", 200, there, times=5)
    watched().replace(TABLE, DAY, ROWS)
    assert cloud.rows(TABLE, DAY) == ROWS
    assert job_ids(statements(wire, "MERGE")) == [f"nba_merge_{KEY}_{n}" for n in (1, 2)]


def test_load_that_has_failed_under_this_name_is_made_again(
    cloud: BigQueryWarehouse, watched: Callable[[], BigQueryWarehouse], wire: Wire
) -> None:
    error = {"code": 409, "message": "Already Exists: Job", "errors": [{"reason": "duplicate"}]}
    wire.answer("POST", f"/upload/.*nba_load_{KEY}_1", 409, {"error": error})
    failed = {
        "status": {"state": "DONE", "errorResult": {"reason": "backendError", "message": "x"}},
        "jobReference": {"jobId": f"nba_load_{KEY}_1", "projectId": "p"},
        "configuration": {"load": {"destinationTable": {}}},
    }
    wire.answer("GET", f"/jobs/nba_load_{KEY}_1", 200, failed)
    watched().replace(TABLE, DAY, ROWS)
    assert cloud.rows(TABLE, DAY) == ROWS
    assert job_ids(loads(wire)) == [f"nba_load_{KEY}_{n}" for n in (1, 2)]
    assert job_ids(statements(wire, "MERGE")) == [f"nba_merge_{KEY}_2"]


def test_status_is_added_without_a_load(
    watched: Callable[[], BigQueryWarehouse], wire: Wire
) -> None:
    warehouse = watched()
    warehouse.replace_status(told(Outcome.PARTIAL, 1))
    warehouse.replace_status(told(Outcome.COMPLETE, 2))
    assert (loads(wire), statements(wire, "MERGE"), len(statements(wire, "INSERT"))) == ([], [], 2)


def test_bytes_and_operations_are_counted(
    watched: Callable[[], BigQueryWarehouse], wire: Wire
) -> None:
    """The engine bills nothing."""
    warehouse = watched()
    warehouse.prepare(TABLE)
    reference = {"jobId": "x", "projectId": "p", "location": "US"}
    job = {
        "jobReference": reference,
        "configuration": {"query": {"query": "SELECT"}},
        "status": {"state": "DONE"},
        "statistics": {"query": {"totalBytesBilled": "10485760"}},
    }
    wire.answer("POST", "/jobs.*SELECT", 200, job)
    rows = {"jobReference": reference, "jobComplete": True, "schema": {"fields": []}, "rows": []}
    wire.answer("GET", "/queries/", 200, {**rows, "totalRows": "0"}, times=3)
    assert warehouse.rows(TABLE, DAY) is None
    assert warehouse.used == Used(operations=2, billed=10485760)


GUIDE = (
    """
SELECT
  DATE(game_date) as date,
  COUNT(*) as records
FROM `nba-props-platform.raw.bdl_box_scores`
WHERE game_date BETWEEN '2025-01-01' AND '2025-03-31'
GROUP BY date
ORDER BY date;
""",
    """
WITH date_range AS (
  SELECT DATE('2025-01-01') + INTERVAL day DAY as date
  FROM UNNEST(GENERATE_ARRAY(0, 89)) as day
)
SELECT dr.date
FROM date_range dr
LEFT JOIN (
  SELECT DISTINCT DATE(game_date) as date
  FROM `nba-props-platform.raw.bdl_box_scores`
) bq ON dr.date = bq.date
WHERE bq.date IS NULL;
""",
)


def test_queries_of_the_guide_run_as_written(engine: str) -> None:
    warehouse = BigQueryWarehouse(client_of(engine, "nba-props-platform"))
    warehouse.create([])
    warehouse.replace(replace(TABLE, name="bdl_box_scores"), DAY, ROWS)
    loaded, gaps = (warehouse.ask(query).to_pylist() for query in GUIDE)
    assert loaded == [{"date": DAY, "records": 2}]
    assert (len(gaps), DAY in {each["date"].date() for each in gaps}) == (89, False)


def test_environments_share_a_project_by_their_prefixes(client: Client) -> None:
    dev, live = (BigQueryWarehouse(client, prefix=prefix) for prefix in ("dev_", ""))
    for warehouse in (dev, live):
        warehouse.create([TABLE])
    dev.replace(TABLE, DAY, ROWS)
    assert (dev.rows(TABLE, DAY), live.rows(TABLE, DAY)) == (ROWS, None)
    found = sorted(each.dataset_id for each in client.list_datasets())
    assert found == ["dev_raw", "dev_staging", "raw", "staging"]
    assert {t.split(".")[0] for t in dev.tables()["table"].to_pylist()} == {"dev_raw"}
