"""What became of a mail, by its row in the outbox."""

from __future__ import annotations

from typing import Any

import psycopg


def receipt_of(connection: psycopg.Connection[Any], mail_id: str) -> tuple[str, str, str] | None:
    """(state, receipt, last error) of a mail, or None where there is none."""
    return connection.execute(
        "SELECT state, receipt, last_error FROM ops.outbox WHERE mail_id = %s", (mail_id,)
    ).fetchone()
