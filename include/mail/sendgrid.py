"""SendGrid: a message as its API wants it, and what its refusals mean to an operator."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.headerregistry import Address
from email.message import EmailMessage, MIMEPart
from functools import partial
from http.client import HTTPException
from typing import Any
from urllib.error import URLError

from include.errors import ErrorClass, Problem
from include.mail.message import BATCH_HEADER
from include.wording import clipped

SENDGRID = "https://api.sendgrid.com"
MAX_BODY = 65_536
RETRY_AFTER = {
    ErrorClass.RATE_LIMITED: timedelta(minutes=1),
    ErrorClass.UPSTREAM_DOWN: timedelta(minutes=5),
    ErrorClass.HANG: timedelta(minutes=5),
}
"""When to try again if the answer does not say. A minute is the window of SendGrid's own limits."""

_REFUSALS = {
    400: (
        ErrorClass.INTERNAL,
        "SendGrid did not accept the mail{said}; check sender and recipients of connection `mail`",
    ),
    401: (
        ErrorClass.BAD_KEY,
        "SendGrid refused the key of connection `mail`{said}; set a key with the Mail Send"
        " permission",
    ),
    403: (
        ErrorClass.BAD_KEY,
        "SendGrid refused the key of connection `mail` or its sender {sender}{said}; the key needs"
        " the Mail Send permission and the sender must be a verified Sender Identity",
    ),
    429: (
        ErrorClass.RATE_LIMITED,
        "SendGrid is over its limit for connection `mail`{said}; the mail is sent later",
    ),
}
_DOWN = (
    ErrorClass.UPSTREAM_DOWN,
    "SendGrid failed with status {status}{said}; the mail is sent later",
)
_STRANGE = (
    ErrorClass.INTERNAL,
    "{host} answered {status} instead of 202{said}; check that the host of connection `mail` is"
    " SendGrid's API",
)

_CARRIED = ("Message-ID", "In-Reply-To", "References", "Auto-Submitted", BATCH_HEADER)
"""Headers handed to SendGrid by name; it refuses those that it writes itself (To, From, Subject,
Reply-To, ...)."""


@dataclass(frozen=True, kw_only=True)
class SendGrid:
    """SendGrid's v3 API at ``host`` (scheme and host only: the client appends
    ``/v3/mail/send``)."""

    key: str = field(repr=False)
    host: str = SENDGRID
    timeout_seconds: float = 20.0


def send(message: EmailMessage, target: SendGrid, now: datetime) -> str:
    """SendGrid's own id of the mail that it has accepted. Raises Problem."""
    try:
        answer = ask(target, "mail", "send", body=_payload(message))
    except (OSError, HTTPException) as error:
        raise _unreached(error, target, now) from None
    if answer.status_code != 202:
        raise _refused(answer.status_code, answer.body, answer.headers, message, target, now)
    return str(answer.headers.get("X-Message-Id", ""))


def ask(target: SendGrid, *path: str, body: Any = None) -> Any:
    """SendGrid's answer at that path of v3, to a GET or, with a ``body``, a POST: its
    ``status_code``, ``body`` (the first MAX_BODY bytes) and ``headers``. Raises OSError and
    HTTPException where none came, or not as a whole in the target's time."""
    from include.http.deadline import Overdue, within

    try:
        return within(target.timeout_seconds, lambda: _exchange(target, path, body))
    except Overdue:
        raise TimeoutError from None


def _exchange(target: SendGrid, path: Sequence[str], body: Any) -> Any:
    # Imported here: 90 ms that a local outbox does not pay.
    from python_http_client.exceptions import HTTPError  # type: ignore[import-untyped]  # no stubs

    there = _endpoint(target, path)
    try:
        return there.get() if body is None else there.post(request_body=body)
    except HTTPError as refusal:
        return refusal


def _endpoint(target: SendGrid, path: Sequence[str]) -> Any:
    """SendGrid's client at that path of v3, which goes nowhere else: urllib, below it, follows a
    redirect with all headers, the key among them, to any host (Python 3.11)."""
    from urllib.request import BaseHandler, HTTPRedirectHandler, build_opener

    from python_http_client.client import Client  # type: ignore[import-untyped]  # no stubs
    from sendgrid import SendGridAPIClient  # type: ignore[import-untyped]  # no stubs

    class StaysHere(HTTPRedirectHandler):
        def redirect_request(self, *_: Any) -> None:
            """A redirect is an answer like any other that is not 202."""

    class Bounded(BaseHandler):
        def http_response(self, _: Any, response: Any) -> Any:
            """Before what is not 2xx is read and raised."""
            response.read = partial(_read_bounded, response, response.read)
            return response

        https_response = http_response

    class Endpoint(Client):  # type: ignore[misc]  # no stubs
        def _make_request(self, opener: Any, request: Any, timeout: float | None = None) -> Any:
            return super()._make_request(build_opener(StaysHere, Bounded), request, timeout)

    # The client writes all request headers, the key among them, to its log at DEBUG
    # (python-http-client 3.3.7).
    logging.getLogger("python_http_client.client").setLevel(logging.INFO)
    headers = SendGridAPIClient(api_key=target.key, host=target.host).client.request_headers
    return Endpoint(
        host=target.host,
        request_headers=headers,
        version=3,
        url_path=[*path],
        timeout=target.timeout_seconds,
    )


