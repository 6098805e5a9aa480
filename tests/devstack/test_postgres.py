"""The local Postgres through what happens to it: kill -9, stale pid files, long paths, other
users."""

from __future__ import annotations

import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from devstack import postgres
from include.errors import ErrorClass, Problem

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def folder() -> Iterator[Path]:
    """An empty folder that the system user can reach; the servers in it are stopped at the end."""
    made = Path(tempfile.mkdtemp(prefix="nba-pg-"))
    try:
        yield made
    finally:
        for data in made.rglob("PG_VERSION"):
            if data.parent.parent.name != "base":
                postgres.stop(data.parent)
        shutil.rmtree(made)


def answer(url: str, query: str) -> str:
    with psycopg.connect(url) as connection:
        row = connection.execute(query).fetchone()
    assert row is not None
    return str(row[0])


def kill(data: Path) -> None:
    """kill -9 of every process of the server of this folder, and of no other."""
    postmaster = psutil.Process(int((data / "postmaster.pid").read_text().split("\n", 1)[0]))
    assert (postmaster.name(), Path(postmaster.cwd())) == ("postgres", data)
    for process in (postmaster, *postmaster.children(recursive=True)):
        process.send_signal(signal.SIGKILL)
    psutil.wait_procs([postmaster], timeout=10)


def test_it_outlives_the_process_that_started_it(folder: Path) -> None:
    program = f"from devstack import postgres; print(postgres.start({str(folder / 'data')!r}))"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert (done.stdout.strip(), done.stderr) == (postgres.url(folder / "data"), "")
    assert postgres.running(folder / "data")
    assert postgres.start(folder / "data") == postgres.url(folder / "data")


def test_it_comes_back_with_what_was_committed_after_everything_of_it_was_killed(
    folder: Path,
) -> None:
    data = folder / "data"
    with psycopg.connect(postgres.start(data)) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    kill(data)
    assert (data / "postmaster.pid").exists()
    assert not postgres.running(data)
    assert answer(postgres.start(data), "SELECT answer FROM kept") == "42"


def test_a_pid_file_whose_number_belongs_to_somebody_else_does_not_stop_it(folder: Path) -> None:
    data = folder / "data"
    postgres.start(data)
    postgres.stop(data)
    stale = f"{os.getpid()}\n{data}\n1\n5432\n{data}\n\n  1 1\nready\n"
    (data / "postmaster.pid").write_text(stale)
    assert not postgres.running(data)
    assert answer(postgres.start(data), "SELECT 1") == "1"


def test_only_its_owner_reaches_it_and_nobody_over_the_network(folder: Path) -> None:
    data = folder / "data"
    url = postgres.start(data)
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (data, data / ".s.PGSQL.5432")]
    assert modes == [0o700, 0o700]
    assert answer(url, "SHOW listen_addresses") == ""
    assert [
        answer(url, f"SHOW {name}") for name in ("synchronous_commit", "fsync", "max_connections")
    ] == [
        "on",
        "on",
        "200",
    ]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root hands the data to another user")
def test_no_folder_above_its_own_is_opened_for_it(folder: Path) -> None:
    closed = folder / "closed"
    closed.mkdir(mode=0o700)
    data = closed / "project" / "data"
    data.parent.mkdir(mode=0o700)
    above = [*data.parents, *Path(sys.prefix).resolve().parents]
    before = {path: path.stat().st_mode for path in above}
    assert answer(postgres.start(data), "SELECT 1") == "1"
    postmaster = psutil.Process(int((data / "postmaster.pid").read_text().split("\n", 1)[0]))
    status = Path(f"/proc/{postmaster.pid}/status").read_text()
    postgres.stop(data)
    assert {path: path.stat().st_mode for path in above} == before
    rights = re.search(r"(?m)^CapEff:\s*(\w+)$", status)
    assert rights is not None
    assert int(rights[1], 16).bit_count() == 1  # it reads what it passes through, and no more


@pytest.mark.parametrize("name", ["x" * 120, 'it\'s, "odd" %41'])
def test_a_path_that_cannot_be_a_sockets_works_through_another_private_folder(
    folder: Path, name: str
) -> None:
    data = folder / name / "data"
    url = postgres.start(data)
    assert answer(url, "SELECT 1") == "1"
    sockets = Path(answer(url, "SHOW unix_socket_directories"))
    assert (data in (sockets, *sockets.parents), stat.S_IMODE(sockets.stat().st_mode)) == (
        False,
        0o700,
    )
    kill(data)
    assert answer(postgres.start(data), "SELECT 1") == "1"
    postgres.stop(data)
    sockets.rmdir()


def test_a_database_is_created_once(folder: Path) -> None:
    postgres.start(folder / "data")
    urls = {postgres.ensure_database(folder / "data", "ops") for _ in range(2)}
    assert urls == {postgres.url(folder / "data", "ops")}
    assert answer(urls.pop(), "SELECT current_database()") == "ops"


def test_stopping_what_does_not_run_does_nothing(folder: Path) -> None:
    postgres.stop(folder / "data")
    postgres.start(folder / "data")
    postgres.stop(folder / "data")
    postgres.stop(folder / "data")
    assert not postgres.running(folder / "data")


def test_a_server_that_cannot_start_says_where_its_log_is(folder: Path) -> None:
    data = folder / "data"
    postgres.start(data)
    postgres.stop(data)
    (data / "postgresql.conf").write_text("no_such_setting = 1\n")
    with pytest.raises(Problem) as failed:
        postgres.start(data)
    assert failed.value.error_class is ErrorClass.STORAGE
    assert failed.value.message.startswith(f"pg_ctl failed for the local Postgres in {data}: ")
    assert failed.value.message.endswith(f" (log: {data / 'postgres.log'})")
