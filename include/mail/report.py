"""A finished batch as plain values, and the pure folding of its dates into totals and groups; no
wording, no mail."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from hashlib import sha256
from typing import Literal

from include.errors import normalised
from include.outcome import Outcome
from include.partition import day_ranges

State = Literal["finished", "cancelled", "halted"]
Ranges = tuple[tuple[date, date], ...]


@dataclass(frozen=True, kw_only=True)
class DateResult:
    """How one endpoint of one US/Eastern game date ended; times are aware.

    ``fingerprint`` may be empty: it is then derived as ``Problem.fingerprint`` is.
    ``missing`` names the games that are not there (``LAL@GSW``);
    ``games_expected`` is None where nobody knows.
    """

    day: date
    outcome: Outcome
    endpoint: str = ""
    error_class: str = ""
    fingerprint: str = ""
    message: str = ""
    log_url: str = ""
    games_found: int | None = None
    games_expected: int | None = None
    missing: Sequence[str] = ()
    rows: int = 0
    first_at: datetime | None = None
    last_at: datetime | None = None

    def __post_init__(self) -> None:
        for moment in (self.first_at, self.last_at):
            if moment is not None and moment.utcoffset() is None:
                raise ValueError(f"{self.endpoint} {self.day}: {moment} has no time zone")

    @property
    def group(self) -> tuple[Outcome, str, str, str]:
        """What results of one group share. Dates that did not run are one group per outcome,
        whatever they say."""
        if not self.outcome.wrong:
            return (self.outcome, "", "", "")
        return (self.outcome, self.error_class, self.endpoint, self.fingerprint or self._derived())

    def _derived(self) -> str:
        said = "\n".join((self.error_class, self.endpoint, normalised(self.message)))
        return sha256(said.encode()).hexdigest()[:12]


@dataclass(frozen=True, kw_only=True)
class Correction:
    """What the upstream has changed in one endpoint's date since it was loaded before.

    ``changes`` are lines that name the first of them; ``total`` counts all.
    """

    day: date
    endpoint: str
    changes: Sequence[str]
    total: int


@dataclass(frozen=True, kw_only=True)
class Report:
    """A batch that ended. Days are US/Eastern game dates, both ends included; times are aware;
    ``cost`` is in US $.

    ``dates`` holds the last attempt per (day, endpoint), each once, also of dates that never ran.
    ``ended_at`` of a halted batch is the moment its breaker opened. ``recovered`` and
    ``in_reply_to`` (the Message-ID of the first mail) belong to reruns. ``corrections`` has each
    (day, endpoint) once at most. Figures that are None are left out; ``planned_*`` is what the plan
    said.
    """

    batch_id: str
    dag_id: str
    kind: str
    first_day: date
    last_day: date
    state: State
    started_at: datetime
    ended_at: datetime
    dates: Sequence[DateResult]
    requests: int
    credits_used: int
    credits_left: int | None = None
    planned_minutes: float | None = None
    planned_requests: int | None = None
    planned_credits: int | None = None
    planned_cost: float | None = None
    cost: float | None = None
    bytes: int = 0
    rerun_command: str = ""
    ui_url: str = ""
    recovered: Sequence[date] = ()
    corrections: Sequence[Correction] = ()
    in_reply_to: str | None = None
    code_version: str = ""

    def __post_init__(self) -> None:
        for moment in (self.started_at, self.ended_at):
            if moment.utcoffset() is None:
                raise ValueError(f"batch {self.batch_id}: {moment} has no time zone")
        twice = [
            key for key, n in Counter((r.day, r.endpoint) for r in self.dates).items() if n > 1
        ]
        for day, endpoint in twice[:1]:
            raise ValueError(
                f"batch {self.batch_id}: {endpoint} {day} is reported twice; give the last attempt"
            )


@dataclass(frozen=True, kw_only=True)
class Group:
    """Results that ended alike. ``count`` is their number of dates, ``ranges`` all of them, folded.

    ``message`` and ``log_url`` are one sample: those of the earliest date that has a message.
    """

    outcome: Outcome
    error_class: str
    endpoint: str
    fingerprint: str
    count: int
    ranges: Ranges
    first_at: datetime | None
    last_at: datetime | None
    message: str
    log_url: str


def outcomes_by_day(report: Report) -> dict[date, Outcome]:
    """The worst outcome of each date over its endpoints, in date order: a date is only as good as
    its worst table."""
    found: dict[date, list[Outcome]] = defaultdict(list)
    for result in report.dates:
        found[result.day].append(result.outcome)
    return {day: min(found[day], key=lambda each: each.severity) for day in sorted(found)}


def totals(report: Report) -> dict[Outcome, int]:
    """Dates by outcome, good ones first; outcomes that did not occur are left out. Sums to the
    number of dates."""
    counted = Counter(outcomes_by_day(report).values())
    return {outcome: counted[outcome] for outcome in sorted(counted, key=_good_first)}


def groups(report: Report) -> list[Group]:
    """Every result that is not done, in exactly one group: failures by size first, then the dates
    that did not run."""
    members: dict[tuple[Outcome, str, str, str], list[DateResult]] = defaultdict(list)
    for result in report.dates:
        if not result.outcome.done:
            members[result.group].append(result)
    folded = [_folded(key, results) for key, results in members.items()]
    return sorted(
        folded,
        key=lambda g: (
            not g.outcome.wrong,
            -g.count,
            g.ranges[0],
            g.outcome.severity,
            g.fingerprint,
        ),
    )


def incomplete(report: Report) -> list[DateResult]:
    """The partial results that know their k of n, by date."""
    known = [
        r for r in report.dates if r.outcome is Outcome.PARTIAL and r.games_expected is not None
    ]
    return sorted(known, key=lambda r: (r.day, r.endpoint))


def corrected(report: Report) -> list[Correction]:
    """The dates that the upstream has corrected, by date."""
    return sorted(report.corrections, key=lambda c: (c.day, c.endpoint))


def _folded(key: tuple[Outcome, str, str, str], results: list[DateResult]) -> Group:
    outcome, error_class, endpoint, fingerprint = key
    results = sorted(results, key=lambda r: (r.day, r.endpoint))
    sample = next((r for r in results if r.message), results[0])
    days = [r.day for r in results]
    return Group(
        outcome=outcome,
        error_class=error_class,
        endpoint=endpoint,
        fingerprint=fingerprint,
        count=len(set(days)),
        ranges=tuple(day_ranges(days)),
        first_at=min((r.first_at for r in results if r.first_at), default=None),
        last_at=max((r.last_at for r in results if r.last_at), default=None),
        message=sample.message,
        log_url=sample.log_url,
    )


def _good_first(outcome: Outcome) -> tuple[bool, bool, int]:
    return (not outcome.done, outcome is Outcome.ACCEPTED, outcome.severity)
