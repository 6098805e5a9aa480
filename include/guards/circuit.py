"""How a breaker goes from one state to the next: closed, open, half open. No clock, no database."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from include.guards.breaker import Ended, Thresholds, Window, find_flag
from include.ops.breakers import Breaker, State

BY_A_PERSON = timedelta(minutes=1)
"""An open breaker's backfill that is not paused so long afterwards was unpaused by a person; until
then the pause was lost with the scheduler that ordered it."""


@dataclass(frozen=True, kw_only=True)
class Facts:
    """Of a backfill now. ``paused``: by Airflow's word, or it would be had the pause not been lost;
    ``waiting``: runs that are not started; ``probe``: the first date that has ended of those that
    were started since it probes; ``held``: something else keeps the backfill paused."""

    window: Window
    paused: bool
    waiting: int
    max_active_runs: int
    probe: Ended | None = None
    held: bool = False


def step(known: Breaker, facts: Facts, most: Thresholds, now: datetime) -> Breaker:
    """How the breaker stands from now on."""
    return _STEPS[known.state](known, facts, most, now)


def close(known: Breaker, now: datetime) -> Breaker:
    """Closed; the dates that were started before count no more."""
    return replace(known, state="closed", counted_since=now, probing_since=None, failed_probes=0)


def _trip(known: Breaker, facts: Facts, most: Thresholds, now: datetime) -> Breaker:
    """Opens where a red flag holds and something is left to be held back."""
    flag = find_flag(facts.window, most)
    if not flag or not facts.waiting:
        return known
    return replace(
        known,
        state="open",
        flag=flag.name,
        why=flag.why,
        opened_at=now,
        probe_at=now + most.wait(0),
        told_at=None,
    )


def _cool(known: Breaker, facts: Facts, most: Thresholds, now: datetime) -> Breaker:
    if not facts.paused and now > known.opened_at + BY_A_PERSON:
        return close(known, now)
    if now < known.probe_at or facts.held:
        return known
    before = known.max_active_runs or facts.max_active_runs
    return replace(known, state="half open", probing_since=now, max_active_runs=before)


def _probe(known: Breaker, facts: Facts, most: Thresholds, now: datetime) -> Breaker:
    """Closes after a good probe, opens anew after a bad one. A date that asked for nothing tells
    nothing: the next one is the probe."""
    probe, failed = facts.probe, known.failed_probes + 1
    if probe is None:
        return known
    if not probe.done:
        again = replace(known, state="open", opened_at=now, probing_since=None)
        return replace(again, probe_at=now + most.wait(failed), failed_probes=failed)
    return close(known, now) if probe.requests else replace(known, probing_since=now)


_STEPS: Mapping[State, Callable[[Breaker, Facts, Thresholds, datetime], Breaker]] = {
    "closed": _trip,
    "open": _cool,
    "half open": _probe,
}
