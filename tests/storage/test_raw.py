"""The raw layer: bodies as they came, once each, and manifests that say which of them are the
date."""

from __future__ import annotations

import gzip
import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from include.errors import ErrorClass, Problem
from include.outcome import Outcome
from include.partition import Partition
from include.storage.local import LocalStore
from include.storage.raw import (
    Manifest,
    RawObject,
    get_body,
    partitions,
    put_body,
    read_manifest,
    stored_objects,
    write_manifest,
)
from include.storage.store import Store

PARTITION = Partition(dag_id="bdl", endpoint="box_scores", day=date(2025, 1, 15))
FOLDER = "bdl/2025/01/2025-01-15/box_scores"
BODY = json.dumps({"data": [{"id": n, "name": f"player {n}"} for n in range(100)]}).encode()
REPAIR = "; restore it, or rerun the date with --refetch"


def put(store: Store, item: str = "all", body: bytes = BODY, suffix: str = "json") -> RawObject:
    url = "http://127.0.0.1/v1/box_scores?date=2025-01-15"
    return put_body(
        store, PARTITION, item=item, role="data", body=body, url=url, status=200, suffix=suffix
    )


def manifest(*objects: RawObject) -> Manifest:
    return Manifest(
        dag_id="bdl",
        endpoint="box_scores",
        day="2025-01-15",
        outcome=Outcome.COMPLETE,
        message="2 of 2 games",
        expected_from="listing",
        games_expected=2,
        games_found=2,
        missing=("GSW@UTA (unplayed)",),
        requests=2,
        credits=0,
        objects=objects,
        finished_at="2025-01-16T11:00:00.000+00:00",
    )


class Recording:
    """The store, and which objects were replaced in it."""

    def __init__(self, store: Store) -> None:
        self.store, self.replaced = store, list[str]()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)

    def replace(self, path: str, data: bytes) -> None:
        self.replaced.append(path)
        self.store.replace(path, data)


def damaged(store: Store, item: RawObject) -> bool:
    """Whether the body cannot be had; a wrong one would be worse. gzip's header has bytes that
    nobody reads."""
    try:
        assert get_body(store, item) == BODY
    except Problem:
        return True
    return False


def refused(call: Callable[[], object]) -> str:
    with pytest.raises(Problem) as caught:
        call()
    assert caught.value.error_class is ErrorClass.STORAGE
    return caught.value.message


def test_body_lies_under_its_partition_item_and_hash_and_comes_back(store: Store) -> None:
    item = put(store)
    sha = hashlib.sha256(BODY).hexdigest()
    assert replace(item, fetched_at="") == RawObject(
        item="all",
        role="data",
        path=f"{FOLDER}/all-{sha[:12]}.json.gz",
        sha256=sha,
        bytes=len(BODY),
        url="http://127.0.0.1/v1/box_scores?date=2025-01-15",
        status=200,
        fetched_at="",
    )
    assert get_body(store, item) == BODY
    assert put(store, suffix="csv").path == f"{FOLDER}/all-{sha[:12]}.csv.gz"


def test_same_body_twice_is_one_object_that_is_not_touched_again(store: Store) -> None:
    written: Any = Recording(store)
    path = put(written).path
    put(written)
    assert store.names(FOLDER) == [path]
    assert written.replaced == []


def test_other_body_is_a_second_object_beside_the_first(store: Store) -> None:
    first, second = put(store), put(store, body=BODY + b"\n")
    assert store.names(FOLDER) == sorted([first.path, second.path])
    assert (get_body(store, first), get_body(store, second)) == (BODY, BODY + b"\n")


def test_compressed_bytes_depend_on_the_body_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = LocalStore(tmp_path / "one"), LocalStore(tmp_path / "other")
    path = put(one).path
    monkeypatch.setattr(time, "time", lambda: 2_000_000_000.0)
    assert put(other).path == path
    assert one.read(path) == other.read(path)


@settings(max_examples=60)  # each writes and reads files
@given(at=st.floats(0, 1, exclude_max=True), flip=st.integers(1, 255))
def test_flipped_byte_is_found_or_harmless(
    tmp_path_factory: pytest.TempPathFactory, at: float, flip: int
) -> None:
    store = LocalStore(tmp_path_factory.mktemp("raw"))
    item = put(store)
    path = store.root / item.path
    data = bytearray(path.read_bytes())
    data[int(at * len(data))] ^= flip
    path.write_bytes(data)
    if damaged(store, item):
        message = refused(lambda: get_body(store, item))
        assert message.startswith(f"raw store {store.url}: {item.path} ")
        assert message.endswith(REPAIR)


@settings(max_examples=30)  # each writes and reads files
@given(kept=st.floats(0, 1, exclude_max=True))
def test_torn_object_is_always_found(tmp_path_factory: pytest.TempPathFactory, kept: float) -> None:
    store = LocalStore(tmp_path_factory.mktemp("raw"))
    item = put(store)
    path = store.root / item.path
    whole = path.read_bytes()
    path.write_bytes(whole[: int(kept * len(whole))])
    message = refused(lambda: get_body(store, item))
    assert message.startswith(f"raw store {store.url}: {item.path} ")
    assert message.endswith(REPAIR)


