"""The HTTP side of a task: one client per source, its limiter in the operations database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from include.pipeline import Wire
from include.sources.spec import Source
from nba_airflow import connections


@contextmanager
def wire(source: Source) -> Iterator[Wire]:
    """Client and upstreams of a source. Nothing is connected before the first request; all is closed at the end."""
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
    gate = Limiter(lambda: connect(url), rules)
    try:
        with Client(gate) as client:
            yield Wire(client=client, upstreams=upstreams)
    finally:
        gate.close()
