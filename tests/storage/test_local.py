"""Files that are there whole or not at all, whatever the disk does."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from include.errors import ErrorClass, Problem
from include.files import write_atomically
from include.storage.local import LocalStore

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path / "raw")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)],
        capture_output=True,
        check=False,
        text=True,
    )
    if mounted.returncode:
        pytest.skip(f"no small file system can be mounted here: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def files(folder: Path) -> dict[str, bytes]:
    """Everything below the folder, hidden and temporary files too."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_of_many_writers_of_one_object_exactly_one_wins_and_nothing_is_left_behind(
    store: LocalStore,
) -> None:
    start = threading.Barrier(8)
    won: list[bytes] = []

    def write(data: bytes) -> None:
        start.wait()
        if store.create("a/one", data):
            won.append(data)

    threads = [threading.Thread(target=write, args=(bytes([n]) * 50_000,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert files(store.root) == {"a/one": won[0]}


def test_file_that_others_may_read_is_readable_for_them(store: LocalStore) -> None:
    store.create("a", b"1")
    assert (store.root / "a").stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize("replace", [True, False])
def test_full_disk_is_named_and_leaves_nothing_half_written(
    small_disk: Path, replace: bool
) -> None:
    write_atomically(small_disk / "day" / "old", b"old" * 100, replace=replace)
    path = small_disk / "day" / ("old" if replace else "new")
    with pytest.raises(Problem) as caught:
        write_atomically(path, os.urandom(200_000), replace=replace)
    assert (caught.value.error_class, caught.value.message) == (
        ErrorClass.STORAGE,
        (
            f"cannot write {path}: the disk is full: free some space, then rerun the date; nothing"
            " was half-written"
        ),
    )
    assert files(small_disk) == {"day/old": b"old" * 100}


def test_after_space_was_freed_the_same_write_succeeds(small_disk: Path) -> None:
    (small_disk / "ballast").write_bytes(bytes(50_000))
    with pytest.raises(Problem):
        write_atomically(small_disk / "one", bytes(30_000), replace=False)
    (small_disk / "ballast").unlink()
    assert write_atomically(small_disk / "one", bytes(30_000), replace=False) is True
    assert files(small_disk) == {"one": bytes(30_000)}


def test_path_that_cannot_be_written_or_read_is_a_problem_that_names_it(store: LocalStore) -> None:
    store.create("a", b"1")
    (store.root / "folder").mkdir()
    with pytest.raises(Problem) as unwritten:
        store.create("a/b", b"2")
    with pytest.raises(Problem) as unread:
        store.read("folder")
    assert [(p.value.error_class, p.value.message) for p in (unwritten, unread)] == [
        (ErrorClass.STORAGE, f"cannot write {store.root}/a/b: File exists"),
        (ErrorClass.STORAGE, f"cannot read {store.root}/folder: Is a directory"),
    ]


def test_files_that_are_not_objects_are_left_out(store: LocalStore) -> None:
    assert store.swap("day/m", b"1", seen=None) is True
    (store.root / "day" / ".tmp-left-by-a-killed-process").write_bytes(b"half")
    assert (store.names("day"), list(store.walk(""))) == (["day/m"], ["day/m"])


def test_folder_that_cannot_be_written_is_named_before_anything_is_written(tmp_path: Path) -> None:
    (tmp_path / "raw").write_text("a file")
    with pytest.raises(Problem) as caught:
        LocalStore(tmp_path / "raw").check_writable()
    assert (caught.value.error_class, caught.value.message) == (
        ErrorClass.STORAGE,
        f"cannot write below {tmp_path}/raw: File exists",
    )


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_folder_that_is_closed_is_named_with_its_repair(store: LocalStore) -> None:
    store.root.mkdir()
    store.root.chmod(0o500)
    with pytest.raises(Problem) as caught:
        store.check_writable()
    assert caught.value.message == (
        f"cannot write below {store.root}: no permission: give Airflow's user read and write access"
        " to the folder"
    )


def test_swap_of_a_process_that_was_killed_holds_nobody_up(store: LocalStore) -> None:
    code = (
        "import sys; from pathlib import Path; from include.storage.local import LocalStore;"
        "LocalStore(Path(sys.argv[1])).swap('day/m', b'1', seen=None)"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "NBA_CRASH_AT": "before swap:1"}
    killed = subprocess.run(
        [sys.executable, "-c", code, str(store.root)], env=environment, check=False
    )
    assert killed.returncode == -signal.SIGKILL
    assert store.read("day/m") is None
    assert store.swap("day/m", b"2", seen=None) is True
    assert store.read("day/m") == b"2"
