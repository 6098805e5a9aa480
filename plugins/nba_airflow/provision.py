"""Prepares an Airflow installation for these DAGs: creates the tables, pools and connections that
they need. Safe to run again, and beside itself."""

from __future__ import annotations

import argparse
import json
import logging
import re
import sys
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from include.errors import Problem
from include.guards.needs import GAMES_PER_DATE, list_needs
from include.limits.allowance import DAYS_A_MONTH
from include.limits.pool_size import fit_into_workers, needed_slots
from include.sources.spec import Host, Source
from nba_airflow.connections import OPS_DB, WAREHOUSE, chosen, ops_address, ops_url, proxies, tier
from nba_airflow.specs import hosts, sources

if TYPE_CHECKING:
    from airflow.models.connection import Connection
    from airflow.models.pool import Pool
    from sqlalchemy.orm import Session

log = logging.getLogger(__name__)

REPROCESS_SLOTS = 2
"""Of pool `warehouse`: the workers that the pools of the sources leave free, and as many changes of
a table as BigQuery makes at a time. With MAX_TABLE_CHANGES they are fewer than it takes."""

MAX_TABLE_CHANGES = 16
"""At a time: BigQuery makes two changes of a table, lets 20 wait and refuses the next; some are
left for what a killed task has begun. A table's tasks are all in one pool."""

# The address of a service on this machine, with the port between its two groups.
_LOOPBACK = re.compile(
    r"(\w+://(?:[^\s\"'/@]*@)?(?:127\.0\.0\.1|localhost|\[::1\])):\d+((?:[/?][^\s\"'\\]*)?)"
)


def pools(session: Session) -> list[str]:
    """Creates the pool of each host, named like its connection, and that of tasks which ask none,
    named like the warehouse's. One that is there makes room for them where it has the slots that
    this gave it; it keeps those that somebody else gave it.

    A task whose pool is missing waits for ever with only a warning (seen on 3.3.2), so this also
    runs whenever a scheduler starts. Returns the names of the pools that were created.
    """
    from airflow.models.pool import Pool
    from sqlalchemy import select

    declared = hosts()
    there = {str(pool.pool): pool for pool in session.scalars(select(Pool))}
    missing = sorted({*declared, WAREHOUSE} - there.keys())
    if not missing:
        return []
    bought = {name: _as_bought(host, session) for name, host in declared.items()}
    wanted = {dag_id: _as_wanted(source, session) for dag_id, source in sources().items()}
    workers = count_workers()
    most = MAX_TABLE_CHANGES if _is_in_bigquery(session) else workers
    sizes = pool_sizes(wanted, bought, workers=workers, most=most)
    sizes[WAREHOUSE] = REPROCESS_SLOTS
    old = {dag_id: source for dag_id, source in wanted.items() if there.keys() >= _names(source)}
    known = {name: each for name, each in bought.items() if name in there}
    before = pool_sizes(old, known, workers=workers, most=most)
    _make_room(there, before, sizes)
    for name in missing:
        text = _describe(declared.get(name))
        session.add(Pool(pool=name, slots=sizes[name], description=text, include_deferred=False))
    return missing


def _make_room(
    there: Mapping[str, Pool], before: Mapping[str, int], sizes: Mapping[str, int]
) -> None:
    """Makes the pools that still have what they got ``before`` there were more as small as they
    would be made now."""
    for name, slots in before.items():
        if sizes[name] < slots == there[name].slots:
            there[name].slots = sizes[name]
            log.info("pool %s has %d slots instead of %d", name, sizes[name], slots)


def _names(source: Source) -> set[str]:
    return {host.connection for host in source.hosts}


def _describe(host: Host | None) -> str:
    if host is None:
        return "Concurrent tasks that make tables from raw and ask no upstream"
    return (
        f"Concurrent tasks that ask {host.base_url}; the shared limiter, not this pool, keeps its"
        " rate"
    )


def count_workers() -> int:
    """How many tasks can run at a time: with Celery as many as one worker takes, since nothing
    here knows how many workers there are."""
    from airflow.configuration import conf

    workers = conf.getint("core", "parallelism")
    if "CeleryExecutor" in conf.get("core", "executor"):
        workers = min(workers, conf.getint("celery", "worker_concurrency", fallback=16))
    return workers


def pool_sizes(
    of: Mapping[str, Source], bought: Mapping[str, tuple[Host, int]], *, workers: int, most: int
) -> dict[str, int]:
    """Connection -> slots, for sources by DAG id and their hosts as ``_as_bought`` finds them; none
    has more than ``most``."""
    wanted = {
        name: min(_needed_slots(host, addresses, of), most)
        for name, (host, addresses) in bought.items()
    }
    return fit_into_workers(wanted, map(_names, of.values()), workers)


