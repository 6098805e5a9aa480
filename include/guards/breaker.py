"""The circuit breaker's rules: which red flag the dates of a backfill show that have ended, and
what is to be warned of before. A table of rules over a window of outcomes; no clock, no database.

A failure that is our own (a store or a worker that was lost) counts like an upstream's: it meets
the next date as well, and what was paid for it is paid again. A date that a person ended does not.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from math import inf

from include.outcome import Outcome
from include.wording import counted

VARIABLE = "NBA_BREAKER"
EVERY_DAG = "*"
"""In the variable: the DAGs that are not named."""
MAX_NUMBER = 10**9
"""That a threshold can be: of minutes, what a date can still be added to."""
_COUNTS = frozenset({"window", "min_dates"})
"""Thresholds that are integers."""
PHASES = ("wait", "fetch", "write", "load", "check")
_REFUSED = frozenset({"rate_limited", "blocked", "not_entitled"})
"""Classes of dates that ended with 429 or 403."""


@dataclass(frozen=True, kw_only=True)
class Thresholds:
    """Of a DAG's breaker. ``max_`` are the most that is borne; rates are parts of 1.

    ``window``: of how many dates, the newest that have ended, it judges; ``min_dates``: before so
    many have ended, neither errors nor pace are judged. ``max_slower``: times the planned seconds a
    date; ``max_refusals``: 429 in a row at a connection, each success takes one back;
    ``max_task_mb``: megabytes of one date's process. ``cooldown``: minutes until it probes, doubled
    after each probe that fails up to ``max_cooldown``.
    """

    window: int = 50
    min_dates: int = 10
    max_error_rate: float = 0.20
    warn_error_rate: float = 0.10
    max_alike: float = 4
    max_slower: float = 10.0
    warn_dates_a_minute: float = 10.0
    max_refused: float = 2
    max_refusals: float = 9
    max_task_mb: float = 1000
    cooldown: float = 15
    max_cooldown: float = 240

    @classmethod
    def none(cls) -> Thresholds:
        """Of a DAG that has no breaker: everything is borne."""
        return cls(
            max_error_rate=inf,
            max_alike=inf,
            max_slower=inf,
            max_refused=inf,
            max_refusals=inf,
            max_task_mb=inf,
        )

    def wait(self, failed_probes: int) -> timedelta:
        """How long it cools down, after so many probes that failed in a row."""
        doubled = self.cooldown * 2 ** min(failed_probes, 20)
        return timedelta(minutes=min(self.max_cooldown, doubled))


@dataclass(frozen=True, kw_only=True)
class Ended:
    """A date whose run has ended, by its worst endpoint. ``seconds`` are those at work by phase, of
    all endpoints; ``spans`` when they were."""

    run_id: str
    outcome: Outcome
    error_class: str = ""
    fingerprint: str = ""
    message: str = ""
    requests: int = 0
    seconds: Mapping[str, float] = field(default_factory=dict)
    spans: Sequence[tuple[datetime, datetime]] = ()
    peak_mb: int = 0

    @property
    def done(self) -> bool:
        """Whether it is."""
        return self.outcome.done


@dataclass(frozen=True, kw_only=True)
class Window:
    """The dates that have ended since the breaker was closed last, oldest first. ``refusals``: how
    often in a row the source's connections were answered 429; ``planned``: seconds a date, endless
    where nobody has planned."""

    dates: Sequence[Ended]
    refusals: int = 0
    planned: float = inf

    @property
    def failed(self) -> Sequence[Ended]:
        """Those that are not done."""
        return [each for each in self.dates if not each.done]

    @property
    def error_rate(self) -> float:
        """Part of the dates that are not done."""
        return len(self.failed) / max(1, len(self.dates))

    @property
    def alike(self) -> Sequence[Ended]:
        """The newest dates that failed in a row, of one cause."""
        cause = [(each.done, each.fingerprint) for each in self.dates[-1:]]
        newest = reversed(self.dates)
        alike = takewhile(lambda each: [(each.done, each.fingerprint)] == cause, newest)
        return [each for each in alike if not each.done]

    @property
    def refused(self) -> Sequence[Ended]:
        """The newest dates that failed in a row with 429 or 403."""
        return [*takewhile(lambda each: each.error_class in _REFUSED, reversed(self.dates))]

    @property
    def peak_mb(self) -> int:
        """What a date took most."""
        return max((each.peak_mb for each in self.dates), default=0)

    @property
    def pace(self) -> float:
        """Seconds a date: the time in which at least one was at work, by the number of dates. What
        they were put off for (credits, quiet hours, their turn) is not in it; 0: not known."""
        spans = [span for each in self.dates for span in each.spans]
        return _cover(spans) / max(1, len(self.dates))

    @property
    def phases(self) -> str:
        """``seconds a date: wait 5.1, fetch 0.8, ...``."""
        number = max(1, len(self.dates))
        taken = {name: sum(d.seconds.get(name, 0) for d in self.dates) for name in PHASES}
        said = ", ".join(f"{name} {total / number:.1f}" for name, total in taken.items())
        return f"seconds a date: {said}"

    @property
    def errors(self) -> str:
        """``3 of 10 dates``."""
        return f"{len(self.failed)} of {counted(len(self.dates), 'date')}"


@dataclass(frozen=True)
class Flag:
    """A red flag that holds, and why."""

    name: str
    why: str


Rule = Callable[[Window, Thresholds], tuple[bool, str]]
"""Whether it holds, and why; what it says counts only then."""


def _is_big(window: Window, most: Thresholds) -> tuple[bool, str]:
    why = f"a date took {window.peak_mb} MB of memory, its cap is {most.max_task_mb:.0f} MB"
    return window.peak_mb > most.max_task_mb, why


def _too_many(found: Sequence[Ended], most: float, what: str) -> tuple[bool, str]:
    said = "".join(each.message for each in found[:1])
    return len(found) > most, f"{counted(len(found), 'date')} in a row {what}: {said}"


def _is_refused(window: Window, most: Thresholds) -> tuple[bool, str]:
    return _too_many(window.refused, most.max_refused, "refused (429 or 403)")


def _is_slowed_down(window: Window, most: Thresholds) -> tuple[bool, str]:
    why = f"the upstream has answered 429 {window.refusals} times in a row"
    return window.refusals > most.max_refusals, why


def _fails_alike(window: Window, most: Thresholds) -> tuple[bool, str]:
    return _too_many(window.alike, most.max_alike, "failed alike")


def _fails_often(window: Window, most: Thresholds) -> tuple[bool, str]:
    why = f"{window.errors} failed, more than {most.max_error_rate:.0%}"
    return window.error_rate > most.max_error_rate, why


def _is_slow(window: Window, most: Thresholds) -> tuple[bool, str]:
    pace, planned = window.pace, window.planned
    why = f"a date takes {pace:.1f} s, planned were {planned:.1f} s; {window.phases}"
    return pace > planned * most.max_slower, why


AT_ONCE: Sequence[tuple[str, Rule]] = (
    ("memory", _is_big),
    ("refusals", _is_refused),
    ("refusals", _is_slowed_down),
    ("same failure", _fails_alike),
)
OF_MANY: Sequence[tuple[str, Rule]] = (("error rate", _fails_often), ("pace", _is_slow))
"""The guide's five red flags, the one that says most first. These are judged when ``min_dates``
have ended."""


def find_flag(window: Window, most: Thresholds) -> Flag | None:
    """The first red flag that holds."""
    of_many = OF_MANY if len(window.dates) >= most.min_dates else ()
    judged = [(name, *rule(window, most)) for name, rule in (*AT_ONCE, *of_many)]
    return next((Flag(name, why) for name, holds, why in judged if holds), None)


def find_warnings(window: Window, most: Thresholds) -> list[str]:
    """What is to be looked at before a red flag holds, one line each, when ``min_dates`` have
    ended."""
    planned = "not planned"
    if window.planned < inf:
        planned = f"planned: a date in {window.planned:.1f} s"
    minute = 60 / max(window.pace, 0.001)
    said = {
        f"{window.errors} failed": window.error_rate >= most.warn_error_rate,
        f"{minute:.1f} dates a minute, {planned}; {window.phases}": minute
        < most.warn_dates_a_minute,
    }
    many = len(window.dates) >= most.min_dates
    return [each for each, holds in said.items() if holds and many]


def word_rules(most: Thresholds) -> list[str]:
    """When a backfill is halted, a line each, and what then; empty for a DAG without a breaker."""
    some = f"of the last {most.window} dates, when {most.min_dates} have ended"
    rules = {
        f"more than {most.max_error_rate:.0%} failed {some}": most.max_error_rate,
        f"more than {most.max_alike:g} dates in a row failed alike": most.max_alike,
        f"a date takes more than {most.max_slower:g} times what was planned": most.max_slower,
        f"more than {most.max_refused:g} dates in a row met 429 or 403": most.max_refused,
        f"more than {most.max_refusals:g} answers in a row were 429": most.max_refusals,
        f"a date takes more than {most.max_task_mb:.0f} MB of memory": most.max_task_mb,
    }
    lines = [words for words, bound in rules.items() if bound < inf]
    then = (
        f"then one date is tried after {most.cooldown:g} minutes, and after each that fails in"
        f" twice the time, {most.max_cooldown:g} minutes at most"
    )
    return [*lines, then] if lines else []


def parse_thresholds(text: str) -> Mapping[str, Thresholds]:
    """The thresholds by DAG that a text like ``{"*": {"max_error_rate": 0.3}, "bdl_box_scores":
    null}`` states; what it leaves out is as above, null: that DAG has no breaker. Raises
    ValueError, which says what is wrong."""
    stated = json.loads(text or "{}")
    if not isinstance(stated, dict):
        raise ValueError("is not a JSON object of DAGs")
    return {EVERY_DAG: Thresholds()} | {dag_id: _parse(each) for dag_id, each in stated.items()}


def choose_thresholds(stated: Mapping[str, Thresholds], dag_id: str) -> Thresholds:
    """Those of a DAG."""
    return stated.get(dag_id, stated[EVERY_DAG])


def _parse(stated: object) -> Thresholds:
    if stated is None:
        return Thresholds.none()
    known = {each.name for each in fields(Thresholds)}
    if not isinstance(stated, dict) or not stated.keys() <= known:
        raise ValueError(f"{stated!r} is not an object of {', '.join(sorted(known))}")
    for name, value in stated.items():
        kinds, least = ((int,), 1) if name in _COUNTS else ((int, float), 0)
        if type(value) not in kinds or not least <= value <= MAX_NUMBER:
            what = "an integer" if name in _COUNTS else "a number"
            raise ValueError(f"{name} {value!r} is not {what} from {least} to {MAX_NUMBER}")
    return Thresholds(**stated)


def _cover(spans: Sequence[tuple[datetime, datetime]]) -> float:
    """Seconds that lie in at least one of the spans."""
    total, until = timedelta(), datetime.min.replace(tzinfo=UTC)
    for first, last in sorted(spans):
        total += max(timedelta(), last - max(first, until))
        until = max(last, until)
    return total.total_seconds()
