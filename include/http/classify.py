"""What an answer means: its error class, the reason an operator reads and when to ask again.
Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Literal

from include.errors import ErrorClass

Accept = Literal["json", "csv"]


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """Why an answer is not data. ``retry_after`` is in seconds, at most MAX_RETRY_AFTER; None where
    the upstream does not say."""

    error_class: ErrorClass
    reason: str
    retry_after: float | None = None


MAX_RETRY_AFTER = 3600.0
"""Seconds. The longest window of our upstreams' limits is a minute; six deferrals of an hour
(steps.attempt) still end on the same day."""

_LATER = "rerun the date when the upstream is well again"

# The codes that upstreams put into error bodies where the status alone is ambiguous. One table for
# all of them: The Odds API's `error_code` and Google's `error.errors[].reason` share no word.
_CODES: Mapping[str, tuple[ErrorClass, str]] = {
    "INVALID_KEY": (
        ErrorClass.BAD_KEY,
        "the key is not valid: put a valid one into the connection",
    ),
    "DEACTIVATED_KEY": (
        ErrorClass.BAD_KEY,
        "the key is deactivated: put an active one into the connection",
    ),
    "OUT_OF_USAGE_CREDITS": (
        ErrorClass.QUOTA_EXHAUSTED,
        (
            "the month's credits are used up: wait for the reset on the 1st; or, after buying a"
            ' larger plan, raise {"credits": {"monthly": ..., "live_reserve": ...}} in the'
            " connection's extra"
        ),
    ),
    "HISTORICAL_UNAVAILABLE_ON_FREE_USAGE_PLAN": (
        ErrorClass.NOT_ENTITLED,
        "the key's plan has no historical data: historical endpoints need a paid plan",
    ),
    "EXCEEDED_FREQ_LIMIT": (ErrorClass.RATE_LIMITED, "too many requests a second"),
    "EVENT_NOT_FOUND": (
        ErrorClass.NOT_FOUND,
        (
            "the event is not in that snapshot, which does not change: an earlier one may have it;"
            " or `airflow nba accept` the game"
        ),
    ),
    **dict.fromkeys(
        ("INVALID_MARKET", "INVALID_MARKET_COMBO", "INVALID_REGION", "INVALID_BOOKMAKERS"),
        (ErrorClass.INTERNAL, "it is not known there: correct it in the connection's extra"),
    ),
    "rateLimitExceeded": (ErrorClass.RATE_LIMITED, "too many requests"),
    "userRateLimitExceeded": (ErrorClass.RATE_LIMITED, "too many requests of this account"),
    "dailyLimitExceeded": (
        ErrorClass.QUOTA_EXHAUSTED,
        "the day's quota is used up: wait for its reset",
    ),
    "downloadQuotaExceeded": (
        ErrorClass.QUOTA_EXHAUSTED,
        "the file's download quota is used up: wait a day",
    ),
    "accessNotConfigured": (
        ErrorClass.NOT_ENTITLED,
        "the API is not enabled in the service account's project",
    ),
}

_STATUSES: Mapping[int, tuple[ErrorClass, str]] = {
    # Ball Don't Lie answers 401 `Unauthorized` to a wrong key and to a tier without the endpoint
    # alike.
    401: (
        ErrorClass.BAD_KEY,
        (
            "key refused, or its tier lacks this endpoint: check the connection's key and the"
            " account's plan"
        ),
    ),
    402: (ErrorClass.QUOTA_EXHAUSTED, "the account has to pay before it may ask again"),
    403: (
        ErrorClass.NOT_ENTITLED,
        (
            "refused: the account or its tier lacks this endpoint; check the plan, or what is"
            " shared with the account"
        ),
    ),
    404: (
        ErrorClass.NOT_FOUND,
        "the upstream does not have it: check the connection's host, or rerun the date later",
    ),
    407: (
        ErrorClass.UPSTREAM_DOWN,
        "the proxy refuses its credentials: check the proxies in the connection's extra",
    ),
    408: (ErrorClass.UPSTREAM_DOWN, f"the upstream gave up waiting for the request: {_LATER}"),
    410: (ErrorClass.NOT_FOUND, "the upstream does not have it any more"),
    429: (
        ErrorClass.RATE_LIMITED,
        "too many requests: lower the limit in the source's file if this goes on",
    ),
}

_BLOCKED = "an HTML page instead of data: this address is being blocked; wait, or use other proxies"


def classify(
    *, status: int, headers: Mapping[str, str], body: bytes, accept: Accept, now: datetime
) -> Verdict | None:
    """None for an answer that holds data of the accepted form, else why not.

    ``headers`` are looked up by lower-case name; ``body`` may be cut to its first kilobytes where
    the status is not a success. 400 and 422 are ``internal``, not ``schema_drift``: the upstream
    understood us and says that our request is wrong, so the repair is in the source's file; drift
    is a body that our parser does not know.
    """
    if 200 <= status < 300:
        return _unusable(headers, body, accept)
    if 300 <= status < 400:
        return Verdict(
            error_class=ErrorClass.BLOCKED,
            reason="redirected away instead of answered (a login or a block)",
        )
    error_class, reason = _refusal(status, headers, body)
    return Verdict(error_class=error_class, reason=reason, retry_after=retry_after(headers, now))


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """The seconds that ``Retry-After`` asks for: a number, or a date measured by the upstream's own
    ``Date``.

    None where it does not say so in a way that can be believed: nothing readable, a moment that has
    passed, more than MAX_RETRY_AFTER (epoch seconds are 57 years).
    """
    value = headers.get("retry-after", "").strip()
    if value.isascii() and value.replace(".", "", 1).isdigit():
        seconds = float(value)
    elif until := _http_date(value):
        seconds = (until - (_http_date(headers.get("date", "")) or now)).total_seconds()
    else:
        return None
    return seconds if 0 < seconds <= MAX_RETRY_AFTER else None


def _http_date(value: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _refusal(status: int, headers: Mapping[str, str], body: bytes) -> tuple[ErrorClass, str]:
    for code in _codes(body):
        if code in _CODES:
            error_class, reason = _CODES[code]
            return error_class, f"{code}: {reason}"
    if status >= 500:
        return ErrorClass.UPSTREAM_DOWN, f"the upstream fails with status {status}: {_LATER}"
    if status not in (400, 401, 404, 407, 408, 410, 422, 429) and _is_page(headers, body):
        return ErrorClass.BLOCKED, _BLOCKED
    if status in _STATUSES:
        return _STATUSES[status]
    return (
        ErrorClass.INTERNAL,
        f"the upstream calls our request wrong ({status}): correct the source's file",
    )


def _unusable(headers: Mapping[str, str], body: bytes, accept: Accept) -> Verdict | None:
    start = _start(body)
    if not start:
        return Verdict(error_class=ErrorClass.UPSTREAM_DOWN, reason=f"the body is empty: {_LATER}")
    # A block page has status 200 too (stats.nba.com, seen 2026): it is never an empty day.
    if _is_page(headers, body):
        return Verdict(error_class=ErrorClass.BLOCKED, reason=_BLOCKED)
    looks_json = start[:1] in (b"{", b"[")
    if looks_json != (accept == "json"):
        return Verdict(
            error_class=ErrorClass.SCHEMA_DRIFT, reason=f"the body is not {accept.upper()}"
        )
    return _unreadable(body) if accept == "json" else None


def _unreadable(body: bytes) -> Verdict | None:
    try:
        json.loads(body)
    except RecursionError:
        return Verdict(error_class=ErrorClass.SCHEMA_DRIFT, reason="the JSON is nested too deep")
    except ValueError:  # JSONDecodeError and UnicodeDecodeError
        return Verdict(error_class=ErrorClass.UPSTREAM_DOWN, reason=f"the JSON is torn: {_LATER}")
    return None


def _start(body: bytes) -> bytes:
    return body[:1024].removeprefix(b"\xef\xbb\xbf").lstrip()


def _is_page(headers: Mapping[str, str], body: bytes) -> bool:
    start = _start(body)
    return start.startswith(b"<") or (
        "html" in headers.get("content-type", "") and start[:1] not in (b"{", b"[")
    )


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _codes(body: bytes) -> Iterator[str]:
    found = _json(body)
    if not isinstance(found, dict):
        return
    yield str(found.get("error_code", ""))
    error = found.get("error")
    errors = error.get("errors") if isinstance(error, dict) else None
    for each in errors if isinstance(errors, list) else ():
        if isinstance(each, dict):
            yield str(each.get("reason", ""))
