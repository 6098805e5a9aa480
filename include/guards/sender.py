"""Whether SendGrid would take the mail of a backfill, asked without sending one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from email.headerregistry import Address
from http.client import HTTPException
from typing import Any

from include.guards.preflight import Finding, failed, passed, warned
from include.mail.sendgrid import SendGrid, ask

_KEY = "set a SendGrid key with the Mail Send permission as the password of connection `mail`"
_SENDER = "verify it in SendGrid (Settings > Sender Authentication), or correct connection `mail`"


class _NotTold(Exception):
    """No usable answer; ``status`` is 0 where none came."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


def judge_sender(target: SendGrid, sender: Address) -> Finding:
    """What SendGrid says of the key and of the sender. Two to three short requests, free."""
    try:
        scopes = _ask(target, "scopes").get("scopes", [])
    except _NotTold as told:
        if told.status in (401, 403):
            return failed("SendGrid refuses the key of connection `mail`", _KEY)
        return warned(
            f"SendGrid cannot be asked at {target.host} ({told})", "see connection `mail`"
        )
    if "mail.send" not in scopes:
        return failed("the key of connection `mail` may not send mails", _KEY)
    try:
        known = {*_read_senders(target)}
    except _NotTold:
        return passed(f"SendGrid takes the key; it may not read whether {sender} is verified")
    # A domain that is authenticated lets every sender of it and of its subdomains.
    parts = sender.domain.lower().split(".")
    domains = {".".join(parts[n:]) for n in range(len(parts))}
    if not known & {sender.addr_spec.lower(), *domains}:
        return failed(f"{sender.addr_spec} is not a sender that SendGrid has verified", _SENDER)
    return passed(f"SendGrid takes the key and the sender {sender.addr_spec}")


def _read_senders(target: SendGrid) -> Iterator[str]:
    """Addresses and domains that mails may be from, in lower case."""
    for each in _ask(target, "verified_senders").get("results", []):
        if each.get("verified"):
            yield str(each.get("from_email", "")).lower()
    for each in _ask(target, "whitelabel", "domains").get("result", []):
        if each.get("valid"):
            yield str(each.get("domain", "")).lower()


def _ask(target: SendGrid, *path: str) -> dict[str, Any]:
    """The answer's object; of a list, ``{"result": [...]}``. Raises _NotTold, which shows no
    key."""
    try:
        answer = ask(target, *path)
        if answer.status_code >= 400:
            raise _NotTold(answer.status_code, f"status {answer.status_code}")
        found = json.loads(answer.body)
    except (OSError, HTTPException, ValueError) as error:
        raise _NotTold(0, type(error).__name__) from None
    return found if isinstance(found, dict) else {"result": found}
