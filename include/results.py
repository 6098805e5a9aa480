"""How dates ended, as plain values: one result per endpoint and date, and what its upstream has
corrected."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from include.outcome import Outcome

OWN_WORD = ", by the source's own word"
"""Ends the message of a date without games that only the source's own empty list vouches for."""

MADE_BUT = "made, but "
"""Begins the message of a processor's date that is done and of which people should know
something."""


@dataclass(frozen=True, kw_only=True)
class DateResult:
    """How one endpoint of one US/Eastern game date ended, or one try of it; times are aware.

    ``fingerprint`` may be empty: it is then derived as ``Problem.fingerprint`` is. ``endpoint`` is
    empty where a run said nothing of any. ``missing`` names the games that are not there
    (``LAL@GSW``); ``games_expected`` is None where nobody knows.
    """

    day: date
    outcome: Outcome
    dag_id: str = ""
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

    @property
    def noted(self) -> bool:
        """Whether people are to know of it though it is done: it was accepted, the source's own
        list alone says that there were no games, or it lacks what its inputs did not tell."""
        told = self.message.endswith(OWN_WORD) or self.has_gaps
        return self.outcome is Outcome.ACCEPTED or told

    @property
    def has_gaps(self) -> bool:
        """Whether a processor made it, and of inputs that lack something."""
        return self.outcome.done and self.message.startswith(MADE_BUT)

    def __post_init__(self) -> None:
        for moment in (self.first_at, self.last_at):
            if moment is not None and moment.utcoffset() is None:
                raise ValueError(f"{self.endpoint} {self.day}: {moment} has no time zone")


@dataclass(frozen=True, kw_only=True)
class Correction:
    """What the upstream has changed in one endpoint's date since it was loaded before.

    ``changes`` are lines that name the first of them; ``total`` counts all.
    """

    day: date
    endpoint: str
    changes: Sequence[str]
    total: int


def find_worst(results: Iterable[DateResult]) -> dict[date, DateResult]:
    """The worst result of each date over its endpoints, in date order: a date is only as good as
    its worst table."""
    found: dict[date, list[DateResult]] = defaultdict(list)
    for result in results:
        found[result.day].append(result)
    return {day: min(found[day], key=lambda each: each.outcome.severity) for day in sorted(found)}
