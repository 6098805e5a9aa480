"""The service account: keys that are not one, and sign-ins that are refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from include.http.service_account import token_source
from tests.steps.bench import Bench
from tests.steps.credentials import (
    PRIVATE_KEY,
    SCOPES,
    key_file,
)
from tests.steps.errors.cases import (
    DAY,
    DRIVE,
    SOUND,
    changed,
    judged,
    strike,
)


@pytest.mark.parametrize(
    ("key", "message"),
    [
        (None, "has no service account: put its key file's JSON into the extra as keyfile_dict"),
        (PRIVATE_KEY, "holds a key file that is not a service account's JSON: paste it again"),
        (
            {"private_key": PRIVATE_KEY},
            "holds a key file that is not a service account's JSON: paste it again",
        ),
    ],
    ids=["none", "no JSON", "not whole"],
)
def test_a_service_account_that_is_none_is_a_bad_key(
    bench: Bench, tmp_path: Path, key: Any, message: str
) -> None:
    token = token_source("bigdataball", key, SCOPES)
    ended = bench.run(
        DRIVE, DAY, tmp_path, requests=0, upstreams=changed(bench, "bigdataball", token=token)
    )
    assert judged(ended) == ("failed", "bad_key", 0)
    assert (ended.signed_in, ended.message) == (0, f"connection bigdataball {message}")


@pytest.mark.parametrize(
    ("kind", "error_class", "signed_in"),
    [
        ("bad_key", "bad_key", 1),
        *(
            (kind, "upstream_down", 4)
            for kind in ("429", "500", "503", "hang", "block_page_200", "torn_body")
        ),
    ],
)
def test_a_refused_sign_in_is_no_bad_key_while_it_may_pass(
    bench: Bench, tmp_path: Path, kind: str, error_class: str, signed_in: int
) -> None:
    strike(bench.sandbox, DRIVE, kind, endpoint="token")
    token = token_source(
        "bigdataball", key_file(bench.sandbox), SCOPES, timeout=0.3 if kind == "hang" else 10.0
    )
    ended = bench.run(
        DRIVE, DAY, tmp_path, requests=0, upstreams=changed(bench, "bigdataball", token=token)
    )
    assert (judged(ended), ended.signed_in) == (("failed", error_class, 0), signed_in)
    assert ended.backoffs == ((1.0, 2.0, 4.0) if signed_in == 4 else ())


def test_a_sign_in_that_passes_lets_the_date_be_loaded(bench: Bench, tmp_path: Path) -> None:
    strike(bench.sandbox, DRIVE, "503", endpoint="token", times=3)
    token = token_source("bigdataball", key_file(bench.sandbox), SCOPES)
    ended = bench.run(
        DRIVE,
        DAY,
        tmp_path,
        requests=SOUND[DRIVE],
        upstreams=changed(bench, "bigdataball", token=token),
    )
    assert (judged(ended), ended.signed_in) == (("complete", "", SOUND[DRIVE]), 4)
