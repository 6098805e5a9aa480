"""What the team was told of backfills under way, by which notifier: each part of each once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import psycopg

from include.ops.batches import Batch, read_batches

PARTS = 10
MAX_TRIES = 3
"""Of a part that a notifier has refused; after that the team is not told of it."""


def count_part(ended: int, total: int) -> int:
    """How many tenths of the dates have ended; the last one is told when the batch is closed."""
    return min(PARTS - 1, PARTS * ended // max(1, total))


def claim(connection: psycopg.Connection[Any], batch_id: str, notifier: str, part: int) -> bool:
    """Whether the caller is to tell it: nobody has told this part or a later one, or it was refused
    and may be tried again. Commits: what a process that is killed may have told, none tells
    again."""
    given = {"batch": batch_id, "notifier": notifier, "part": part, "most": MAX_TRIES}
    cursor = connection.execute(
        "INSERT INTO ops.announcements AS a (batch_id, notifier, part) SELECT %(batch)s,"
        " %(notifier)s, %(part)s WHERE NOT EXISTS (SELECT 1 FROM ops.announcements WHERE batch_id ="
        " %(batch)s AND notifier = %(notifier)s AND part > %(part)s) ON CONFLICT (batch_id,"
        " notifier, part) DO UPDATE SET tries = a.tries + 1, state = 'sending' WHERE a.state ="
        " 'failed' AND a.tries < %(most)s",
        given,
    )
    connection.commit()
    return cursor.rowcount == 1


def note(
    connection: psycopg.Connection[Any], batch_id: str, notifier: str, part: int, error: str = ""
) -> None:
    """Notes that it was told, or why not. Commits."""
    connection.execute(
        "UPDATE ops.announcements SET state = CASE WHEN %(error)s = '' THEN 'sent' ELSE 'failed'"
        " END, last_error = %(error)s WHERE batch_id = %(batch)s AND notifier = %(notifier)s AND"
        " part = %(part)s",
        {"batch": batch_id, "notifier": notifier, "part": part, "error": error},
    )
    connection.commit()


def read_ended(connection: psycopg.Connection[Any], limit: int) -> list[Batch]:
    """The backfills that are reported and whose end nobody has dealt with, the oldest first."""
    return read_batches(
        connection,
        "announced_at IS NULL AND kind = 'backfill' AND reported_at IS NOT NULL ORDER BY"
        " closed_at, batch_id LIMIT %s",
        (limit,),
    )


def close(connection: psycopg.Connection[Any], batch_ids: Sequence[str]) -> None:
    """Notes that the ends of these are dealt with, but where one is to be tried again. Commits."""
    connection.execute(
        "UPDATE ops.batches b SET announced_at = clock_timestamp() WHERE batch_id = ANY(%s) AND NOT"
        " EXISTS (SELECT 1 FROM ops.announcements a WHERE a.batch_id = b.batch_id AND a.part = %s"
        " AND a.state = 'failed' AND a.tries < %s)",
        (list(batch_ids), PARTS, MAX_TRIES),
    )
    connection.commit()


def read_subject(connection: psycopg.Connection[Any], batch_id: str) -> str:
    """What the batch's mail says in one line."""
    row = connection.execute(
        "SELECT subject FROM ops.outbox WHERE mail_id = %s", (batch_id,)
    ).fetchone()
    return str(row[0]) if row else ""
