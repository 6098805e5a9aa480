"""What holds requests of a connection back until a moment, and how a person lifts it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

import psycopg

Kind = Literal["pause", "cooldown", "credits"]

_OF_CONNECTION = "split_part(name, '@', 1) = %(connection)s"
_THIS_MONTH = "date_trunc('month', clock_timestamp() AT TIME ZONE 'UTC')::date"
_PAUSES = f"""
    SELECT name, 'pause' AS kind, paused_until AS until FROM ops.limiters
    WHERE {_OF_CONNECTION} AND paused_until > clock_timestamp()
    UNION ALL
    SELECT name, 'cooldown', cooldown_until FROM ops.address_health
    WHERE {_OF_CONNECTION} AND cooldown_until > clock_timestamp()
    UNION ALL
    SELECT account, 'credits', (month + interval '1 month') AT TIME ZONE 'UTC'
    FROM ops.credit_months
    WHERE account = %(connection)s AND month = {_THIS_MONTH} AND exhausted_under > 0
    ORDER BY kind, name
"""
_LIFT = (
    "UPDATE ops.limiters SET paused_until = '-infinity', refusals = 0 WHERE " + _OF_CONNECTION,
    "DELETE FROM ops.address_health WHERE " + _OF_CONNECTION,
    "UPDATE ops.credit_months SET exhausted_under = 0 WHERE account = %(connection)s",
)


@dataclass(frozen=True, kw_only=True)
class Pause:
    """Requests under ``name`` (a connection, or ``connection@hash`` for a proxy) wait ``until``
    then (UTC).

    ``kind``: ``pause`` after the upstream refused one, ``cooldown`` of a proxy that failed,
    ``credits`` that the upstream has called used up.
    """

    name: str
    kind: Kind
    until: datetime


def list_pauses(connection: psycopg.Connection[Any], name: str) -> list[Pause]:
    """What holds back requests of the Airflow connection ``name`` now, by kind and name."""
    rows = connection.execute(_PAUSES, {"connection": name}).fetchall()
    return [Pause(name=of, kind=kind, until=until.astimezone(UTC)) for of, kind, until in rows]


def lift_pauses(connection: psycopg.Connection[Any], name: str) -> list[Pause]:
    """Lifts what ``list_pauses`` lists, forgets earlier refusals and failures, and commits; returns
    what was lifted.

    The next request may go at once, under the limits that are declared. An upstream that still
    refuses it makes a new pause.
    """
    with connection.transaction():
        lifted = list_pauses(connection, name)
        for statement in _LIFT:
            connection.execute(statement, {"connection": name})
    connection.commit()
    return lifted
