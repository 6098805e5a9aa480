"""What dates take: the requests, credits and minutes of a run in which nothing goes wrong.
Arithmetic on a spec."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from math import ceil, inf
from typing import Any

from include.limits.allowance import DAYS_A_MONTH
from include.sources.spec import Endpoint, Get, Source

SECONDS_PER_TASK = 0.33
"""What Airflow takes to start and end one, on two cores (0.25 to 0.33 s measured on 3.3.2)."""
GAMES_PER_DATE = 7
"""How many games a date has on which there are any: 1,230 on 164 to 174 dates of a season."""
_DAY = 24 * 60.0  # minutes


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What dates of a DAG take from ``planned_at`` (aware) on, before anything is asked.

    ``without_games``, ``unknown`` (the schedule does not have them) and ``complete`` (nothing is
    asked for them) are some of its ``days``. ``minutes_low`` and ``minutes_high`` are of work,
    without the time in which it waits for credits or for quiet hours to end; ``ends_at``, with
    both, None: never. ``dollars`` are paid once, ``dollars_a_month`` for what lies there after.
    ``assumed``: endpoints of which nothing was measured yet.
    """

    dag_id: str
    planned_at: datetime
    days: Sequence[date]
    without_games: Sequence[date] = ()
    unknown: Sequence[date] = ()
    complete: Sequence[date] = ()
    games: int = 0
    rows: int = 0
    requests: int = 0
    credits: int = 0
    bytes: int = 0
    dollars: float = 0
    dollars_a_month: float = 0
    minutes_low: float = 0
    minutes_high: float = 0
    ends_at: datetime | None = None
    assumed: Sequence[str] = ()

    @property
    def seconds_per_date(self) -> float:
        """At the slowest pace that is expected."""
        return self.minutes_high * 60 / max(1, len(self.days))

    def facts(self) -> dict[str, Any]:
        """As JSON: for -o json, and as it is kept with the backfill."""
        return {
            "dag_id": self.dag_id,
            "planned_at": self.planned_at.isoformat(),
            "dates": len(self.days),
            "without_games": list(map(str, self.without_games)),
            "unknown": list(map(str, self.unknown)),
            "complete": list(map(str, self.complete)),
            "games": self.games,
            "rows": self.rows,
            "requests": self.requests,
            "credits": self.credits,
            "bytes": self.bytes,
            "dollars": self.dollars,
            "dollars_a_month": self.dollars_a_month,
            "minutes_low": self.minutes_low,
            "minutes_high": self.minutes_high,
            "seconds_per_date": self.seconds_per_date,
            "ends_at": self.ends_at.isoformat() if self.ends_at else None,
            "assumed": list(self.assumed),
        }


@dataclass(frozen=True, kw_only=True)
class Needs:
    """``minutes`` are of wall clock, with the days on which a backfill waits for its next credits;
    None means never."""

    requests: int
    credits: int
    minutes: float | None


def make_plan(source: Source, games: Mapping[date, int], *, scheduled: Collection[date]) -> Needs:
    """For dates of which nothing is there yet, with the number of games of each.

    ``scheduled``: the dates that the schedule table has, whose games need not be asked for.
    """
    requests: Counter[str] = Counter()
    credits: Counter[str] = Counter()
    for endpoint in source.endpoints:
        for get, times in _gets(endpoint, games, scheduled):
            connection = get.connection or source.connection
            requests[connection] += times
            credits[connection] += times * (get.cost(get.params) if get.cost else 0)
    seconds = [len(games) * len(source.endpoints) * SECONDS_PER_TASK]
    waits = 0.0
    for host in source.hosts:
        asked = requests[host.connection]
        seconds += [asked * window.seconds / window.limit for window in host.windows]
        if host.credits and (needed := credits[host.connection]):
            days = 1 if host.credits.spread else DAYS_A_MONTH
            share = (host.credits.monthly - host.credits.live_reserve) * days / DAYS_A_MONTH
            waits = max(waits, (ceil(needed / share) - 1) * days * _DAY if share > 0 else inf)
    minutes = waits + max(seconds) / 60
    return Needs(
        requests=requests.total(),
        credits=credits.total(),
        minutes=None if minutes == inf else minutes,
    )


def _gets(
    endpoint: Endpoint, games: Mapping[date, int], scheduled: Collection[date]
) -> Iterator[tuple[Get, int]]:
    """What an endpoint asks for, and how many times."""
    if endpoint.shared:
        yield endpoint.request, len({endpoint.shared(day) for day in games})
        return
    unknown = sum(day not in scheduled for day in games)
    if endpoint.truth and endpoint.truth.request:
        yield endpoint.truth.request, unknown
    if endpoint.listing:
        yield endpoint.listing, len(games)
    if endpoint.per_game:
        yield endpoint.request, sum(games.values()) * max(1, len(endpoint.parts))
    elif endpoint.listing:
        # A date without games is not asked for where a list says so.
        yield endpoint.request, sum(map(bool, games.values()))
    else:
        yield endpoint.request, len(games)
