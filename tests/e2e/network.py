"""Hosts of a network on one machine: each has a loopback address of its own, so that all keep the
ports that they have on their own host."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import psycopg
from psycopg import sql

from devstack import postgres

# Over TCP with a password; whoever reaches the socket, which is private, without one.
_WHO_MAY = "local all all trust\nhost all all 127.0.0.0/8 scram-sha-256\n"


class Network:
    """Names of hosts and their addresses, which no other process's network has."""

    def __init__(self) -> None:
        number = os.getpid()
        self._prefix = f"127.{64 + number % 128}.{number // 128 % 256}"
        self._free = count(1)
        self._addresses: dict[str, str] = {}

    def address(self, host: str) -> str:
        """The address of a host, which is known by this name from now on."""
        if host not in self._addresses:
            self._addresses[host] = f"{self._prefix}.{next(self._free)}"
        return self._addresses[host]

    def resolve(self, text: str) -> str:
        """The text with addresses for names of hosts, in URLs, in JSON's ``"host"``, in
        ``--host=`` and alone."""
        for host, address in self._addresses.items():
            in_url, in_json = rf"(?<=[/@]){host}(?=:\d)", rf'(?<="host": "){host}(?=")'
            text = re.sub(rf"{in_url}|{in_json}|(?<=--host=){host}$|^{host}$", address, text)
        return text


@contextmanager
def running_postgres(
    address: str,
    *,
    user: str,
    password: str,
    statements: Sequence[str],
    settings: Mapping[str, str],
) -> Iterator[Path]:
    """A Postgres that takes a user and password over TCP, as its image makes it at its first start;
    yields its data folder. ``statements`` are the user's first."""
    folder = Path(tempfile.mkdtemp(prefix="nba-pg-"))
    data = folder / "data"
    login = sql.SQL("CREATE ROLE {} SUPERUSER LOGIN PASSWORD {}")
    try:
        postgres.start(data)
        with psycopg.connect(postgres.url(data), autocommit=True) as connection:
            connection.execute(login.format(sql.Identifier(user), password))
            connection.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(user)))
            for statement in statements:
                connection.execute(statement.encode())
        postgres.stop(data)
        (data / "pg_hba.conf").write_text(_WHO_MAY)
        postgres.start(data, {**settings, "listen_addresses": address})
        yield data
    finally:
        postgres.stop(data)
        shutil.rmtree(folder)


def new_secret() -> str:
    """Fit for a password, a URL and JSON."""
    return secrets.token_urlsafe(24)
