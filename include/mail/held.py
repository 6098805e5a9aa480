"""The mail of a backfill that is kept paused, since its preflight failed."""

from __future__ import annotations

from collections.abc import Sequence

from include.guards.preflight import Finding
from include.mail.message import DOMAIN, make_notice, to_bytes
from include.ops.outbox import Mail
from include.partition import DateRange


def make_held_mail(
    dag_id: str, window: DateRange, backfill_id: int, found: Sequence[Finding]
) -> Mail:
    """One for each backfill, whenever it is made; ``found`` are its failures."""
    lines = [
        f"Backfill {backfill_id} of {dag_id}, {window}, is paused, and nothing of it was started:",
        "",
        *(f"  {each}" for each in found),
        "",
        f"Repair it, then: airflow nba release {backfill_id}",
    ]
    subject = f"[HELD] {dag_id} {window}: its preflight failed"
    message_id = f"<preflight-{backfill_id}@{DOMAIN}>"
    message = make_notice(subject, "\n".join(lines) + "\n", message_id)
    return Mail(
        mail_id=f"preflight:{backfill_id}",
        message_id=message_id,
        subject=subject,
        content=to_bytes(message),
    )
