"""Puts schemas, pools and connections where Airflow looks for them; safe to run again, and beside itself."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from nba_airflow.specs import hosts

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

OURS = "Provisioned by make up; edit it and it stays as you left it"


def pools(session: Session) -> list[str]:
    """Creates the pool of each host, named like its connection. One that is there keeps the slots it was given.

    A task whose pool is missing waits for ever with only a warning (seen on 3.3.2), so this also runs whenever a
    scheduler starts. Returns the names of the pools that were created.
    """
    from airflow.models.pool import Pool
    from sqlalchemy import select

    there = set(session.scalars(select(Pool.pool)))
    created = []
    for name, host in hosts().items():
        if name not in there:
            text = f"Concurrent requests to {host.base_url}; the shared limiter, not this pool, keeps its rate"
            session.add(Pool(pool=name, slots=host.concurrency, description=text, include_deferred=False))
            created.append(name)
    return created


def connections(path: Path, session: Session) -> list[str]:
    """Creates the connections of a JSON file (Airflow's import format, by id); returns the names of those written.

    A connection that an operator has edited since (its description is no longer ours) is left alone.
    """
    from airflow.models.connection import Connection
    from sqlalchemy import select

    written = []
    for conn_id, fields in json.loads(path.read_text()).items():
        there = session.scalar(select(Connection).where(Connection.conn_id == conn_id))
        if there is not None and there.description != OURS:
            continue
        if there is not None:
            session.delete(there)
            session.flush()
        session.add(Connection(conn_id=conn_id, description=OURS, **fields))
        written.append(conn_id)
    return written


def main() -> None:
    """Migrates Airflow's database and the operations tables, then provisions."""
    from airflow.utils.db import upgradedb
    from airflow.utils.session import create_session

    from include.ledger.migrate import migrate

    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--connections", type=Path, required=True, help="JSON file of connections by id")
    options = parser.parse_args()
    ops = json.loads(json.loads(options.connections.read_text())["ops_db"]["extra"])["url"]
    migrate(ops)
    upgradedb()
    with create_session() as session:
        print("pools created:", ", ".join(pools(session)) or "none")  # noqa: T201
        print("connections written:", ", ".join(connections(options.connections, session)))  # noqa: T201


if __name__ == "__main__":
    main()
