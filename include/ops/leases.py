"""Leases: one run at a time works on a partition. Held by a database session, so a dead process
holds none."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b

import psycopg

from include.errors import ErrorClass, Problem
from include.ops.session import Connection, Session
from include.partition import Partition

log = logging.getLogger(__name__)

# Seconds, less than a statement may take (ops.db). A twin (Airflow starts one after a scheduler
# crash) waits for the first to end rather than failing the date.
PATIENCE = 15.0

_HOLDER = (
    "SELECT a.application_name FROM pg_locks l JOIN pg_stat_activity a USING (pid) WHERE l.granted"
    " AND l.locktype = 'advisory' AND a.datname = current_database()"
    " AND ((l.classid::bigint << 32) | l.objid::bigint) = %s"
)


@contextmanager
def lease(
    session: Session, partition: Partition, *, group: str = "", patience: float = PATIENCE
) -> Iterator[None]:
    """Holds the partition's lease in the block, waiting up to ``patience`` seconds for it.

    With ``group`` it is the lease of all dates that share one body (a season), so that one of them
    fetches it. A session may hold several; it is free for other work meanwhile.

    Postgres drops it the moment the session's connection ends, so kill -9 frees it at once and a
    dead host within a minute (the server's keepalives, ops.db). A connection that was lost in the
    block is a warning at its end. Raises Problem: INTERNAL, which names the holder, when it stays
    taken; STORAGE when the database cannot be asked.
    """
    name = f"{partition.dag_id}/{partition.endpoint}/{group}" if group else partition.lease
    key = int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), "big", signed=True)
    holds_it = session.run(lambda connection: _take(connection, key, partition, patience))
    try:
        yield
    finally:
        if not _give_back(session, holds_it, key):
            # Not a failure: what is written is written whole, whoever else may have been at it
            # meanwhile.
            log.warning(
                "the lease of %s was lost on the way (was the database restarted?)", partition
            )


def _take(connection: Connection, key: int, partition: Partition, patience: float) -> Connection:
    """The connection that holds it now. The lock outlives the transaction, the time-out does
    not."""
    try:
        with connection.transaction():
            connection.execute(
                "SELECT set_config('lock_timeout', %s, true)",
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
    return connection


def _give_back(session: Session, holds_it: Connection, key: int) -> bool:
    """Whether it was held until now, and is free."""

    def unlock(connection: Connection) -> bool:
        if connection is not holds_it:
            return False
        connection.execute("SELECT pg_advisory_unlock(%s)", (key,))
        return True

    try:
        return session.run(unlock)
    except Problem:
        return False
