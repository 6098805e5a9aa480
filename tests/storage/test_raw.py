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
    open_store,
    partitions,
    put_body,
    read_manifest,
    stored_objects,
    write_manifest,
)

PARTITION = Partition(dag_id="bdl", endpoint="box_scores", day=date(2025, 1, 15))
FOLDER = "bdl/2025/01/2025-01-15/box_scores"
BODY = json.dumps({"data": [{"id": n, "name": f"player {n}"} for n in range(100)]}).encode()
REPAIR = "; restore it, or rerun the date with --refetch"


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path)


def put(
    store: LocalStore, item: str = "all", body: bytes = BODY, suffix: str = "json"
) -> RawObject:
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


def damaged(store: LocalStore, item: RawObject) -> bool:
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


def test_body_lies_under_its_partition_item_and_hash_and_comes_back(store: LocalStore) -> None:
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


def test_same_body_twice_is_one_object_that_is_not_touched_again(store: LocalStore) -> None:
    path = store.root / put(store).path
    before = path.stat().st_mtime_ns, path.stat().st_ino
    put(store)
    assert store.names(FOLDER) == [str(path.relative_to(store.root))]
    assert (path.stat().st_mtime_ns, path.stat().st_ino) == before


def test_other_body_is_a_second_object_beside_the_first(store: LocalStore) -> None:
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


def test_object_that_is_gone_or_another_one_is_named_with_its_repair(store: LocalStore) -> None:
    item = put(store)
    (store.root / item.path).write_bytes(gzip.compress(b"{}"))
    other = refused(lambda: get_body(store, item))
    (store.root / item.path).unlink()
    gone = refused(lambda: get_body(store, item))
    assert (other, gone) == (
        f"raw store {store.url}: {item.path} has other bytes than its manifest says{REPAIR}",
        f"raw store {store.url}: {item.path} is missing{REPAIR}",
    )


def test_stored_bodies_are_found_without_a_manifest(store: LocalStore) -> None:
    stored = [
        put(store, "0022400561"),
        put(store, "0022400562"),
        put(store, "0022400561", BODY + b"\n"),
    ]
    write_manifest(store, PARTITION, manifest(stored[0]))
    (store.root / FOLDER / "notes.txt").write_text("somebody's")
    assert stored_objects(store, PARTITION) == sorted(
        (replace(item, url="", fetched_at="") for item in stored), key=lambda item: item.path
    )


@pytest.mark.parametrize(
    "torn",
    [b"", gzip.compress(BODY)[:20], gzip.compress(b"{}")],
    ids=["empty", "torn", "another body"],
)
def test_stored_body_that_is_damaged_is_asked_for_again_and_healed_by_the_same_one(
    store: LocalStore, caplog: pytest.LogCaptureFixture, torn: bytes
) -> None:
    item = put(store)
    (store.root / item.path).write_bytes(torn)
    assert stored_objects(store, PARTITION) == []
    assert [record.getMessage() for record in caplog.records] == [
        f"{store.url}/{item.path} is damaged; it is asked for again"
    ]
    assert put(store).path == item.path
    assert get_body(store, item) == BODY
    assert [found.path for found in stored_objects(store, PARTITION)] == [item.path]


def test_manifest_comes_back_as_it_was_written(store: LocalStore) -> None:
    written = manifest(put(store, "games"), put(store))
    assert read_manifest(store, PARTITION) is None
    write_manifest(store, PARTITION, written)
    assert read_manifest(store, PARTITION) == written


def test_manifest_gives_its_data_in_a_fixed_order_without_listings(store: LocalStore) -> None:
    b, a = put(store, "b"), put(store, "a")
    listing = replace(put(store, "games"), role="truth")
    assert manifest(b, listing, a).data() == [a, b]


@pytest.mark.parametrize(
    "text", ["", "{", "null", "[]", '"text"', "7", "{}", '{"objects": [3]}', '{"objects": null}']
)
def test_torn_manifest_is_named_with_its_repair(store: LocalStore, text: str) -> None:
    write_manifest(store, PARTITION, manifest())
    (store.root / FOLDER / "_manifest.json").write_text(text)
    message = refused(lambda: read_manifest(store, PARTITION))
    assert message.startswith(f"raw store {store.url}: {FOLDER}/_manifest.json is not readable (")
    assert message.endswith(REPAIR)


def test_date_is_done_by_its_outcome() -> None:
    done = {outcome for outcome in Outcome if replace(manifest(), outcome=outcome).done}
    assert done == {Outcome.ACCEPTED, Outcome.NO_GAMES, Outcome.COMPLETE}


@pytest.mark.parametrize(
    ("url", "root"),
    [("file:///srv/nba/raw", "/srv/nba/raw"), ("file:///srv/my%20data", "/srv/my data")],
)
def test_file_url_opens_a_folder(url: str, root: str) -> None:
    store = open_store(url)
    assert isinstance(store, LocalStore)
    assert store.root == Path(root)


@pytest.mark.parametrize(
    ("url", "scheme"), [("", "no scheme"), ("/srv/raw", "no scheme"), ("ftp://host/x", "ftp")]
)
def test_store_that_nobody_knows_is_refused_with_the_connection_to_correct(
    url: str, scheme: str
) -> None:
    assert refused(lambda: open_store(url)) == (
        f"connection raw_store names no store that this version knows ({scheme}): set it to file:///absolute/folder"
    )


def test_partitions_are_walked_by_date_and_endpoint_and_a_dags_own_folders_are_left_out(
    store: LocalStore,
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
    assert list(partitions(store, "bdl")) == wanted
    assert list(partitions(store, "nothing")) == []
