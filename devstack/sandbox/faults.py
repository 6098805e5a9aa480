"""Faults on order: which request fails how, and the wire faults that look alike at every
upstream."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import date
from typing import Any

from devstack.sandbox.exchange import Answer
from include.partition import parse_day

# Instead of an answer, or in how it is sent.
WIRE = frozenset(
    {
        "429",
        "500",
        "502",
        "503",
        "hang",
        "block_page_200",
        "block_page_403",
        "truncated_json",
        "torn_body",
        "echo",
    }
)
# Refusals that every upstream words in its own way.
REFUSALS = frozenset({"bad_key", "wrong_tier", "out_of_credits"})
# In what an otherwise sound answer says: of a date's first game, of every game, or of the one whose
# path is named. Each was seen in the wild; a source that cannot have it answers as if sound.
CONTENT = frozenset(
    {
        *("schema_drift", "late_game", "missing_game", "postponed", "unplayed", "empty"),
        "corrected",
        # A game: called off, played on another date, at a neutral site, without known teams.
        *("cancelled", "moved_game", "neutral_site", "undecided"),
        # Its box score: the team's points, the minutes, what is left of it.
        *("wrong_score", "wrong_minutes", "half_time", "lost_players"),
        *("null_player", "player_twice"),
        # What was asked for: not there while the rest is, or another game's.
        *("absent", "another_game"),
        # How it is written.
        *("other_names", "old_form"),
    }
)
Covers = Callable[[date], bool]
KINDS = WIRE | REFUSALS | CONTENT


_NUMBERS: Mapping[str, tuple[type, ...]] = {
    "times": (int, type(None)),
    "after": (int,),
    "retry_after": (int, type(None)),
    "seconds": (int, float, type(None)),
}


@dataclass(frozen=True, kw_only=True)
class Rule:
    """Requests that match every given condition fail with ``kind``, the first ``after`` of them
    excepted.

    ``times`` bounds how often (None: always). ``retry_after`` goes with a 429, ``seconds`` with a
    hang (None: until the client leaves; then the sound answer follows late).
    """

    kind: str
    source: str = ""
    endpoint: str = ""
    path_contains: str = ""
    address: str = ""
    day: date | None = None
    times: int | None = None
    after: int = 0
    retry_after: int | None = None
    seconds: float | None = None

    def matches(self, source: str, endpoint: str, path: str, address: str, covers: Covers) -> bool:
        """Whether a request is meant; ``covers`` says whether it asks about a US/Eastern date."""
        return (
            (not self.source or self.source == source)
            # A fault in the data is not meant for the sign-in before it, unless it says so.
            and self.endpoint in (endpoint, "" if endpoint != "token" else endpoint)
            and self.path_contains in path
            and self.address in ("", address)
            and (self.day is None or covers(self.day))
        )


def rules_from(orders: Sequence[Mapping[str, Any]]) -> list[Rule]:
    """Rules out of JSON objects; ValueError names what is wrong with which."""
    known = {each.name for each in fields(Rule)}
    rules: list[Rule] = []
    # Everything that could be wrong with an order is looked at before any counts.
    for order in orders:
        if isinstance(order, Rule):
            rules.append(order)
            continue
        if unknown := sorted(set(order) - known):
            raise ValueError(f"unknown field {', '.join(unknown)} in fault {dict(order)}")
        kind = str(order.get("kind", ""))
        if kind not in KINDS:
            raise ValueError(
                f"unknown kind of fault {kind!r}: known are {', '.join(sorted(KINDS))}"
            )
        for name, wanted in _NUMBERS.items():
            if not isinstance(order.get(name, 0), wanted):
                raise ValueError(f"{name} is not a number in fault {dict(order)}")
        day = order.get("day")
        rules.append(
            Rule(**{**order, "kind": kind, "day": parse_day(day) if isinstance(day, str) else day})
        )
    return rules


@dataclass(kw_only=True)
class Faults:
    """The rules in force, with how many requests each has matched and struck. The first that may
    strike does."""

    rules: list[Rule] = field(default_factory=list)
    _matched: Counter[int] = field(default_factory=Counter)
    _struck: Counter[int] = field(default_factory=Counter)

    def order(self, rules: Sequence[Rule]) -> None:
        """More rules, behind those in force."""
        self.rules.extend(rules)

    def clear(self) -> None:
        """No faults any more."""
        self.rules.clear()
        self._matched.clear()
        self._struck.clear()

    def strike(
        self, source: str, endpoint: str, path: str, address: str, covers: Covers
    ) -> list[Rule]:
        """The fault of this request, counted; none of a sound one. Where it is in what the answer
        says, so are those of the answer's other dates."""
        meant = [
            n
            for n, rule in enumerate(self.rules)
            if rule.matches(source, endpoint, path, address, covers)
        ]
        self._matched.update(meant)
        chosen: list[int] = []
        for n in filter(self._may_strike, meant):
            if not chosen or self._differ(n, chosen):
                chosen.append(n)
        self._struck.update(chosen)
        return [self.rules[n] for n in chosen]

    def _differ(self, n: int, chosen: Sequence[int]) -> bool:
        """Whether all are in what an answer says, each of another date."""
        rules = [self.rules[each] for each in (n, *chosen)]
        days = {rule.day for rule in rules} - {None}
        return len(days) == len(rules) and CONTENT.issuperset(rule.kind for rule in rules)

    def _may_strike(self, n: int) -> bool:
        rule = self.rules[n]
        again = rule.times is None or self._struck[n] < rule.times
        return again and self._matched[n] > rule.after


_HTML = "text/html; charset=utf-8"


def wire_answer(rule: Rule) -> Answer | None:
    """The answer of a fault that looks alike everywhere; None where the upstream has its own
    words."""
    match rule.kind:
        case "502" | "503":
            titles = {"502": "502 Bad Gateway", "503": "503 Service Temporarily Unavailable"}
            title = titles[rule.kind]
            head, body = (
                f"<head><title>{title}</title></head>",
                f"<center><h1>{title}</h1></center>",
            )
            page = f"<html>{head}<body>{body}</body></html>"
            return Answer(status=int(rule.kind), text=page, content_type=_HTML)
        case "block_page_200":
            return Answer(text=_CHALLENGE, content_type=_HTML)
        case "block_page_403":
            return Answer(status=403, text=ACCESS_DENIED, content_type=_HTML)
    return None


_CHALLENGE = (
    "<!DOCTYPE html><html><head><title>Just a moment...</title><meta name='robots'"
    " content='noindex'></head><body><noscript>Enable JavaScript and cookies to"
    " continue</noscript><script>challenge()</script></body></html>"
)
ACCESS_DENIED = (
    "<HTML><HEAD><TITLE>Access Denied</TITLE></HEAD><BODY><H1>Access Denied</H1>You don't have"
    " permission to access this resource on this server.<P>Reference"
    " #18.5e2f1702.1732450000.1a2b3c</P></BODY></HTML>"
)
