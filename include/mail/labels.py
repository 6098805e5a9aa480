"""The outcomes as operators read them: a label, a colour, and why a date stands so."""

from __future__ import annotations

from typing import Literal

from include.outcome import Outcome

Tone = Literal["ok", "bad", "warn", "still"]

LABELS = {
    Outcome.COMPLETE: "Complete",
    Outcome.NO_GAMES: "Without games",
    Outcome.ACCEPTED: "Accepted",
    Outcome.PARTIAL: "Incomplete",
    Outcome.UNVERIFIED: "Unverified",
    Outcome.FAILED: "Failed",
    Outcome.HALTED: "Halted",
    Outcome.LOST: "Lost",
    Outcome.CANCELLED: "Cancelled",
    Outcome.NOT_RUN: "Not run",
    Outcome.QUOTA_WAIT: "Waiting for limits or credits",
    Outcome.NOT_YET: "Waiting for data",
}

TONES: dict[Outcome, Tone] = {
    **dict.fromkeys(Outcome, "still"),
    Outcome.COMPLETE: "ok",
    Outcome.NO_GAMES: "ok",
    Outcome.FAILED: "bad",
    Outcome.PARTIAL: "warn",
    Outcome.UNVERIFIED: "warn",
}
"""Grey ("still") where it is neither good nor bad."""

WHY = {
    Outcome.PARTIAL: "Some games of these dates are missing or not sound.",
    Outcome.UNVERIFIED: "Data arrived, but nothing says how many games to expect.",
    Outcome.HALTED: "Not tried: the circuit breaker stopped the batch first.",
    Outcome.LOST: "Their runs ended without reporting an outcome; the worker was lost.",
    Outcome.CANCELLED: "Not tried: the batch was cancelled first.",
    Outcome.NOT_RUN: "Not counted: they have no run, or it was ended by hand first.",
    Outcome.QUOTA_WAIT: "Not done: waiting for the limit, the upstream or the next credits.",
    Outcome.NOT_YET: "Not finished: the upstream's data was not final yet.",
}
"""Said below a group; an outcome that is not here speaks for itself."""
