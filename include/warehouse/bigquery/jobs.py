"""BigQuery's jobs: named, so that a killed process's job is found again; bounded in time and in
bytes; counted."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from io import BytesIO
from typing import TYPE_CHECKING, Any, TypeVar

from google.api_core.exceptions import Conflict
from google.cloud import bigquery
from google.cloud.bigquery.retry import DEFAULT_RETRY

from include.used import Used
from include.warehouse.bigquery.errors import Place, explained

if TYPE_CHECKING:
    from google.cloud.bigquery.table import RowIterator

CALL_SECONDS = 30.0
"""Of one request; the client's own default is none."""
MAX_RETRY_SECONDS = 60.0
"""Of a request with its repetitions; the client's own default is 600."""
MAX_JOB_SECONDS = 300
"""Of a job, waiting in BigQuery's queue included; the client's own default is 2,400."""
MAX_WAIT_SECONDS = MAX_JOB_SECONDS + 15
"""For a job's end: longer than the job, so that BigQuery says that it has stopped it."""
MAX_UPLOAD_RETRIES = 3

# The type in BigQuery of a value that a query is given.
_TYPES: Mapping[type, str] = {date: "DATE", str: "STRING", int: "INT64", datetime: "TIMESTAMP"}

T = TypeVar("T")


@dataclass(frozen=True)
class Value:
    """A value of a query, which may be null, and its type in BigQuery."""

    type: str
    value: Any


class Jobs:
    """Runs jobs of one client and waits for their ends. Each method raises Problem."""

    def __init__(self, client: bigquery.Client, *, max_bytes: int) -> None:
        self.client, self.max_bytes = client, max_bytes
        self.place = Place(str(client.project), str(client.location))
        self.retry = DEFAULT_RETRY.with_timeout(MAX_RETRY_SECONDS)
        self.used = Used()

    def select(self, sql: str, values: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """The rows of a query. Raises NotFound where a table, or its dataset, is not there."""
        return self.read(sql, lambda rows: [dict(row.items()) for row in rows], values)

    def read(
        self, sql: str, take: Callable[[RowIterator], T], values: Mapping[str, Any] | None = None
    ) -> T:
        """What ``take`` makes of a query's rows. Raises the client's own errors."""
        job = self._query(sql, values or {}, None)
        found: Any = job.result(retry=self.retry, timeout=MAX_WAIT_SECONDS, job_retry=None)
        self._count(job)
        return take(found)

    def kind_of(self, sql: str) -> str:
        """What a statement is (``SELECT``), without running it. Raises the client's own errors."""
        config = bigquery.QueryJobConfig(dry_run=True, use_query_cache=False)
        job = self.client.query(
            sql, job_config=config, retry=self.retry, timeout=CALL_SECONDS, job_retry=None
        )
        return str(job.statement_type)

    def change(self, sql: str, values: Mapping[str, Any], *, job_id: str | None = None) -> bool:
        """Runs a statement that changes rows; False where a job of this name was there already,
        whose end was waited for instead."""
        with explained(self.place):
            return self._finish(lambda: self._query(sql, values, job_id), job_id)

    def load(
        self,
        data: bytes,
        destination: str,
        schema: Sequence[bigquery.SchemaField],
        *,
        job_id: str,
    ) -> bool:
        """Makes a table of these bytes of Parquet; False as ``change`` says it."""
        config = bigquery.LoadJobConfig(
            source_format=bigquery.SourceFormat.PARQUET,
            schema=schema,
            write_disposition=bigquery.WriteDisposition.WRITE_TRUNCATE,
            job_timeout_ms=MAX_JOB_SECONDS * 1000,
        )
        with explained(self.place):
            # Without its size the upload is a resumable one, whose parts are sent again alone.
            return self._finish(
                lambda: self.client.load_table_from_file(
                    BytesIO(data),
                    destination,
                    job_id=job_id,
                    job_config=config,
                    num_retries=MAX_UPLOAD_RETRIES,
                    timeout=CALL_SECONDS,
                ),
                job_id,
            )

    def _query(self, sql: str, values: Mapping[str, Any], job_id: str | None) -> bigquery.QueryJob:
        config = bigquery.QueryJobConfig(
            query_parameters=[_parameter(name, value) for name, value in values.items()],
            maximum_bytes_billed=self.max_bytes,
            job_timeout_ms=MAX_JOB_SECONDS * 1000,
        )
        return self.client.query(
            sql,
            job_config=config,
            job_id=job_id,
            retry=self.retry,
            timeout=CALL_SECONDS,
            job_retry=None,
        )

    def _finish(
        self,
        submit: Callable[[], bigquery.QueryJob | bigquery.LoadJob],
        job_id: str | None,
    ) -> bool:
        ours = True
        job: Any
        try:
            job = submit()
        except Conflict:
            # Ours, whose answer was lost, or a killed process's, which goes on without it.
            ours = False
            job = self.client.get_job(str(job_id), retry=self.retry, timeout=CALL_SECONDS)
            if job.error_result:
                return False
        bounds: dict[str, Any] = {"retry": self.retry, "timeout": MAX_WAIT_SECONDS}
        if isinstance(job, bigquery.QueryJob):
            bounds["job_retry"] = None
        job.result(**bounds)
        self._count(job)
        return ours

    def _count(self, job: bigquery.QueryJob | bigquery.LoadJob) -> None:
        billed = getattr(job, "total_bytes_billed", None) or 0
        self.used = Used(operations=self.used.operations + 1, billed=self.used.billed + billed)


def _parameter(name: str, value: Any) -> bigquery.ScalarQueryParameter:
    if isinstance(value, Value):
        return bigquery.ScalarQueryParameter(name, value.type, value.value)
    return bigquery.ScalarQueryParameter(name, _TYPES[type(value)], value)
