"""Puts schemas, pools and connections where Airflow looks for them; safe to run again, and beside
itself."""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import secrets
from pathlib import Path
from typing import TYPE_CHECKING

from nba_airflow.specs import hosts

if TYPE_CHECKING:
    from airflow.models.connection import Connection
    from sqlalchemy.orm import Session

_MARKED = re.compile(
    r"Provisioned by make up \((\w+):\w+\); edit it and it stays as you left it", re.ASCII
)
# As it was until 2026-11, when an edit was recognised by a changed description only.
_UNMARKED = "Provisioned by make up; edit it and it stays as you left it"
_FIELDS = ("conn_type", "host", "login", "password", "schema", "port", "team_name")
_LOOPBACK_PORT = re.compile(r"(?<=://127\.0\.0\.1:)\d+")


def pools(session: Session) -> list[str]:
    """Creates the pool of each host, named like its connection. One that is there keeps the slots
    it was given.

    A task whose pool is missing waits for ever with only a warning (seen on 3.3.2), so this also
    runs whenever a scheduler starts. Returns the names of the pools that were created.
    """
    from airflow.models.pool import Pool
    from sqlalchemy import select

    there = set(session.scalars(select(Pool.pool)))
    created = []
    for name, host in hosts().items():
        if name not in there:
            text = (
                f"Concurrent requests to {host.base_url}; the shared limiter, not this pool, keeps"
                " its rate"
            )
            session.add(
                Pool(pool=name, slots=host.concurrency, description=text, include_deferred=False)
            )
            created.append(name)
    return created


def connections(path: Path, session: Session) -> list[str]:
    """Creates the connections of a JSON file (Airflow's import format, by id); returns the names of
    those written.

    One that is there is replaced only while it is just what an earlier start wrote: ports change
    from start to start, and what an operator has changed in any field, the description included, is
    his.
    """
    from airflow.models.connection import Connection
    from sqlalchemy import select

    written = []
    for conn_id, fields in json.loads(path.read_text()).items():
        new = Connection(conn_id=conn_id, **fields)
        there = session.scalar(select(Connection).where(Connection.conn_id == conn_id))
        if there is not None:
            if not _untouched(there, new):
                continue
            session.delete(there)
            session.flush()
        new.description = _description(new, salt=secrets.token_hex(8))
        session.add(new)
        written.append(conn_id)
    return written


def _untouched(there: Connection, new: Connection) -> bool:
    """Whether nobody has changed the connection since it was provisioned.

    One of an older version has no hash: its fields must be the new ones, but for the ports of this
    machine.
    """
    if there.description == _UNMARKED:
        return _LOOPBACK_PORT.sub("", _said(there)) == _LOOPBACK_PORT.sub("", _said(new))
    marked = _MARKED.fullmatch(there.description or "")
    return marked is not None and there.description == _description(there, salt=marked[1])


def _description(connection: Connection, salt: str) -> str:
    """What a provisioned connection is marked with: a hash of all its other fields, which no edit
    keeps valid.

    Airflow shows descriptions to people from whom it hides passwords, so the hash is salted and
    slow to guess by. Not keyed with Airflow's Fernet key: after `airflow rotate-fernet-key` all
    would look edited.
    """
    digest = hashlib.scrypt(
        _said(connection).encode(), salt=salt.encode(), n=2**14, r=8, p=1, dklen=16
    )
    return f"Provisioned by make up ({salt}:{digest.hex()}); edit it and it stays as you left it"


def _said(connection: Connection) -> str:
    """All that a connection says, as one text. The UI's form writes null as "" and indents the
    extra: no difference."""
    fields = {name: getattr(connection, name) or None for name in _FIELDS}
    return json.dumps({**fields, "extra": json.loads(connection.extra or "{}")}, sort_keys=True)


def main() -> None:
    """Migrates Airflow's database and the operations tables, then provisions."""
    from airflow.utils.db import upgradedb
    from airflow.utils.session import create_session

    from include.ops.migrate import migrate

    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument(
        "--connections", type=Path, required=True, help="JSON file of connections by id"
    )
    options = parser.parse_args()
    ops = json.loads(json.loads(options.connections.read_text())["ops_db"]["extra"])["url"]
    migrate(ops)
    upgradedb()
    with create_session() as session:
        print("pools created:", ", ".join(pools(session)) or "none")
        written = connections(options.connections, session)
        kept = sorted(json.loads(options.connections.read_text()).keys() - set(written))
        print("connections written:", ", ".join(written) or "none")
        print("connections left as they were edited:", ", ".join(kept) or "none")


if __name__ == "__main__":
    main()
