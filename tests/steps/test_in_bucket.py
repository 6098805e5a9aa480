"""A date whose raw store is a bucket: what an upstream is asked for, and what is there, when
Google refuses or an answer is lost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from google.cloud.storage import Client

from include.errors import Problem
from include.guards.plan import READS_BESIDE, WRITES_BESIDE
from include.outcome import Outcome
from include.storage.gcs import PERMISSIONS, GcsStore
from tests.devstack.test_costs_page import FETCH
from tests.steps.line import Line
from tests.steps.test_attempt import Tries
from tests.storage.wire import Wire, between


@pytest.fixture
def wire(gcs_url: str) -> Iterator[Wire]:
    with between(gcs_url) as found:
        yield found


@pytest.fixture
def tries(line: Line, wire: Wire, bucket: str, gcs_client: Callable[..., Client]) -> Tries:
    store = GcsStore(gcs_client(wire.url), bucket, "nba")
    return Tries(replace(line, stores=replace(line.stores, raw=store)))


def test_account_that_may_not_write_is_named_before_an_upstream_is_asked(
    tries: Tries, wire: Wire, bucket: str
) -> None:
    wire.meets(f"GET /b/{bucket}/iam", status=200, answer={"permissions": list(PERMISSIONS[2:])})
    problem = tries.fails()
    assert (problem.message, tries.opened) == (
        f"cannot write below gs://{bucket}/nba: the account lacks storage.objects.create,"
        " storage.objects.delete: give it the role Storage Object User on the bucket",
        0,
    )


def test_bucket_that_is_not_there_is_named_before_an_upstream_is_asked(
    tries: Tries, wire: Wire, gcs_client: Callable[..., Client]
) -> None:
    store = GcsStore(gcs_client(wire.url), "raw-nowhere")
    line = replace(tries.line, stores=replace(tries.line.stores, raw=store))
    other = Tries(line)
    with pytest.raises(Problem, match="there is no bucket raw-nowhere: create it"):
        other.run()
    assert other.opened == 0


@pytest.mark.parametrize("write", range(3))
def test_date_is_whole_and_there_once_whichever_writes_answer_is_lost(
    tries: Tries, wire: Wire, bucket: str, gcs_folder: Path, write: int
) -> None:
    for _ in range(write):
        wire.meets("POST")
    wire.meets("POST", lost=True)
    row = tries.run()
    again = tries.run()
    assert (wire.events, row.outcome, row.requests, tries.opened) == ([], Outcome.COMPLETE, 2, 1)
    assert (again.outcome, again.requests, again.rows) == (Outcome.COMPLETE, 0, row.rows)
    names = [path.name for path in (gcs_folder / bucket).rglob("*") if path.is_file()]
    assert sorted(name.rpartition("-")[0] or name for name in names) == [
        "_manifest.json",
        "all",
        "games",
    ]


@pytest.mark.parametrize("meets", [[], [503, 429], [412]], ids=str)
def test_operations_are_counted_as_they_were_served_whatever_was_refused(
    tries: Tries, wire: Wire, bucket: str, meets: list[int]
) -> None:
    for status in meets:
        wire.meets("POST", status=status)
    row = tries.run()
    again = tries.run()
    listed, written = f"GET /b/{bucket}/o", f"POST /upload/b/{bucket}/o"
    served = Counter(what in (listed, written) for what, status in wire.served if status < 300)
    counted = (row.bucket_writes + again.bucket_writes, row.bucket_reads + again.bucket_reads)
    assert counted == (served[True], served[False])


def test_a_date_takes_the_operations_that_the_page_of_costs_counts(
    tries: Tries, wire: Wire, bucket: str
) -> None:
    wire.meets(f"GET /b/{bucket}/iam", status=200, answer={"permissions": list(PERMISSIONS)})
    row = tries.run()
    assert (row.bucket_writes, row.bucket_reads) == FETCH == (2 + WRITES_BESIDE, 2 + READS_BESIDE)
