"""One request and one answer, as values: what an upstream module sees of HTTP."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any, Protocol

from devstack.sandbox.league import League


@dataclass(frozen=True, kw_only=True)
class Call:
    """A request below one source's prefix. ``path`` excludes the prefix; header names are in lower
    case."""

    method: str = "GET"
    path: str
    query: Sequence[tuple[str, str]] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    now: datetime

    def param(self, name: str, default: str = "") -> str:
        """The last value of a query parameter."""
        return dict(self.query).get(name, default)

    def params(self, name: str) -> list[str]:
        """All values of a parameter, repeated or comma-separated."""
        return [
            part for key, value in self.query if key == name for part in value.split(",") if part
        ]


@dataclass(frozen=True, kw_only=True)
class Answer:
    """``text`` is sent as it is; without it, ``payload`` is sent as JSON. ``billed`` are
    credits."""

    status: int = 200
    payload: Any = None
    text: str | None = None
    encoding: str = "utf-8"
    content_type: str = "application/json; charset=utf-8"
    headers: Mapping[str, str] = field(default_factory=dict)
    billed: int = 0

    @property
    def body(self) -> bytes:
        """The bytes on the wire."""
        if self.text is not None:
            return self.text.encode(self.encoding)
        return json.dumps(self.payload, separators=(",", ":"), ensure_ascii=False).encode()

    def with_headers(self, headers: Mapping[str, str]) -> Answer:
        """The same answer with more headers."""
        return replace(self, headers={**self.headers, **headers})


class Upstream(Protocol):
    """What the app asks of a source. Every method is a pure function of its arguments; the clock is
    in the call."""

    source: str

    def endpoint(self, call: Call) -> str:
        """The endpoint's name in fault rules and in the log; empty for an unknown path."""

    def day(self, call: Call, league: League) -> date | None:
        """The US/Eastern date that the call asks about, where it asks about one."""

    def covers(self, call: Call, league: League, day: date) -> bool:
        """Whether the call's answer says something about this date; unless a source says more,
        about the one that is asked for."""
        return self.day(call, league) == day

    def refuse(self, kind: str) -> Answer:
        """How the real one says ``rate_limited``, ``bad_key``, ``wrong_tier``, ``out_of_credits``
        or ``down``."""

    def authorise(self, call: Call, key: str) -> Answer | None:
        """None for an entitled call, else the refusal."""

    def answer(self, call: Call, league: League) -> Answer:
        """The answer of a sound upstream."""

    def cost(self, call: Call, answer: Answer) -> int:
        """Credits that the answer costs; unless a source says more, nothing."""
        return 0

    def bend(self, kind: str, call: Call, answer: Answer, day: date | None) -> Answer:
        """The answer with what a content fault does to it, on the fault's date where the answer has
        several."""


def not_found() -> Answer:
    """An unknown path."""
    return Answer(status=404, payload={"error": "Not found"})
