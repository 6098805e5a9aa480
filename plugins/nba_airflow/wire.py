"""The HTTP side of a task: one client per source, its limiter in the operations database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

from include.sources.spec import Source
from include.steps.pipeline import Wire
from nba_airflow import connections

if TYPE_CHECKING:
    from include.ops.session import Session

# Seconds after which a request whose worker died counts as over: longer than the client's bound on
# one request, which is 5 s for each address that the host's name resolves to and 30 s of silence.
HOLD = 90.0


@contextmanager
def wire(session: Session, source: Source, purpose: Literal["live", "backfill"]) -> Iterator[Wire]:
    """Client and upstreams of a source; ``purpose`` says which part of paid credits it may use.

    Nothing is connected before the first request. ``session`` stays open at the end.
    """
    from include.http.addresses import addresses
    from include.http.client import Client
    from include.limits.credits import Meter
    from include.limits.health import SharedHealth
    from include.limits.limiter import Limiter

    hosts = [connections.tier(host) for host in source.hosts]
    upstreams = {host.connection: connections.upstream(host) for host in hosts}
    rules = {
        address.name: host.windows
        for host in hosts
        for address in addresses(host.connection, upstreams[host.connection].proxies)
    }
    allowances = {host.connection: host.credits for host in hosts if host.credits}
    gate = Limiter(session, rules, hold=HOLD)
    # The client asks and tells nothing of a direct address: there is no other to go to.
    behind_proxies = any(each.proxies for each in upstreams.values())
    health = SharedHealth(session) if behind_proxies else None
    meter = None
    if allowances:
        spread = all(credits.spread for credits in allowances.values())
        meter = Meter(session, allowances, purpose=purpose, spread=spread)
    with Client(gate, meter=meter, health=health) as client:
        yield Wire(client=client, upstreams=upstreams)
