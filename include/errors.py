"""What can go wrong, by class, with everything that a repair needs and no secret."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from hashlib import sha256
from typing import Any


class ErrorClass(StrEnum):
    """The classes of design section 6, invariant 4. Only RETRIED ones are asked again on the
    wire."""

    RATE_LIMITED = "rate_limited"
    QUOTA_EXHAUSTED = "quota_exhausted"
    NOT_ENTITLED = "not_entitled"
    BAD_KEY = "bad_key"
    BLOCKED = "blocked"
    HANG = "hang"
    UPSTREAM_DOWN = "upstream_down"
    NOT_FOUND = "not_found"
    SCHEMA_DRIFT = "schema_drift"
    EMPTY_UNEXPECTED = "empty_unexpected"
    INCOMPLETE = "incomplete"
    STORAGE = "storage"
    INTERNAL = "internal"


RETRIED = frozenset(
    {ErrorClass.RATE_LIMITED, ErrorClass.HANG, ErrorClass.UPSTREAM_DOWN, ErrorClass.BLOCKED}
)

OF_UPSTREAMS = RETRIED | {
    ErrorClass.QUOTA_EXHAUSTED,
    ErrorClass.NOT_ENTITLED,
    ErrorClass.BAD_KEY,
    ErrorClass.NOT_FOUND,
}
"""What an upstream, or the way there, does to every date alike."""

# What differs between two occurrences of one error: games, dates, clock times, hex ids, numbers.
_VARIABLE = re.compile(
    r"\b[A-Z]{2,4}@[A-Z]{2,4}\b|\d{4}-\d{2}-\d{2}(?:T[\d:.]+Z?)?|\b[0-9a-f]{8,}\b|\b\d+(?:\.\d+)?\b"
)
_LIST = re.compile(r"#(?:, #)+")


def storable(text: str) -> str:
    """The text as every log, row and mail can hold it: what upstreams send may have zero bytes and
    halves of characters (lone surrogates) in it, which Postgres and UTF-8 have no room for."""
    return text.replace("\0", "?").encode("utf-8", "replace").decode()


def normalised(message: str) -> str:
    """The message with games, dates, ids and numbers replaced by ``#``: equal for every date that
    failed alike."""
    return _LIST.sub("#", " ".join(_VARIABLE.sub("#", message).split()))


def fingerprint(error_class: str, endpoint: str, message: str) -> str:
    """Twelve hex digits, equal for failures of the same class, endpoint and normalised message."""
    parts = (error_class, endpoint, normalised(message))
    return sha256("\n".join(parts).encode()).hexdigest()[:12]


@dataclass(kw_only=True)
class Problem(Exception):
    """One failure. ``message`` is what the operator reads: it names the thing and the repair.

    ``url`` and ``body_line`` are already redacted; ``status`` is 0 when no answer came.
    ``passing``: it is our own database's or store's, and ends by itself: Airflow tries the date
    again.
    Survives pickling (measured on Airflow 3.3.2: an exception that does not unpickle kills the
    scheduler).
    """

    error_class: ErrorClass
    message: str
    source: str = ""
    endpoint: str = ""
    day: date | None = None
    url: str = ""
    status: int = 0
    attempt: int = 0
    body_line: str = ""
    retry_at: datetime | None = None
    passing: bool = False

    def __post_init__(self) -> None:
        self.message, self.url = storable(self.message), storable(self.url)
        self.body_line = storable(self.body_line)

    @property
    def fingerprint(self) -> str:
        """What it shares with every failure of its cause."""
        return fingerprint(self.error_class, self.endpoint, self.message)

    def __str__(self) -> str:
        where = " ".join(str(p) for p in (self.source, self.endpoint, self.day) if p)
        wire = " ".join(p for p in (self.url, f"-> {self.status}" if self.status else "") if p)
        tail = f" [{wire}]" if wire else ""
        body = f" body: {self.body_line}" if self.body_line else ""
        return (
            f"{self.error_class}: {self.message}{' (' + where + ')' if where else ''}{tail}{body}"
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return (_problem, (dict(self.__dict__),))

    __hash__ = Exception.__hash__


class Refused(Exception):
    """What an operator asked for was not begun. The message is one line: why, and what to do
    instead."""


def _problem(fields: dict[str, Any]) -> Problem:
    return Problem(**{k: v for k, v in fields.items() if k in Problem.__dataclass_fields__})
