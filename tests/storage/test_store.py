"""What every raw store promises, whichever it is."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

import pytest

from include.errors import ErrorClass, Problem
from include.storage.store import MAX_SWAPS, Store, change

WRITERS = 8
T = TypeVar("T")


def contents(store: Store, prefix: str = "") -> dict[str, bytes | None]:
    return {path: store.read(path) for path in store.walk(prefix)}


def at_once(work: Callable[[int], T]) -> list[T]:
    """What each of several threads returns that begin at one moment."""
    start, results = threading.Barrier(WRITERS), dict[int, T]()

    def run(number: int) -> None:
        start.wait()
        results[number] = work(number)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(WRITERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [results[number] for number in range(WRITERS)]


def test_empty_store_has_nothing_and_can_be_written(store: Store) -> None:
    store.check_writable()
    assert (store.read("a/b"), store.names("a"), list(store.walk("")), list(store.walk("a"))) == (
        *(None, [], []),
        [],
    )


def test_object_is_written_once_and_then_left_alone(store: Store) -> None:
    assert store.create("a/b/one.json.gz", b"first") is True
    assert store.create("a/b/one.json.gz", b"second") is False
    assert contents(store) == {"a/b/one.json.gz": b"first"}


def test_replaced_object_has_the_new_bytes_only(store: Store) -> None:
    store.replace("a/pointer.json", b"a long first version")
    store.replace("a/pointer.json", b"second")
    assert contents(store) == {"a/pointer.json": b"second"}


def test_object_is_swapped_for_what_was_seen_and_for_nothing_else(store: Store) -> None:
    swapped = [
        store.swap("a/m", b"1", seen=b"0"),
        store.swap("a/m", b"1", seen=None),
        store.swap("a/m", b"2", seen=None),
        store.swap("a/m", b"2", seen=b"0"),
        store.swap("a/m", b"2", seen=b"1"),
    ]
    assert swapped == [False, True, False, False, True]
    assert contents(store) == {"a/m": b"2"}


@pytest.mark.parametrize(
    "data", [b"", b"\x1f\x8b\x08\0not gzip", bytes(range(256)) * 4000], ids=["empty", "gz", "1 MB"]
)
def test_bytes_come_back_as_they_were_written(store: Store, data: bytes) -> None:
    store.create("a/all-0123456789ab.json.gz", data)
    assert store.swap("a/_manifest.json", data, seen=None) is True
    assert [store.read(path) for path in store.walk("a")] == [data, data]


@pytest.mark.parametrize("name", ["ä ü+%20&?#.gz", "0022400561-0123456789ab.json.gz", "a..b"])
def test_name_comes_back_as_it_was_written(store: Store, name: str) -> None:
    store.create(f"day/{name}", b"1")
    assert (store.names("day"), contents(store)) == ([f"day/{name}"], {f"day/{name}": b"1"})


def test_names_are_those_in_the_folder_and_walk_goes_below_it(store: Store) -> None:
    paths = ["day/b", "day/a", "day/deeper/c", "day-after/d", "day.e", "e/f"]
    for path in paths:
        store.create(path, b"1")
    assert store.names("day") == ["day/a", "day/b"]
    assert list(store.walk("day")) == ["day/a", "day/b", "day/deeper/c"]
    assert list(store.walk("")) == sorted(paths)


def test_of_many_writers_of_one_object_exactly_one_wins(store: Store) -> None:
    data = [bytes([number]) * 50_000 for number in range(WRITERS)]
    won = at_once(lambda number: store.create("a/one", data[number]))
    assert sorted(won) == [False] * (WRITERS - 1) + [True]
    assert contents(store) == {"a/one": data[won.index(True)]}


def test_of_many_swaps_of_one_version_exactly_one_wins(store: Store) -> None:
    store.replace("a/m", b"seen")
    won = at_once(lambda number: store.swap("a/m", b"%d" % number, seen=b"seen"))
    assert sorted(won) == [False] * (WRITERS - 1) + [True]
    assert contents(store) == {"a/m": b"%d" % won.index(True)}


def test_no_change_of_many_at_once_is_lost(store: Store) -> None:
    at_once(lambda number: change(store, "a/list", lambda data: (data or b"") + b"%d" % number))
    assert sorted(store.read("a/list") or b"") == sorted(b"01234567")


def test_change_that_others_always_overtake_ends_with_its_repair(store: Store) -> None:
    asked = []

    def overtaken(data: bytes | None) -> bytes:
        asked.append(data)
        store.replace("a/list", b"theirs %d" % len(asked))
        return b"ours"

    with pytest.raises(Problem) as caught:
        change(store, "a/list", overtaken)
    assert (caught.value.error_class, caught.value.message) == (
        ErrorClass.STORAGE,
        f"raw store {store.url}: a/list was changed by others 10 times meanwhile: try again",
    )
    assert len(asked) == MAX_SWAPS
    assert store.read("a/list") == b"theirs 10"
