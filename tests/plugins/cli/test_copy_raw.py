"""`airflow nba copy-raw`: what it says of what it did, and what it refuses."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from include.steps.job import Stores
from include.storage.local import LocalStore
from nba_airflow.cli.copy_raw import copy_raw
from tests.plugins.cli.asking import DAY, NEXT, Call, Said
from tests.storage.test_store import contents


@pytest.fixture
def target(gcs_url: str, bucket: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of an empty bucket, which the connections lead to."""
    google = {"conn_type": "generic", "extra": {"is_anonymous": True}}
    monkeypatch.setenv("AIRFLOW_CONN_GOOGLE_CLOUD_DEFAULT", json.dumps(google))
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", gcs_url)
    return f"gs://{bucket}/nba/raw"


def test_raw_store_is_copied_into_a_bucket_and_again_only_what_is_new(
    call: Call,
    stores: Stores,
    done: Callable[[date], None],
    target: str,
    gcs_folder: Path,
) -> None:
    done(DAY)
    first = call(copy_raw, to=target, json=True)
    size = sum(len(data or b"") for data in contents(stores.raw).values())
    assert (first.code, first.facts) == (
        0,
        {
            "from": stores.raw.url,
            "to": target,
            "bytes": size,
            **{"copied": 2, "there": 0, "replaced": 0, "differs": 0, "gone": 0},
            "differing": [],
            "exit_code": 0,
        },
    )
    done(NEXT)
    assert call(copy_raw, to=target, output="plain").rows == [
        ["copied", "2"],
        ["there", "2"],
        ["replaced", "0"],
        ["differs", "0"],
        ["gone", "0"],
    ]
    there = gcs_folder / target.removeprefix("gs://")
    assert contents(LocalStore(there)) == contents(stores.raw)


def test_what_differs_is_named_and_kept(
    call: Call, stores: Stores, done: Callable[[date], None], tmp_path: Path
) -> None:
    done(DAY)
    other = LocalStore(tmp_path / "other")
    manifest = f"bdl_box_scores/2025/01/{DAY}/box_scores/_manifest.json"
    other.create(manifest, b"theirs")
    said = call(copy_raw, to=other.url)
    (body,) = (path for path in stores.raw.walk("") if path != manifest)
    size = len(stores.raw.read(body) or b"")
    assert (said.code, said.out.splitlines()) == (
        1,
        [
            f"{stores.raw.url} -> {other.url}: 1 object copied ({size:,} bytes), 0 were there"
            " already",
            f"  differs, left as it is: {manifest}",
            "They have changed since they were copied: copy again with --update",
        ],
    )
    assert other.read(manifest) == b"theirs"
    said = call(copy_raw, to=other.url, update=True)
    size = len(stores.raw.read(manifest) or b"")
    assert (said.code, said.out.splitlines()[0]) == (
        0,
        f"{stores.raw.url} -> {other.url}: 0 objects copied ({size:,} bytes), 1 replaced, 1 were"
        " there already",
    )
    assert contents(other) == contents(stores.raw)


def test_what_cannot_be_copied_is_refused_on_one_line(
    call: Call, stores: Stores, done: Callable[[date], None], target: str
) -> None:
    done(DAY)
    raw, nowhere = stores.raw.url, "gs://raw-nowhere/nba"
    bad = ["/srv", "file://srv/nba", "file://srv", "gs:///nba"]
    refused = {to: call(copy_raw, to=to) for to in (*bad, raw, f"{raw}/in", nowhere)}
    apart = "are not apart: copy into another place\n"
    form = "write file:///absolute/folder or gs://bucket/prefix\n"
    assert {to: (said.code, said.out, said.err) for to, said in refused.items()} == {
        **{to: (2, "", f"airflow nba copy-raw: --to {to}: {form}") for to in bad},
        raw: (2, "", f"airflow nba copy-raw: {raw} and {raw} {apart}"),
        f"{raw}/in": (2, "", f"airflow nba copy-raw: {raw} and {raw}/in {apart}"),
        nowhere: (
            2,
            "",
            f"airflow nba copy-raw: storage: cannot write below {nowhere}: there is no bucket"
            " raw-nowhere: create it, or correct the store's URL\n",
        ),
    }


@pytest.mark.usefixtures("books")
def test_bucket_without_googles_connection_is_refused_with_the_command_that_adds_it(
    call: Call, stores: Stores
) -> None:
    assert call(copy_raw, to="gs://bucket/prefix") == Said(
        code=2,
        out="",
        err=(
            "airflow nba copy-raw: bad_key: connection google_cloud_default is not defined:"
            " `airflow connections add google_cloud_default --conn-type google_cloud_platform"
            """ --conn-extra '{"key_path": "/path/to/key.json"}'`, or another of"""
            " docs/bigquery.md's forms\n"
        ),
    )
