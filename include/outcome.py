"""The outcomes that a date can have, and Later, the exception that puts it off."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from include.errors import storable


class Outcome(StrEnum):
    """Every state that an endpoint's date can be in, worst first.

    FAILED, PARTIAL, UNVERIFIED: it was tried and is not good. HALTED: the breaker stopped the
    backfill first. LOST: nothing was heard after its start, or of its start (also the state of a
    try under way until it says more). CANCELLED: its backfill was cancelled before it ran. NOT_RUN:
    it has no run, or that was ended by hand before it was counted. QUOTA_WAIT, NOT_YET: deferred,
    goes on by itself. ACCEPTED: a person has accepted what will stay wrong. COMPLETE: every
    expected game is there. NO_GAMES: counted, and none were to be played; last, since a date with
    games in one table and none in another has data.
    """

    FAILED = "failed"
    PARTIAL = "partial"
    UNVERIFIED = "unverified"
    HALTED = "halted"
    LOST = "lost"
    CANCELLED = "cancelled"
    NOT_RUN = "not_run"
    QUOTA_WAIT = "quota_wait"
    NOT_YET = "not_yet"
    ACCEPTED = "accepted"
    COMPLETE = "complete"
    NO_GAMES = "no_games"

    @property
    def done(self) -> bool:
        """Whether it turns a run green."""
        return self in _DONE

    @property
    def waits(self) -> bool:
        """Whether it goes on by itself, without a rerun."""
        return self in _WAITS

    @property
    def wrong(self) -> bool:
        """Whether it was tried and something is wrong with it; the others that are not done are
        nobody's error."""
        return self in _WRONG

    @property
    def severity(self) -> int:
        """Its rank, 0 for the worst: a date is as bad as its worst endpoint."""
        return _RANK[self]


_DONE = frozenset({Outcome.COMPLETE, Outcome.NO_GAMES, Outcome.ACCEPTED})
_WAITS = frozenset({Outcome.QUOTA_WAIT, Outcome.NOT_YET})
_WRONG = frozenset({Outcome.FAILED, Outcome.PARTIAL, Outcome.UNVERIFIED})
_RANK = {outcome: rank for rank, outcome in enumerate(Outcome)}


class Later(Exception):
    """Put off: whoever meets it goes on at ``until`` (aware, UTC) and holds nothing meanwhile.

    ``reason`` is what the operator reads, ``outcome`` what the ledger holds until then. Survives
    pickling.
    """

    def __init__(self, until: datetime, reason: str, outcome: Outcome) -> None:
        reason = storable(reason)
        super().__init__(until, reason, outcome)
        self.until = until
        self.reason = reason
        self.outcome = outcome

    def __str__(self) -> str:
        return self.reason
