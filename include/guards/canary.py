"""Start small, then scale: which dates run first, and what runs after each clean stage."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date
from itertools import islice

from include.ops.backfills import Kind
from include.ops.stages import Stage

MAX_WITHOUT_CANARY = 7
"""New dates that may be started with code and configuration of which nothing has run yet."""
MIN_GOOD_DATES = 2
"""Dates with games that must have ended well, for a backfill to need no canary."""
CANARY_DATES = 3
WEEK = 7


def choose_canary(days: Sequence[date], has_games: Callable[[date], bool]) -> list[date]:
    """Of the dates, in the order in which they will run, those from the first to the third with
    games; the first three where none has any."""
    played = list(islice(filter(has_games, days), CANARY_DATES))
    if not played:
        return [*days[:CANARY_DATES]]
    return [*days[days.index(played[0]) : days.index(played[-1]) + 1]]


def plan_stages(
    days: Sequence[date], canary: Sequence[date], *, ramp: bool, cleared: Sequence[str] = ()
) -> list[Stage]:
    """The canary's dates, then the rest; as a ramp, between them a week. Only as many stages as
    have something to do; the runs that run again go with the last."""
    rest = [day for day in days if day not in canary]
    canary_first: list[tuple[Kind, Sequence[date]]] = [("canary", canary), ("whole", rest)]
    small_first: list[tuple[Kind, Sequence[date]]] = [
        *(("ramp", canary), ("ramp", rest[:WEEK]), ("ramp", rest[WEEK:]))
    ]
    parts = small_first if ramp else canary_first
    found = [Stage(stage=kind, days=part) for kind, part in parts if part]
    return [*found[:-1], replace(found[-1], cleared=cleared)]
