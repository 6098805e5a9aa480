"""The search for secrets finds one wherever it is told: without this, its finding nothing would
mean nothing."""

from __future__ import annotations

import gzip
import logging
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from include.errors import ErrorClass, Problem
from include.ops.db import connect
from tests.steps.leaks import everything_logged, forms, recorded_in, secrets_in, stored_in, told_by

SECRET = "password/that nobody+may:see"
ASSERTION = f"eyJ{'a' * 40}.{'b' * 40}.{'c' * 40}"


def test_in_every_form() -> None:
    assert len(forms(SECRET)) > 5
    for form in forms(SECRET):
        assert secrets_in([f"before {form} after"], ["another", SECRET]) == [SECRET], form
    assert secrets_in([f"assertion={ASSERTION}&"], []) == [ASSERTION]


def test_in_logs_of_every_level_and_in_what_hangs_on_a_record() -> None:
    told: list[str] = []
    with everything_logged(told):
        logging.getLogger("urllib3.connectionpool").debug("GET %s", SECRET)
        google = logging.getLogger("google.auth.transport.urllib3")
        google.debug("Making request...", extra={"httpRequest": ASSERTION})
        try:
            raise ValueError(SECRET)
        except ValueError:
            logging.getLogger("include").exception("failed")
    assert [secrets_in(told[n : n + 2], [SECRET]) for n in (0, 2, 4)] == [
        [SECRET],
        [ASSERTION],
        [SECRET],
    ]


def test_in_an_exception_that_a_traceback_leaves_out() -> None:
    def fail() -> None:
        try:
            raise ValueError(SECRET)
        except ValueError:
            raise Problem(error_class=ErrorClass.INTERNAL, message="safe") from None

    with pytest.raises(Problem) as caught:
        fail()
    assert secrets_in(told_by(caught.value), [SECRET]) == [SECRET]


@pytest.mark.parametrize(
    "name", ["body.json.gz", "part.parquet", "manifest.json", f"{SECRET.replace('/', '-')}.json"]
)
def test_in_a_packed_file_and_in_its_name(tmp_path: Path, name: str) -> None:
    secret = name.removesuffix(".json") if "nobody" in name else SECRET
    if name.endswith(".parquet"):
        pq.write_table(pa.table({"row": [secret]}), tmp_path / name, compression="zstd")
    else:
        text = b"" if "nobody" in name else secret.encode()
        (tmp_path / name).write_bytes(gzip.compress(text) if name.endswith(".gz") else text)
    assert secrets_in(stored_in(tmp_path), [secret]) == [secret]


def test_in_a_row_of_any_table(ops_db: str) -> None:
    with connect(ops_db) as connection:
        connection.execute("INSERT INTO ops.limiters (name) VALUES (%s)", (SECRET,))
        assert secrets_in(recorded_in(connection, "ops"), [SECRET]) == [SECRET]
