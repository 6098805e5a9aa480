"""The rows of the credit ledger: a month's balance, read and written under its lock."""

from __future__ import annotations

from datetime import date
from typing import Any

import psycopg
from psycopg.rows import class_row

from include.limits.allowance import Month, month_of

_FIELDS = tuple(Month.__dataclass_fields__)
_COLUMNS = ", ".join(_FIELDS)
_KEY = "account = %s AND month = %s"


def balance(connection: psycopg.Connection[Any], account: str, day: date) -> Month:
    """How the account stands in the UTC month of ``day``; see allowance.room and room_today for
    what is left."""
    with connection.cursor(row_factory=class_row(Month)) as cursor:
        cursor.execute(
            f"SELECT {_COLUMNS} FROM ops.credit_months WHERE {_KEY}", (account, month_of(day))
        )
        return cursor.fetchone() or Month(month=month_of(day))


def lock_month(connection: psycopg.Connection[Any], account: str, first: date) -> Month:
    """The month's balance, created when it is new; nobody else changes it until the transaction
    ends.

    Taken before any reservation is touched, so two settlements cannot wait for each other.
    """
    connection.execute(
        "INSERT INTO ops.credit_months (account, month) VALUES (%s, %s) ON CONFLICT DO NOTHING",
        (account, first),
    )
    with connection.cursor(row_factory=class_row(Month)) as cursor:
        cursor.execute(
            f"SELECT {_COLUMNS} FROM ops.credit_months WHERE {_KEY} FOR UPDATE", (account, first)
        )
        month = cursor.fetchone()
    assert month is not None
    return month


def write_month(connection: psycopg.Connection[Any], account: str, month: Month) -> None:
    connection.execute(
        f"UPDATE ops.credit_months SET ({_COLUMNS}) = ROW({', '.join(['%s'] * len(_FIELDS))}) WHERE"
        f" {_KEY}",
        (*(getattr(month, name) for name in _FIELDS), account, month.month),
    )
