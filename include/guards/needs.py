"""What dates ask for when nothing goes wrong: requests and credits, from a spec and the number of
games. Arithmetic only."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from include.sources.spec import Endpoint, Get, Source

GAMES_PER_DATE = 7
"""How many games a date has on which there are any: 1,230 on 164 to 174 dates of a season."""


@dataclass(frozen=True, kw_only=True)
class Need:
    """``times`` a request of an endpoint's date, each of ``cost`` credits at most."""

    endpoint: str
    day: date
    connection: str
    times: int
    cost: int


@dataclass(frozen=True, kw_only=True)
class Needs:
    """What some dates ask for; one that asks for nothing is not in it."""

    each: Sequence[Need]

    @property
    def requests(self) -> int:
        """All of them."""
        return sum(need.times for need in self.each)

    @property
    def credits(self) -> int:
        """The most that they can cost."""
        return sum(need.times * need.cost for need in self.each)

    @property
    def tasks(self) -> int:
        """How many endpoints' dates ask for anything."""
        return len({(need.endpoint, need.day) for need in self.each})

    @property
    def days(self) -> set[date]:
        """The dates that ask for anything."""
        return {need.day for need in self.each}

    def at(self, connection: str) -> Needs:
        """Those that go to one host."""
        return Needs(each=[need for need in self.each if need.connection == connection])

    def of(self, endpoint: str) -> Needs:
        """Those of one endpoint."""
        return Needs(each=[need for need in self.each if need.endpoint == endpoint])


Missing = Mapping[tuple[str, date], tuple[int, int]]
"""(endpoint, date) -> how many lists and items raw lacks of it."""
WHOLE = (0, 0)


def list_needs(
    source: Source, games: Mapping[date, int], *, missing: Missing | None = None
) -> Needs:
    """For dates with the number of games of each, which the schedule has by then: dates get it
    first.

    ``missing``: what is known of raw; of a date that is not in it nothing is there.
    """
    known = missing or {}
    found: list[Need] = []
    for endpoint in source.endpoints:
        days = [day for day in games if known.get((endpoint.name, day)) != WHOLE]
        for day in _first_of_groups(endpoint, days):
            lacking = known.get((endpoint.name, day)) or _all(endpoint, games[day])
            asks = _gets(endpoint, *lacking)
            found += [_need(source, endpoint, day, get, times) for get, times in asks if times]
    return Needs(each=found)


def _all(endpoint: Endpoint, games: int) -> tuple[int, int]:
    """The lists and items of a date of which nothing is there."""
    items = endpoint.count_items(games) * max(1, len(endpoint.parts))
    return int(endpoint.listing is not None), items


def _first_of_groups(endpoint: Endpoint, days: Sequence[date]) -> Collection[date]:
    """Of the dates that share a body the first one alone, which asks for it; else all."""
    if not endpoint.shared:
        return days
    return {endpoint.shared(day): day for day in sorted(days, reverse=True)}.values()


def _gets(endpoint: Endpoint, lists: int, items: int) -> Iterator[tuple[Get, int]]:
    """Each request of an endpoint's date, and how many times."""
    if endpoint.listing:
        yield endpoint.listing, lists
    yield endpoint.request, items


def _need(source: Source, endpoint: Endpoint, day: date, get: Get, times: int) -> Need:
    return Need(
        endpoint=endpoint.name,
        day=day,
        connection=get.connection or source.connection,
        times=times,
        cost=get.cost(get.params) if get.cost else 0,
    )
