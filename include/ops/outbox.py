"""The outbox: a mail is a row before it is sent, and the row's fixed Message-ID makes sending it
again harmless."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import psycopg
from psycopg.rows import class_row

# A sender that died in the middle is taken over after so long.
CLAIM = timedelta(seconds=45)
_PAUSES = (timedelta(seconds=15), timedelta(minutes=1), timedelta(minutes=5), timedelta(minutes=30))


@dataclass(frozen=True, kw_only=True)
class Mail:
    """A mail to be sent: ``content`` is the whole message as bytes."""

    mail_id: str
    message_id: str
    subject: str
    content: bytes
    attempts: int = 0


def put(connection: psycopg.Connection[Any], mail: Mail, about: Collection[str]) -> None:
    """Adds the mail, which tells of the DAGs ``about``, unless it is there; does not commit, so
    that it stands or falls with what the caller writes."""
    connection.execute(
        "INSERT INTO ops.outbox (mail_id, message_id, subject, content, about) VALUES (%s, %s, %s,"
        " %s, %s) ON CONFLICT (mail_id) DO NOTHING",
        (mail.mail_id, mail.message_id, mail.subject, mail.content, sorted(about)),
    )


def claim(connection: psycopg.Connection[Any]) -> Mail | None:
    """The next mail that is due, reserved for the caller for CLAIM; None when there is none."""
    with connection.cursor(row_factory=class_row(Mail)) as cursor:
        cursor.execute(
            "UPDATE ops.outbox SET attempts = attempts + 1, next_try_at = clock_timestamp() + %s"
            " WHERE mail_id = (SELECT mail_id FROM ops.outbox WHERE state = 'pending' AND"
            " next_try_at <= clock_timestamp() ORDER BY created_at LIMIT 1 FOR UPDATE SKIP LOCKED)"
            " RETURNING mail_id, message_id, subject, content, attempts",
            (CLAIM,),
        )
        mail = cursor.fetchone()
    connection.commit()
    return mail


def sent(connection: psycopg.Connection[Any], mail_id: str, receipt: str) -> None:
    """Notes that the mail was accepted; ``receipt`` says by whom or where it lies."""
    connection.execute(
        "UPDATE ops.outbox SET state = 'sent', receipt = %s, last_error = '' WHERE mail_id = %s",
        (receipt, mail_id),
    )
    connection.commit()


def not_sent(connection: psycopg.Connection[Any], mail: Mail, error: str, *, again: bool) -> None:
    """Notes why it was not accepted. With ``again`` it is tried later; else it is kept as
    ``failed``.

    Changes nothing when the claim had ended and somebody else has the mail, or has sent it.
    """
    pause = _PAUSES[min(mail.attempts - 1, len(_PAUSES) - 1)]
    connection.execute(
        "UPDATE ops.outbox SET state = %s, next_try_at = clock_timestamp() + %s, last_error = %s"
        " WHERE mail_id = %s AND state = 'pending' AND attempts = %s",
        ("pending" if again else "failed", pause, error, mail.mail_id, mail.attempts),
    )
    connection.commit()


def try_again(connection: psycopg.Connection[Any]) -> int:
    """Makes every mail that was given up due now, once its cause is repaired; returns how many
    those are."""
    again = connection.execute(
        "UPDATE ops.outbox SET state = 'pending', next_try_at = clock_timestamp() WHERE state ="
        " 'failed'"
    ).rowcount
    connection.commit()
    return again