def test_object_that_is_gone_or_another_one_is_named_with_its_repair(store: Store) -> None:
    item = put(store)
    store.replace(item.path, gzip.compress(b"{}"))
    lost = replace(item, path=f"{FOLDER}/lost-0123456789ab.json.gz")
    other, gone = refused(lambda: get_body(store, item)), refused(lambda: get_body(store, lost))
    assert (other, gone) == (
        f"raw store {store.url}: {item.path} has other bytes than its manifest says{REPAIR}",
        f"raw store {store.url}: {lost.path} is missing{REPAIR}",
    )


def test_stored_bodies_are_found_without_a_manifest(store: Store) -> None:
    stored = [
        put(store, "0022400561"),
        put(store, "0022400562"),
        put(store, "0022400561", BODY + b"\n"),
    ]
    write_manifest(store, PARTITION, manifest(stored[0]))
    store.create(f"{FOLDER}/notes.txt", b"somebody's")
    assert stored_objects(store, PARTITION) == sorted(
        (replace(item, url="", fetched_at="") for item in stored), key=lambda item: item.path
    )


@pytest.mark.parametrize(
    "torn",
    [b"", gzip.compress(BODY)[:20], gzip.compress(b"{}")],
    ids=["empty", "torn", "another body"],
)
def test_stored_body_that_is_damaged_is_asked_for_again_and_healed_by_the_same_one(
    store: Store, caplog: pytest.LogCaptureFixture, torn: bytes
) -> None:
    item = put(store)
    store.replace(item.path, torn)
    assert stored_objects(store, PARTITION) == []
    assert [record.getMessage() for record in caplog.records] == [
        f"{store.url}/{item.path} is damaged; it is asked for again"
    ]
    assert put(store).path == item.path
    assert get_body(store, item) == BODY
    assert [found.path for found in stored_objects(store, PARTITION)] == [item.path]


def test_manifest_comes_back_as_it_was_written(store: Store) -> None:
    written = manifest(put(store, "games"), put(store))
    assert read_manifest(store, PARTITION) is None
    write_manifest(store, PARTITION, written)
    assert read_manifest(store, PARTITION) == written


def test_manifest_that_another_run_has_written_since_is_left_as_it_is(store: Store) -> None:
    first = manifest(put(store))
    late, other = (replace(first, finished_at=f"2025-01-16T12:0{n}:00.000+00:00") for n in "12")
    write_manifest(store, PARTITION, first)
    write_manifest(store, PARTITION, other, over=first)
    for seen in (first, None):
        with pytest.raises(Problem) as caught:
            write_manifest(store, PARTITION, late, over=seen)
        assert (caught.value.error_class, caught.value.passing, caught.value.message) == (
            ErrorClass.STORAGE,
            True,
            f"raw store {store.url}: another run has written {FOLDER}/_manifest.json meanwhile:"
            " nothing to do, Airflow's retry goes on from there",
        )
    assert read_manifest(store, PARTITION) == other
    judged = replace(other, outcome=Outcome.ACCEPTED, message="judged since it was read")
    write_manifest(store, PARTITION, late, over=judged)
    assert read_manifest(store, PARTITION) == late


def test_manifest_gives_its_data_in_a_fixed_order_without_listings(store: Store) -> None:
    b, a = put(store, "b"), put(store, "a")
    listing = replace(put(store, "games"), role="truth")
    assert manifest(b, listing, a).data() == [a, b]


@pytest.mark.parametrize(
    "text", ["", "{", "null", "[]", '"text"', "7", "{}", '{"objects": [3]}', '{"objects": null}']
)
def test_torn_manifest_is_named_with_its_repair(store: Store, text: str) -> None:
    write_manifest(store, PARTITION, manifest())
    store.replace(f"{FOLDER}/_manifest.json", text.encode())
    message = refused(lambda: read_manifest(store, PARTITION))
    assert message.startswith(f"raw store {store.url}: {FOLDER}/_manifest.json is not readable (")
    assert message.endswith(REPAIR)


def test_date_is_done_by_its_outcome() -> None:
    done = {outcome for outcome in Outcome if replace(manifest(), outcome=outcome).done}
    assert done == {Outcome.ACCEPTED, Outcome.NO_GAMES, Outcome.COMPLETE}


def test_partitions_are_walked_by_date_and_endpoint_and_a_dags_own_folders_are_left_out(
    store: Store,
) -> None:
    wanted = [
        replace(PARTITION, day=date(2024, 12, 31)),
        PARTITION,
        replace(PARTITION, endpoint="plays"),
        replace(PARTITION, day=date(2025, 10, 1)),
    ]
    for partition in reversed(wanted):
        store.create(f"{partition.prefix}/all-000000000000.json.gz", b"")
    store.create("bdl/_shared/box_scores/2024-25.json", b"[]")
    store.create("bdl/_shared/of/any/depth/below.json", b"[]")
    store.create("bdl_other/2025/01/2025-01-15/box_scores/all-000000000000.json.gz", b"")
    assert partitions(store, "bdl") == wanted
    assert partitions(store, "nothing") == []