def _read_bounded(response: Any, read: Callable[[int], bytes]) -> bytes:
    with response:
        return read(MAX_BODY)


def _payload(message: EmailMessage) -> dict[str, Any]:
    """The body of v3/mail/send. All recipients share one mail, as its To header says."""
    parts = [message.get_body((kind,)) for kind in ("plain", "html")]
    payload: dict[str, Any] = {
        "personalizations": [{"to": [_address(a) for a in message["To"].addresses]}],
        "from": _address(message["From"].addresses[0]),
        "subject": str(message["Subject"]),
        "content": [
            {"type": part.get_content_type(), "value": _lines(part)} for part in parts if part
        ],
        "headers": {name: str(message[name]) for name in _CARRIED if message[name]},
        # SendGrid may replace a Message-ID; these come back in its event webhook and activity feed
        # unchanged.
        "custom_args": {
            "batch_id": str(message[BATCH_HEADER] or ""),
            "message_id": str(message["Message-ID"]),
        },
        # Tracking would rewrite every link and add a remote image.
        "tracking_settings": {
            "click_tracking": {"enable": False, "enable_text": False},
            "open_tracking": {"enable": False},
        },
    }
    if message["Reply-To"]:
        payload["reply_to"] = _address(message["Reply-To"].addresses[0])
    return payload


def _lines(part: MIMEPart) -> str:
    """The part with ``\n`` line ends, whether it was just built or read back from an outbox."""
    return str(part.get_content()).replace("\r\n", "\n")


def _address(address: Address) -> dict[str, str]:
    email = {"email": address.addr_spec}
    return {**email, "name": address.display_name} if address.display_name else email


def _refused(
    status: int,
    body: bytes,
    headers: Mapping[str, str],
    message: EmailMessage,
    target: SendGrid,
    now: datetime,
) -> Problem:
    """What an answer other than 202 means, in SendGrid's words and with the repair."""
    error_class, text = _REFUSALS.get(status, _DOWN if status >= 500 else _STRANGE)
    said = _said(body, target.key)
    return Problem(
        error_class=error_class,
        message=text.format(
            status=status,
            host=target.host,
            sender=message["From"],
            said=f": {said}" if said else "",
        ),
        source="sendgrid",
        endpoint="mail/send",
        url=f"{target.host}/v3/mail/send",
        status=status,
        retry_at=_retry_at(error_class, headers, now),
    )


def _unreached(error: Exception, target: SendGrid, now: datetime) -> Problem:
    """What it means that no answer came; the key stays unseen, whatever the error quotes."""
    reason = error.reason if isinstance(error, URLError) else error
    if isinstance(reason, TimeoutError):
        error_class, text = ErrorClass.HANG, "no answer from {host} in {seconds:g} s; {later}"
    else:
        error_class = ErrorClass.UPSTREAM_DOWN
        text = "cannot reach {host} ({why}); {later}, check the host of connection `mail`"
    why = (str(reason) or type(reason).__name__).replace(target.key, "[redacted]")
    return Problem(
        error_class=error_class,
        message=text.format(
            host=target.host,
            seconds=target.timeout_seconds,
            why=clipped(why, 200),
            later="the mail is sent later",
        ),
        source="sendgrid",
        endpoint="mail/send",
        url=f"{target.host}/v3/mail/send",
        retry_at=_retry_at(error_class, {}, now),
    )


def _said(body: bytes, key: str) -> str:
    """SendGrid's own words, ``message (field)`` for each of its errors; the first line of anything
    else."""
    text = body.decode("utf-8", "replace")
    try:
        errors = json.loads(text)["errors"]
        said = "; ".join(
            f"{e['message']}{' (' + str(e['field']) + ')' if e.get('field') else ''}"
            for e in errors
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        said = text.strip().split("\n", 1)[0]
    return clipped(said.replace(key, "[redacted]"), 300)


def _retry_at(
    error_class: ErrorClass, headers: Mapping[str, str], now: datetime
) -> datetime | None:
    """``X-RateLimit-Reset`` (Unix seconds) or ``Retry-After`` (seconds) where SendGrid names them,
    else RETRY_AFTER."""
    if error_class not in RETRY_AFTER:
        return None
    reset, after = headers.get("X-RateLimit-Reset") or "", headers.get("Retry-After") or ""
    if after.isdecimal():
        return now + timedelta(seconds=min(int(after), 86_400))
    if reset.isdecimal() and now.timestamp() < int(reset) <= now.timestamp() + 86_400:
        return datetime.fromtimestamp(int(reset), UTC)
    return now + RETRY_AFTER[error_class]
