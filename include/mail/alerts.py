"""Alerts of live runs: which fingerprints were reported lately, so that one cause does not send a
mail per date."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import psycopg

from include.fold import fold
from include.mail.report import Report

REPEAT_INTERVAL = timedelta(hours=4)
"""Failures of live runs with one fingerprint send one mail in so long; a batch is reported once and
never repeated."""


def withhold(connection: psycopg.Connection[Any], report: Report) -> bool:
    """Whether every failure of the report was told within the repeat interval; counts it then. Does
    not commit."""
    prints = {group.fingerprint for group in fold(report.dates)}
    told = connection.execute(
        "SELECT count(*) FROM ops.alerts WHERE dag_id = %s AND fingerprint = ANY(%s) AND sent_at >"
        " clock_timestamp() - %s",
        (report.dag_id, list(prints), REPEAT_INTERVAL),
    ).fetchone()
    if not prints or told != (len(prints),):
        return False
    connection.execute(
        "UPDATE ops.alerts SET withheld = withheld + 1 WHERE dag_id = %s AND fingerprint = ANY(%s)",
        (report.dag_id, list(prints)),
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