def _needed_slots(host: Host, addresses: int, of: Mapping[str, Source]) -> int:
    """What the tasks of all sources in this host's pool can use; ``addresses`` have a limit
    each."""
    day = date(2025, 1, 15)  # any will do
    tasks = [
        list_needs(replace(source, endpoints=(endpoint,)), {day: GAMES_PER_DATE})
        for source in of.values()
        for endpoint in source.endpoints
        if (endpoint.request.connection or source.connection) == host.connection
    ]
    if not tasks:
        return 1
    tasks_per_day = None
    credits_per_task = sum(task.credits for task in tasks) / len(tasks)
    if host.credits and credits_per_task:
        left = host.credits.monthly - host.credits.live_reserve
        tasks_per_day = left / credits_per_task
        if host.credits.spread:
            tasks_per_day /= DAYS_A_MONTH
    return needed_slots(
        rate=addresses * min(window.limit / window.seconds for window in host.windows),
        seconds_per_request=host.seconds_per_request,
        requests_per_task=sum(task.requests for task in tasks) / len(tasks),
        tasks_per_day=tasks_per_day,
    )


def _as_bought(host: Host, session: Session) -> tuple[Host, int]:
    """The host with the limits of its connection, and the number of addresses that have each their
    own limit: its proxies; one where the limit is the key's, or where there are no proxies."""
    found = _find(host.connection, session)
    if found is None:
        return host, 1
    try:
        limited = () if host.auth else proxies(host, found)
        return tier(host, found), len(limited) or 1
    except Problem:
        return host, 1  # each task says what is wrong with the connection


def _as_wanted(source: Source, session: Session) -> Source:
    """The source with the endpoints that its connection chooses, as far as it can be read."""
    found = _find(source.connection, session)
    try:
        return chosen(source, found) if found else source
    except Problem:
        return source


def _is_in_bigquery(session: Session) -> bool:
    found = _find(WAREHOUSE, session)
    return found is not None and str(found.extra_dejson.get("url")).startswith("bigquery:")


def _find(conn_id: str, session: Session) -> Connection | None:
    """The connection, looked up in this session and the environment alone: another session of this
    thread would end this one's work."""
    from airflow.models.connection import Connection
    from airflow.secrets.environment_variables import EnvironmentVariablesBackend
    from sqlalchemy import select

    return EnvironmentVariablesBackend().get_connection(conn_id) or session.scalar(
        select(Connection).where(Connection.conn_id == conn_id)
    )


def connections(path: Path, session: Session) -> tuple[list[str], list[str]]:
    """Creates the connections of a JSON file (Airflow's import format, by id): the names of those
    that were created, and of those that were there and now name other ports.

    One that is there is an operator's and stays as it is, but for the ports of services on this
    machine, which change from start to start.
    """
    from airflow.models.connection import Connection
    from sqlalchemy import select

    created, moved = [], []
    for conn_id, fields in json.loads(path.read_text()).items():
        new = Connection(conn_id=conn_id, description="Made at the start", **fields)
        there = session.scalar(select(Connection).where(Connection.conn_id == conn_id))
        if there is None:
            session.add(new)
            created.append(conn_id)
        elif _follow_ports(there, new):
            moved.append(conn_id)
    return created, moved


def _follow_ports(there: Connection, new: Connection) -> bool:
    """Whether the connection named a service on this machine by another port than now; it is
    changed then."""
    changed = False
    for field in ("host", "extra"):
        text = getattr(there, field) or ""
        if (followed := with_ports_of(getattr(new, field) or "", text)) != text:
            setattr(there, field, followed)
            changed = True
    return changed


def with_ports_of(new: str, there: str) -> str:
    """The text ``there``, in which the loopback addresses that differ from one in ``new`` only in
    the port have that one's port."""
    now = {(found[1], found[2]): found[0] for found in _LOOPBACK.finditer(new)}
    return _LOOPBACK.sub(lambda found: now.get((found[1], found[2]), found[0]), there)


def find_ops_database(fields: dict[str, Any] | None) -> str:
    """Where the fields of its connection lead, without any the one that is there already."""
    from airflow.models.connection import Connection

    return ops_address(Connection(conn_id=OPS_DB, **fields)) if fields else ops_url()


def main() -> None:
    """Migrates Airflow's database and the operations tables, then provisions. The file may leave a
    connection out that is a variable of the environment. Ends with one line where the tables cannot
    be brought up to date."""
    from airflow.utils.db import upgradedb
    from airflow.utils.session import create_session

    from include.ops.migrate import migrate

    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument(
        "--connections", type=Path, required=True, help="JSON file of connections by id"
    )
    options = parser.parse_args()
    wanted: dict[str, dict[str, Any]] = json.loads(options.connections.read_text())
    try:
        migrate(find_ops_database(wanted.get(OPS_DB)))
    except Problem as problem:
        sys.exit(str(problem))
    upgradedb()
    with create_session() as session:
        created, moved = connections(options.connections, session)
        session.flush()
        print("pools created:", ", ".join(pools(session)) or "none")
    print("connections created:", ", ".join(created) or "none")
    print("connections with another port now:", ", ".join(moved) or "none")
    kept = sorted(wanted.keys() - set(created) - set(moved))
    print("connections left as they are:", ", ".join(kept) or "none")


if __name__ == "__main__":
    main()
