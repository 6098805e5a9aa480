"""How fast dates go: measured seconds, rows and bytes of a source's endpoints, and the minutes that
requests take by the limits of their hosts. Arithmetic only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from include.guards.needs import Needs
from include.sources.spec import Endpoint, Host, Source

START = (3.0, 15.0)
"""Seconds from the order to the first task, and from the last one to the end: those of an idle
system, and of a busy one."""
TASK = (0.17, 0.33)
"""Seconds a task that Airflow takes with all of its processes, on two cores: 358 dates a minute
were the most, 0.33 s the least (measured on 3.3.2)."""
SLOT = (0.5, 3.0)
"""Seconds for which a task has its slot without asking: an idle system's, and three turns of a busy
scheduler."""
UNMEASURED = 3.0
"""How many times slower than declared an upstream can be of which nothing was measured."""


@dataclass(frozen=True, kw_only=True)
class Pace:
    """Of an endpoint. ``seconds`` a request: half of the dates were as fast as the first number,
    nine of ten as the second. ``billed``, ``writes`` and ``reads`` a date: bytes of queries, and
    operations of a bucket. ``dates``: how many were measured; 0: what its spec declares."""

    seconds: tuple[float, float]
    rows_per_game: float
    bytes_per_request: float
    billed_per_date: float = 0
    writes_per_date: float = 0
    reads_per_date: float = 0
    dates: int = 0


def declared(source: Source, endpoint: Endpoint) -> Pace:
    """What the spec says of an endpoint that nobody has measured."""
    name = endpoint.request.connection or source.connection
    usual = next(host.seconds_per_request for host in source.hosts if host.connection == name)
    return Pace(
        seconds=(usual, usual * UNMEASURED),
        rows_per_game=endpoint.rows_per_game * max(1, len(endpoint.parts)),
        bytes_per_request=endpoint.bytes_per_request,
    )


def find_minutes(
    source: Source,
    needs: Needs,
    tasks: int,
    *,
    paces: Mapping[str, Pace],
    slots: Mapping[str, int],
    runs: int = 0,
) -> tuple[float, float]:
    """The fewest and the most minutes of work for so many ``tasks`` of each endpoint: the slowest
    of Airflow itself, of the hosts' limits, of what the ``slots`` of their pools let through, and
    of so many ``runs`` at a time (0: not bounded), whose endpoints work beside each other.
    """
    found = []
    for which in (0, 1):
        seconds = [tasks * len(source.endpoints) * TASK[which]]
        for host in source.hosts:
            asked = needs.at(host.connection)
            seconds += _by_limits(host, asked.requests)
            worked = _find_work(asked, source, paces, which)
            seconds.append(sum(worked) / slots.get(host.connection, 1))
        if runs:
            seconds.append(max(_find_work(needs, source, paces, which)) / runs)
        found.append((max(seconds) + START[which] * bool(tasks)) / 60)
    low, high = found
    return low, high


def _find_work(needs: Needs, source: Source, paces: Mapping[str, Pace], which: int) -> list[float]:
    """Seconds of each endpoint's tasks, one after the other."""
    return [
        own.requests * paces[endpoint.name].seconds[which] + own.tasks * SLOT[which]
        for endpoint in source.endpoints
        for own in (needs.of(endpoint.name),)
    ]


def _by_limits(host: Host, requests: int) -> Iterable[float]:
    return [requests * window.seconds / window.limit for window in host.windows]
