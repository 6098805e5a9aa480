"""What dates take: the requests, credits and minutes of a run in which nothing goes wrong.
Arithmetic on a spec."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from math import ceil, inf

from include.limits.allowance import DAYS_A_MONTH
from include.sources.spec import Endpoint, Get, Source

SECONDS_PER_TASK = 0.33
"""What Airflow takes to start and end one, on two cores (0.25 to 0.33 s measured on 3.3.2)."""
GAMES_PER_DATE = 7
"""How many games a date has on which there are any: 1,230 on 164 to 174 dates of a season."""
_DAY = 24 * 60.0  # minutes


@dataclass(frozen=True, kw_only=True)
class Plan:
    """``minutes`` are of wall clock, with the days on which a backfill waits for its next credits;
    None means never."""

    requests: int
    credits: int
    minutes: float | None


def make_plan(source: Source, games: Mapping[date, int], *, scheduled: Collection[date]) -> Plan:
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
    return Plan(
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
