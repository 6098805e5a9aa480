"""The HTTP side of a task: one client per source, its limiter in the operations database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from include.pipeline import Wire
from include.sources.spec import Source
from nba_airflow import connections

# Seconds after which a request whose worker died counts as over: longer than the client's bound on one request, which
# is 5 s for each address that the host's name resolves to and 30 s of silence.
HOLD = 90.0


@contextmanager
def wire(source: Source, kind: str) -> Iterator[Wire]:
    """Client and upstreams of a source; ``kind`` (live or backfill) says which part of paid credits it may use.

    Nothing is connected before the first request; all is closed at the end.
    """
    from include.http.addresses import addresses
    from include.http.client import Client
    from include.ledger.db import connect
    from include.limits.limiter import Limiter

    url = connections.ops_url()
    upstreams = {host.connection: connections.upstream(host) for host in source.hosts}
    rules = {
        address.name: host.windows
        for host in source.hosts
        for address in addresses(host.connection, upstreams[host.connection].proxies)
    }
    gate = Limiter(lambda: connect(url), rules, hold=HOLD)
    try:
        with Client(gate) as client:
            yield Wire(client=client, upstreams=upstreams)
    finally:
        gate.close()
