"""What SendGrid says of a key and a sender, asked without sending a mail."""

from __future__ import annotations

from email.headerregistry import Address
from typing import Any

import pytest

from include.guards.preflight import Finding, failed, passed, warned
from include.guards.sender import judge_sender
from include.mail.sendgrid import SendGrid
from tests.mail.stand_in import KEY, listening

SENDER = Address("NBA", addr_spec="nba@mail.Example.com")
SET = "set a SendGrid key with the Mail Send permission as the password of connection `mail`"
VERIFY = "verify it in SendGrid (Settings > Sender Authentication), or correct connection `mail`"
TAKEN = passed("SendGrid takes the key and the sender nba@mail.Example.com")
UNKNOWN = failed("nba@mail.Example.com is not a sender that SendGrid has verified", VERIFY)


def told(*senders: tuple[str, bool], domains: tuple[tuple[str, bool], ...] = ()) -> dict[str, Any]:
    """What SendGrid answers: who may be the sender, and whether that was verified."""
    results = [{"from_email": name, "verified": verified} for name, verified in senders]
    return {
        "/v3/scopes": {"scopes": ["mail.send", "stats.read"]},
        "/v3/verified_senders": {"results": results},
        "/v3/whitelabel/domains": [{"domain": name, "valid": valid} for name, valid in domains],
    }


@pytest.mark.parametrize(
    ("key", "answers", "found"),
    [
        (KEY, told(("NBA@mail.example.com", True)), TAKEN),
        (KEY, told(("nba@mail.example.com", False)), UNKNOWN),
        (KEY, told(domains=(("example.com", True),)), TAKEN),
        (KEY, told(domains=(("example.com", False), ("other.com", True))), UNKNOWN),
        (KEY, told(), UNKNOWN),
        (
            KEY,
            told() | {"/v3/verified_senders": 403},
            passed(f"SendGrid takes the key; it may not read whether {SENDER} is verified"),
        ),
        (
            KEY,
            {"/v3/scopes": {"scopes": ["stats.read"]}},
            failed("the key of connection `mail` may not send mails", SET),
        ),
        ("SG.wrong", told(), failed("SendGrid refuses the key of connection `mail`", SET)),
    ],
)
def test_key_and_sender(key: str, answers: dict[str, Any], found: Finding) -> None:
    with listening() as sendgrid:
        sendgrid.told = answers
        assert judge_sender(SendGrid(key=key, host=sendgrid.host), SENDER) == found
    assert {method for method, _ in sendgrid.requests} == {"GET"}


@pytest.mark.parametrize(("status", "why"), [(500, "status 500"), (202, "JSONDecodeError")])
def test_host_that_does_not_tell_is_a_warning(status: int, why: str) -> None:
    with listening() as sendgrid:
        sendgrid.told = {"/v3/scopes": status}
        found = judge_sender(SendGrid(key=KEY, host=sendgrid.host), SENDER)
    assert found == warned(
        f"SendGrid cannot be asked at {sendgrid.host} ({why})", "see connection `mail`"
    )
