"""Alerts of live runs: which fingerprints were reported lately, so that one cause does not send a
mail per date."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import psycopg

from include.fold import fold
from include.mail.policy import is_repeat
from include.mail.report import Report


def withhold(connection: psycopg.Connection[Any], report: Report) -> bool:
    """Whether every failure of the report was told within the repeat interval; counts it then. Does
    not commit."""
    prints = [group.fingerprint for group in fold(report.dates)]
    last = dict(
        connection.execute(
            "SELECT fingerprint, sent_at FROM ops.alerts WHERE dag_id = %s AND fingerprint ="
            " ANY(%s)",
            (report.dag_id, prints),
        ).fetchall()
    )
    if not prints or not all(is_repeat(last.get(each), datetime.now(UTC)) for each in prints):
        return False
    connection.execute(
        "UPDATE ops.alerts SET withheld = withheld + 1 WHERE dag_id = %s AND fingerprint = ANY(%s)",
        (report.dag_id, prints),
    )
    return True


def note_sent(connection: psycopg.Connection[Any], report: Report) -> None:
    """Notes that the report's failures are being told now. Does not commit: it stands or falls with
    the mail."""
    for group in fold(report.dates):
        connection.execute(
            "INSERT INTO ops.alerts (dag_id, fingerprint, sent_at) VALUES (%s, %s,"
            " clock_timestamp()) ON CONFLICT (dag_id, fingerprint) DO UPDATE SET sent_at ="
            " clock_timestamp(), withheld = 0",
            (report.dag_id, group.fingerprint),
        )
