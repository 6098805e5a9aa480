"""A finished batch as plain values, and its totals; no wording, no mail."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

from include.outcome import Outcome
from include.partition import DateRange
from include.results import Correction, DateResult, find_worst

State = Literal["finished", "cancelled", "halted"]


@dataclass(frozen=True, kw_only=True)
class Compared:
    """What both box-score sources have of the dates of one: ``left_out`` dates were not compared,
    since that would have taken too long."""

    dates: int
    players: int
    differences: int
    left_out: int = 0


@dataclass(frozen=True, kw_only=True)
class Report:
    """A batch that ended. Days are US/Eastern game dates, both ends included; times are aware;
    ``cost`` is in US $.

    ``dates`` holds the last attempt per (day, endpoint), each once, also of dates that never ran.
    ``ended_at`` of a halted batch is the moment its breaker opened. ``ran_before``: an
    earlier batch had some of its runs. ``recovered`` and ``in_reply_to`` (the Message-ID of the
    first mail) belong to reruns. ``corrections`` has each
    (day, endpoint) once at most. ``warnings``: of errors and pace. ``compared``: with the other
    source's box scores. What is None is left out; ``planned_*`` is what the plan said.
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
    planned_operations: int | None = None
    cost: float | None = None
    bytes: int = 0
    warehouse_jobs: int = 0
    bytes_billed: int = 0
    bucket_writes: int = 0
    bucket_reads: int = 0
    rerun_command: str = ""
    ui_url: str = ""
    ran_before: bool = False
    recovered: Sequence[date] = ()
    corrections: Sequence[Correction] = ()
    compared: Compared | None = None
    warnings: Sequence[str] = ()
    in_reply_to: str | None = None
    code_version: str = ""

    @property
    def window(self) -> DateRange:
        """The dates that it was about."""
        return DateRange(self.first_day, self.last_day)

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


def count_dates(report: Report) -> dict[Outcome, int]:
    """Dates by outcome, good ones first; outcomes that did not occur are left out. Sums to the
    number of dates."""
    counted = Counter(result.outcome for result in find_worst(report.dates).values())
    return {outcome: counted[outcome] for outcome in sorted(counted, key=_good_first)}


def list_incomplete(report: Report) -> list[DateResult]:
    """The partial results that know their k of n, by date."""
    known = [
        each
        for each in report.dates
        if each.outcome is Outcome.PARTIAL and each.games_expected is not None
    ]
    return sorted(known, key=lambda r: (r.day, r.endpoint))


def list_noted(report: Report) -> list[DateResult]:
    """The results that are done and to be known of, by date."""
    found = filter(lambda each: each.noted, report.dates)
    return sorted(found, key=lambda r: (r.day, r.endpoint))


def list_corrected(report: Report) -> list[Correction]:
    """The dates that the upstream has corrected, by date."""
    return sorted(report.corrections, key=lambda c: (c.day, c.endpoint))


def _good_first(outcome: Outcome) -> tuple[bool, bool, int]:
    return not outcome.done, outcome is Outcome.ACCEPTED, outcome.severity
