"""A raw store that is copied into another: whole, once, and never over what is there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from google.cloud.storage import Client

from include.errors import Problem
from include.storage.copy import Copied, Fate, copy
from include.storage.gcs import GcsStore
from include.storage.local import LocalStore
from include.storage.raw import RawObject, get_body, read_manifest, write_manifest
from include.storage.store import Store
from tests.storage import test_raw
from tests.storage.test_gcs import refusal
from tests.storage.test_store import contents
from tests.storage.wire import between

MANIFEST = f"{test_raw.FOLDER}/_manifest.json"


@pytest.fixture
def source(tmp_path: Path) -> LocalStore:
    """Three bodies, their manifest and a pointer."""
    found = LocalStore(tmp_path / "source")
    bodies = [test_raw.put(found, item, b"%d" % n) for n, item in enumerate(("a", "b", "~last"))]
    write_manifest(found, test_raw.PARTITION, test_raw.manifest(*bodies))
    found.replace("bdl/_shared/box_scores/2024-25.json", b"[]")
    return found


def write_again(store: Store, body: RawObject) -> None:
    """A manifest in the place of the one that is there, which names this body alone."""
    there = read_manifest(store, test_raw.PARTITION)
    write_manifest(store, test_raw.PARTITION, test_raw.manifest(body), over=there)


def copied(source: Store, target: Store) -> list[Copied]:
    return list(copy(source, target, list(source.walk(""))))


def fates(found: list[Copied]) -> dict[Fate, list[str]]:
    return {fate: [each.path for each in found if each.fate is fate] for fate in Fate}


def test_copy_has_all_that_is_there_and_nothing_else(source: LocalStore, store: Store) -> None:
    found = copied(source, store)
    assert contents(store) == contents(source)
    assert fates(found) == {
        **{fate: [] for fate in Fate},
        Fate.COPIED: sorted(source.walk(""), key=lambda path: (".gz" not in path, path)),
    }
    assert sum(each.bytes for each in found) == sum(
        len(data or b"") for data in contents(source).values()
    )


def test_second_copy_writes_what_is_new_only(source: LocalStore, store: Store) -> None:
    before = copied(source, store)
    new = test_raw.put(source, "new")
    found = copied(source, store)
    assert [each for each in found if each.bytes] == [
        Copied(path=new.path, fate=Fate.COPIED, bytes=len(source.read(new.path) or b""))
    ]
    assert len(fates(found)[Fate.THERE]) == len(before)
    assert contents(store) == contents(source)


def test_what_the_target_has_otherwise_stays_and_is_named(source: LocalStore, store: Store) -> None:
    theirs = test_raw.manifest()
    write_manifest(store, test_raw.PARTITION, replace(theirs, message="theirs"))
    kept = store.read(MANIFEST)
    found = copied(source, store)
    assert fates(found)[Fate.DIFFERS] == [MANIFEST]
    assert store.read(MANIFEST) == kept != source.read(MANIFEST)


def test_what_has_changed_since_is_replaced_on_demand(source: LocalStore, store: Store) -> None:
    copied(source, store)
    write_again(source, test_raw.put(source, "new"))
    found = list(copy(source, store, list(source.walk("")), update=True))
    assert fates(found)[Fate.REPLACED] == [MANIFEST]
    assert contents(store) == contents(source)


class Written(LocalStore):
    """A store to which a date is written just before its manifest is read: one more body, then a
    manifest that names it."""

    def read(self, path: str) -> bytes | None:
        if path == MANIFEST:
            mine = LocalStore(self.root)
            write_again(mine, test_raw.put(mine, "later", b"later"))
        return super().read(path)


def test_copy_beside_a_running_writer_has_every_body_that_its_manifests_name(
    source: LocalStore, store: Store
) -> None:
    listed = list(source.walk(""))
    found = list(copy(Written(source.root), store, listed))
    manifest = read_manifest(store, test_raw.PARTITION)
    assert manifest
    assert [get_body(store, each) for each in manifest.objects] == [b"later"]
    written = sum(len(data or b"") for data in contents(store).values())
    assert sum(each.bytes for each in found) == written


def test_object_that_is_gone_since_it_was_listed_is_told(source: LocalStore, store: Store) -> None:
    assert list(copy(source, store, ["bdl/gone"])) == [Copied(path="bdl/gone", fate=Fate.GONE)]
    assert contents(store) == {}


@pytest.mark.parametrize("uploads", range(5))
def test_copy_that_is_cut_off_has_no_manifest_without_its_bodies_and_goes_on(
    source: LocalStore,
    gcs_url: str,
    bucket: str,
    gcs_client: Callable[..., Client],
    uploads: int,
) -> None:
    with between(gcs_url) as wire:
        target = GcsStore(gcs_client(wire.url), bucket, "nba")
        for _ in range(uploads):
            wire.meets("POST")
        wire.meets("POST", status=403, answer=refusal(403, "forbidden", "not now"))
        with pytest.raises(Problem, match="not now"):
            copied(source, target)
        left = contents(target)
        bodies = [path for path in left if path.endswith(".gz")]
        assert MANIFEST not in left or len(bodies) == 3
        wire.asked.clear()
        copied(source, target)
        again = [each for each in wire.asked if each.what.startswith("POST")]
    assert contents(target) == contents(source)
    mutable = [path for path in left if not path.endswith(".gz")]
    assert len(again) == len(contents(source)) - len(left) + len(mutable)
