"""Leases: one run at a time works on a partition. Held by a database session, so a dead process
holds none."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b

import psycopg

from include.errors import ErrorClass, Problem
from include.ops.db import connect, unreachable
from include.partition import Partition

log = logging.getLogger(__name__)

# A twin (Airflow starts one after a scheduler crash) waits for the first to end rather than failing
# the date.
PATIENCE = 300.0

_HOLDER = (
    "SELECT a.application_name FROM pg_locks l JOIN pg_stat_activity a USING (pid) WHERE l.granted"
    " AND l.locktype = 'advisory' AND a.datname = current_database()"
    " AND ((l.classid::bigint << 32) | l.objid::bigint) = %s"
)


@contextmanager
def lease(
    url: str, partition: Partition, *, group: str = "", holder: str = "", patience: float = PATIENCE
) -> Iterator[None]:
    """Holds the partition's lease in the block, waiting up to ``patience`` seconds for it.

    With ``group`` it is the lease of all dates that share one body (a season), so that one of them
    fetches it. ``holder`` is what others are told who holds it (default: pid and host).

    Postgres drops it the moment the session ends, so kill -9 frees it at once and a dead host
    within a minute (the server's keepalives are set for it). Raises Problem: INTERNAL, which names
    the holder, when it stays taken; STORAGE when the database cannot be asked.
    """
    name = f"{partition.dag_id}/{partition.endpoint}/{group}" if group else partition.lease
    key = int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), "big", signed=True)
    holder = holder or f"pid {os.getpid()} on {socket.gethostname()}"
    with connect(url, application_name=f"lease {holder}") as connection:
        connection.autocommit = True
        try:
            connection.execute(
                "SET tcp_keepalives_idle = 20; SET tcp_keepalives_interval = 10; SET"
                " tcp_keepalives_count = 3"
            )
            connection.execute(
                "SELECT set_config('lock_timeout', %s, false)",
                (f"{max(1, int(patience * 1000))}ms",),
            )
            connection.execute("SELECT pg_advisory_lock(%s)", (key,))
        except psycopg.errors.LockNotAvailable:
            found = connection.execute(_HOLDER, (key,)).fetchone()
            raise Problem(
                error_class=ErrorClass.INTERNAL,
                message=(
                    f"another run has been at work on {partition} for {patience:.0f} s"
                    f" ({found[0] if found else 'it has just ended'}): let it end, then clear this"
                    " task"
                ),
                endpoint=partition.endpoint,
                day=partition.day,
            ) from None
        except psycopg.Error as error:
            raise unreachable(error) from None
        try:
            yield
        finally:
            try:
                connection.execute("SELECT pg_advisory_unlock(%s)", (key,))
            except psycopg.OperationalError:
                # Not a failure: what is written is written whole, whoever else may have been at it
                # meanwhile.
                log.warning(
                    "the lease of %s was lost on the way (was the database restarted?)", partition
                )
