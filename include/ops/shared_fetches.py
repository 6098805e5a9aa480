"""One fetch for all dates that share a body (a season): who waits for it gets its body, or its
failure."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from psycopg.rows import dict_row

from include.errors import OF_UPSTREAMS, Problem
from include.ops.leases import lease
from include.ops.session import Connection, Session
from include.partition import Partition

log = logging.getLogger(__name__)

_SAID = ("error_class", "message", "url", "status", "body_line", "retry_at")
_KEY = "dag_id = %(dag_id)s AND endpoint = %(endpoint)s AND shared_by = %(group)s"
_FAILED = f"""
    SELECT {", ".join(_SAID)} FROM ops.shared_failures WHERE {_KEY} AND failed_at >= %(since)s
"""
_NOTE = f"""
    INSERT INTO ops.shared_failures (dag_id, endpoint, shared_by, {", ".join(_SAID)})
    VALUES (%(dag_id)s, %(endpoint)s, %(group)s, {", ".join(f"%({name})s" for name in _SAID)})
    ON CONFLICT (dag_id, endpoint, shared_by) DO UPDATE SET failed_at = clock_timestamp(),
        {", ".join(f"{name} = excluded.{name}" for name in _SAID)}
"""
_FORGET = f"DELETE FROM ops.shared_failures WHERE {_KEY}"


@contextmanager
def shared_fetch(
    session: Session, partition: Partition, *, group: str, queued_since: datetime | None = None
) -> Iterator[None]:
    """Holds the lease of the dates that share a body; it is fetched in the block, unless it is
    there by now.

    ``queued_since`` as for the lease. Raises what the lease raises, and the failure of a fetch that
    has ended since this one began to wait: of sixty dates behind a hanging upstream one hangs.
    """
    values = {"dag_id": partition.dag_id, "endpoint": partition.endpoint, "group": group}
    with lease(session, partition, group=group, queued_since=queued_since) as since:
        if failed := session.run(lambda connection: _failure(connection, partition, values, since)):
            raise failed
        try:
            yield
        except Problem as problem:
            if problem.error_class in OF_UPSTREAMS:
                said = {name: getattr(problem, name) for name in _SAID}
                _tell(session, lambda connection: connection.execute(_NOTE, {**values, **said}))
            raise
        _tell(session, lambda connection: connection.execute(_FORGET, values))


def failed_lately(session: Session, partition: Partition, group: str, seconds: float) -> bool:
    """Whether the last fetch of the group has failed, within so many seconds by the database's
    clock."""
    values = {"dag_id": partition.dag_id, "endpoint": partition.endpoint, "group": group}
    lately = f"SELECT 1 FROM ops.shared_failures WHERE {_KEY} AND failed_at > clock_timestamp()"
    asked = f"{lately} - make_interval(secs => %(seconds)s)"
    values_then = {**values, "seconds": seconds}
    return bool(session.run(lambda connection: connection.execute(asked, values_then).fetchone()))


def _failure(
    connection: Connection, partition: Partition, values: dict[str, Any], since: datetime
) -> Problem | None:
    with connection.cursor(row_factory=dict_row) as cursor:
        found = cursor.execute(_FAILED, {**values, "since": since}).fetchone()
    if found is None:
        return None
    where = {"source": partition.dag_id, "endpoint": partition.endpoint, "day": partition.day}
    return Problem(**{**found, **where})


def _tell(session: Session, work: Callable[[Connection], Any]) -> None:
    """What the others are told is help for them: how this fetch has ended stays as it is."""
    try:
        session.run(work)
    except Problem as problem:
        log.warning("the others that wait for this fetch are not told: %s", problem.message)
