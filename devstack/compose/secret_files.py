"""`make secrets`: the two files that docker-compose.yaml needs beside it, `.env` and
`connections.json`, readable for their owner alone. Needs nothing but Python.

What is there stays: a changed key would make what is encrypted with the old one unreadable.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from include.files import write_atomically

ENV = ".env"
CONNECTIONS = "connections.json"
SANDBOX = "http://sandbox:8180"


def _token() -> str:
    """256 bits, in letters that URLs, JSON, shells and options leave alone."""
    return secrets.token_hex(32)


def _fernet_key() -> str:
    return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()


MAKERS: dict[str, Callable[[], str]] = {
    "AIRFLOW_UID": lambda: str(os.getuid() or 50000),  # root's files would be nobody's in there
    "POSTGRES_PASSWORD": _token,
    "REDIS_PASSWORD": _token,
    "FERNET_KEY": _fernet_key,
    "API_SECRET_KEY": _token,
    "JWT_SECRET": _token,
    "ADMIN_PASSWORD": _token,
}
"""Variables that docker-compose.yaml does not start without, and how their values are made."""


def read_env(path: Path) -> dict[str, str]:
    """The variables of a file of NAME=value lines; none if there is no file."""
    lines = path.read_text().splitlines() if path.is_file() else []
    pairs = (line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))
    return dict(pairs)  # type: ignore[arg-type]  # two each


def real_upstreams() -> dict[str, dict[str, Any]]:
    """Every upstream's connection without its key: the real ones' addresses are in the specs."""
    names = ("balldontlie", "the_odds_api", "nba_stats", "nba_cdn")
    found: dict[str, dict[str, Any]] = {
        name: {"conn_type": "http", "password": ""} for name in names
    }
    found["bigdataball"] = {"conn_type": "google_cloud_platform", "extra": "{}"}
    return found


def played_upstreams() -> dict[str, dict[str, Any]]:
    """The same, led to the sandbox of docker-compose.yaml."""
    from devstack.connections import upstreams

    with tempfile.TemporaryDirectory() as folder:
        return upstreams(SANDBOX, Path(folder))


def write_secrets(folder: Path, *, sandbox: bool) -> list[str]:
    """Writes what is missing of the two files; returns the names of what was made."""
    env, connections = folder / ENV, folder / CONNECTIONS
    there = read_env(env)
    new = {name: make() for name, make in MAKERS.items() if not there.get(name)}
    if new:
        kept = env.read_text() if env.is_file() else "# Written by `make secrets`. Keep a copy.\n"
        added = "".join(f"{name}={value}\n" for name, value in new.items())
        text = kept.removesuffix("\n") + "\n" + added  # an editor may have left the last line open
        write_atomically(env, text.encode(), replace=True, private=True)
    made = list(new)
    if not connections.is_file():
        people = {"sender": "NBA <nba@example.com>", "recipients": ["you@example.com"]}
        mail = {
            "conn_type": "generic",
            "host": "file:///srv/nba/outbox",
            "extra": json.dumps(people),
        }
        found = played_upstreams() if sandbox else real_upstreams()
        text = json.dumps({**found, "mail": mail}, indent=1)
        write_atomically(connections, text.encode(), replace=True, private=True)
        made.append(CONNECTIONS)
    if os.getuid() == 0:
        os.chown(connections, int(read_env(env)["AIRFLOW_UID"]), 0)  # who reads it in there
    return made


def main(folder: Path, *, sandbox: bool) -> None:
    """Writes what is missing, says what and what comes next. Ends with one line where connections
    that are there lead elsewhere than they are asked to: to the sandbox, or to the real
    upstreams."""
    there = folder / CONNECTIONS
    if there.is_file() and sandbox is not (SANDBOX in there.read_text()):
        led = "the real upstreams" if sandbox else "the sandbox"
        sys.exit(
            f"{CONNECTIONS} leads to {led} and stays: move it away, run `docker compose down"
            " --volumes` if it was started (which deletes all its data), then this again"
        )
    made = write_secrets(folder, sandbox=sandbox)
    variables = [name for name in made if name != CONNECTIONS]
    files = [f"{ENV} ({', '.join(variables)})"] if variables else []
    files += [CONNECTIONS] if CONNECTIONS in made else []
    print("made:", ", ".join(files) or "nothing")
    keys, profile = f"keys of upstreams into {CONNECTIONS}, then ", ""
    if sandbox:
        keys, profile = "", " --profile sandbox"
    print(f"next: {keys}`docker compose{profile} up --detach --build` (docs/compose.md)")


if __name__ == "__main__":
    main(Path(), sandbox="sandbox" in sys.argv)
