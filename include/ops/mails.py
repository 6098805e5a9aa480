"""The mails of the outbox as people look at them, of the DAGs that they may read."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import psycopg
from psycopg.rows import class_row

MAX_LISTED = 100
MAX_LOOKED_AT = 500
"""Of so many, the newest, those are listed that a person may read: what a list costs must not grow
with the outbox."""


@dataclass(frozen=True, kw_only=True)
class ListedMail:
    """A mail without its content: ``pending`` is tried again at ``next_try_at``, ``failed`` is kept
    and not tried again, ``sent`` has a ``receipt``. It tells of the DAGs ``about``."""

    mail_id: str
    subject: str
    state: str
    attempts: int
    created_at: datetime
    next_try_at: datetime
    receipt: str
    last_error: str
    about: list[str]


_NAMES = ", ".join(ListedMail.__dataclass_fields__)
_READABLE = "about <@ %(dag_ids)s::text[] AND about <> '{}'"
_NEWEST = (
    f"SELECT {_NAMES} FROM (SELECT * FROM ops.outbox ORDER BY created_at DESC LIMIT"
    f" {MAX_LOOKED_AT}) newest WHERE {_READABLE} AND (%(dag_id)s::text IS NULL OR %(dag_id)s ="
    f" ANY(about)) ORDER BY created_at DESC LIMIT {MAX_LISTED}"
)
_OF_DATE = (
    f"SELECT {_NAMES} FROM ops.outbox WHERE mail_id IN (SELECT batch_id FROM ops.batch_runs"
    f" JOIN ops.batches USING (batch_id) WHERE day = %(day)s AND dag_id = %(dag_id)s) AND"
    f" {_READABLE} ORDER BY created_at DESC"
)
_ONE = f"SELECT {_NAMES} FROM ops.outbox WHERE mail_id = %(mail_id)s AND {_READABLE}"
_CONTENT = f"SELECT content FROM ops.outbox WHERE mail_id = %(mail_id)s AND {_READABLE}"


def list_mails(
    connection: psycopg.Connection[Any], dag_ids: Collection[str], *, dag_id: str | None = None
) -> list[ListedMail]:
    """The newest that tell of no other DAGs than these, the newest first; with ``dag_id`` those
    that tell of it."""
    return _read(connection, _NEWEST, dag_ids, dag_id=dag_id)


def list_of_date(connection: psycopg.Connection[Any], dag_id: str, day: date) -> list[ListedMail]:
    """Those of the batches that had a run of the date, the newest first."""
    return _read(connection, _OF_DATE, [dag_id], dag_id=dag_id, day=day)


def find_mail(
    connection: psycopg.Connection[Any], dag_ids: Collection[str], mail_id: str
) -> ListedMail | None:
    """One of those; None where there is none that tells of no other DAGs than these."""
    return next(iter(_read(connection, _ONE, dag_ids, mail_id=mail_id)), None)


def read_content(
    connection: psycopg.Connection[Any], dag_ids: Collection[str], mail_id: str
) -> bytes | None:
    """The whole message, as it is sent but for From and To; None as above."""
    asked = {"dag_ids": [*dag_ids], "mail_id": mail_id}
    row = connection.execute(_CONTENT, asked).fetchone()
    return bytes(row[0]) if row else None


def _read(
    connection: psycopg.Connection[Any], question: str, dag_ids: Collection[str], **asked: Any
) -> list[ListedMail]:
    with connection.cursor(row_factory=class_row(ListedMail)) as cursor:
        return cursor.execute(question, {"dag_ids": [*dag_ids], **asked}).fetchall()
