"""A report as a mail message: headers but for From and To, both parts, the same bytes every
time."""

from __future__ import annotations

import email
import re
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from hashlib import sha256

from include.mail.render import render
from include.mail.report import Report

BATCH_HEADER = "X-Batch-ID"

# 76, not the policy's 78: quoted-printable allows no longer line (RFC 2045, 6.7).
_PARTS = SMTP.clone(max_line_length=76)
# Headers stay on one line as long as SMTP allows: folding leaves an empty first line before a long
# subject.
_WIRE = SMTP.clone(max_line_length=900)

_UNSAFE = re.compile(r"[^A-Za-z0-9_-]+")


DOMAIN = "nba-backfill.local"
"""The domain of our Message-IDs."""


def make_message_id(report: Report) -> str:
    """``<batch-ID@DOMAIN>``: one per batch, so that sending again is the same mail.

    A halted batch is told at once and may finish later: its mail has the moment of the halt in its
    id, hence each halt is told once and the summary once more.
    """
    name = f"batch-{report.batch_id}"
    safe = _UNSAFE.sub("-", name)
    if safe != name or len(safe) > 40:
        # Two ids that differ only in what is replaced or cut must not become one mail.
        safe = f"{safe[:31].strip('-')}-{sha256(name.encode()).hexdigest()[:8]}"
    if report.state == "halted":
        safe += f"-halted-{report.ended_at.astimezone(UTC):%Y%m%dT%H%M%S}"
    return f"<{safe}@{DOMAIN}>"


def make_message(report: Report) -> EmailMessage:
    """The finished message, but for From and To, which it gets when it is sent. Dated when the
    batch ended, not when it is sent: the same report gives the same bytes."""
    content = render(report)
    own_id = make_message_id(report)
    message = EmailMessage(policy=_PARTS)
    message["Message-ID"] = own_id
    message["Date"] = format_datetime(report.ended_at.astimezone(UTC))
    message["Subject"] = content.subject
    if report.in_reply_to:
        first = f"<{report.in_reply_to.strip('<> ')}>"
        message["In-Reply-To"] = first
        message["References"] = first
    message["Auto-Submitted"] = "auto-generated"
    message[BATCH_HEADER] = report.batch_id
    message.set_content(content.text, cte="quoted-printable")
    # `=_` cannot occur in quoted-printable, hence not in the parts.
    message.make_alternative(boundary=f"=_{sha256(own_id.encode()).hexdigest()[:32]}")
    message.add_alternative(content.html, subtype="html", cte="quoted-printable")
    return message


def make_notice(subject: str, text: str, message_id: str) -> EmailMessage:
    """A short message of plain text that is about no batch."""
    message = EmailMessage(policy=_PARTS)
    message["Message-ID"] = message_id
    message["Date"] = format_datetime(datetime.now(UTC))
    message["Subject"] = subject
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(text, cte="quoted-printable")
    return message


def to_bytes(message: EmailMessage) -> bytes:
    """The message as an ``.eml`` file or an outbox row holds it."""
    return message.as_bytes(policy=_WIRE)


def from_bytes(data: bytes) -> EmailMessage:
    """What ``to_bytes`` wrote, as a message again."""
    message = email.message_from_bytes(data, EmailMessage, policy=_WIRE)
    assert isinstance(message, EmailMessage)
    return message
