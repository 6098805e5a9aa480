"""Leases: one run at a time works on a partition. Held by a database session, so a dead process
holds none."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from hashlib import blake2b

import psycopg

from include.errors import ErrorClass, Problem
from include.ops.session import Connection, Session
from include.outcome import Later, Outcome
from include.partition import Partition

log = logging.getLogger(__name__)

# Seconds, less than a statement may take (ops.db). A sound fetch of a season takes 1-3 s, so that
# most who wait for one need not be put off.
PATIENCE = 10.0
ASK_AGAIN = timedelta(seconds=30)
"""How long who finds a lease taken is put off."""
MAX_QUEUE = timedelta(minutes=90)
"""How long it asks again: a task ends within an hour, so that this holder never will."""

_HOLDER = (
    "SELECT a.application_name FROM pg_locks l JOIN pg_stat_activity a USING (pid) WHERE l.granted"
    " AND l.locktype = 'advisory' AND a.datname = current_database()"
    " AND ((l.classid::bigint << 32) | l.objid::bigint) = %s"
)


class Taken(Later):
    """Another run has the lease; ``since`` is the moment, by the database's clock, from which this
    one has waited for it."""

    since: datetime

    @classmethod
    def by(cls, holder: str, what: str, now: datetime, since: datetime) -> Taken:
        """Of a lease that is asked for ``now``."""
        reason = f"another run ({holder}) is at work on {what}"
        taken = cls(now + ASK_AGAIN, reason, Outcome.NOT_YET)
        taken.since = since
        return taken


@contextmanager
def lease(
    session: Session,
    partition: Partition,
    *,
    group: str = "",
    queued_since: datetime | None = None,
    patience: float | None = None,
) -> Iterator[datetime]:
    """Holds the partition's lease in the block, waiting up to ``patience`` seconds (default:
    PATIENCE) for it.

    Gives the moment, by the database's clock, from which it was waited for.

    With ``group`` it is the lease of all dates that share one body (a season), so that one of them
    fetches it. A session may hold several; it is free for other work meanwhile. ``queued_since``:
    what the last Taken said, if this is not the first time that it is asked for.

    Postgres drops it the moment the session's connection ends, so kill -9 frees it at once and a
    dead host within a minute (the server's keepalives, ops.db). A connection that was lost in the
    block is a warning at its end. Raises Taken, which names the holder, when it stays taken, and
    after MAX_QUEUE Problem(INTERNAL); Problem(STORAGE) when the database cannot be asked.
    """
    name = f"{partition.dag_id}/{partition.endpoint}/{group}" if group else partition.lease
    key = int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), "big", signed=True)
    most = PATIENCE if patience is None else patience
    holds_it, now, holder = session.run(lambda connection: _take(connection, key, most))
    since = queued_since or now
    if holder:
        what = f"{partition.dag_id} {partition.endpoint} {group}" if group else str(partition)
        raise _deferral(Taken.by(holder, what, now, since), partition, now - since)
    try:
        yield since
    finally:
        if not _give_back(session, holds_it, key):
            # Not a failure: what is written is written whole, whoever else may have been at it
            # meanwhile.
            log.warning(
                "the lease of %s was lost on the way (was the database restarted?)", partition
            )


def _take(connection: Connection, key: int, patience: float) -> tuple[Connection, datetime, str]:
    """The connection that holds it now, when it was asked for, and, if it stays taken, by whom. The
    lock outlives the transaction, the time-out does not."""
    try:
        with connection.transaction():
            ((now, _),) = connection.execute(
                "SELECT clock_timestamp(), set_config('lock_timeout', %s, true)",
                (f"{max(1, int(patience * 1000))}ms",),
            ).fetchall()
            connection.execute("SELECT pg_advisory_lock(%s)", (key,))
    except psycopg.errors.LockNotAvailable:
        found = connection.execute(_HOLDER, (key,)).fetchone()
        return connection, now.astimezone(UTC), found[0] if found else "it has just ended"
    return connection, now.astimezone(UTC), ""


def _deferral(taken: Taken, partition: Partition, waited: timedelta) -> Taken | Problem:
    if waited < MAX_QUEUE:
        return taken
    minutes = f"{waited.total_seconds() / 60:.0f} minutes"
    return Problem(
        error_class=ErrorClass.INTERNAL,
        message=f"{taken.reason}, for {minutes} now: let it end, or end it, then clear this task",
        endpoint=partition.endpoint,
        day=partition.day,
    )


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
