"""The HTTP side of a task: one client per source, and the queue of dates that share a body.

Limiter, credits and proxies' health are asked through the task's one connection to the operations
database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

from include.steps.job import Wire
from include.steps.price import Allotment
from nba_airflow import connections

if TYPE_CHECKING:
    from include.ops.session import Session
    from include.partition import Partition
    from include.sources.spec import Endpoint, Source

# Seconds after which a request whose worker died counts as over: longer than the client's bound on
# one exchange, 45 s, by what a busy machine can take from admission to sending.
REQUEST_TIMEOUT = 90.0


@contextmanager
def reach(
    session: Session,
    source: Source,
    endpoint: Endpoint,
    partition: Partition,
    *,
    backfill: bool,
    queued_since: datetime | None = None,
) -> Iterator[Wire]:
    """The way to the source's upstreams for one date. Nothing is connected before the first
    request.

    Of dates that share one body (a season) one goes at a time: the others wait for its lease, from
    ``queued_since`` on, and have its failure in common.
    """
    from include.ops.shared_fetches import shared_fetch

    alone: AbstractContextManager[None] = nullcontext()
    if endpoint.shared:
        group = endpoint.shared(partition.day)
        alone = shared_fetch(session, partition, group=group, queued_since=queued_since)
    with alone, wire(session, source, purpose_of(endpoint, partition, backfill=backfill)) as found:
        yield found


def purpose_of(
    endpoint: Endpoint, partition: Partition, *, backfill: bool
) -> Literal["live", "backfill"]:
    """Which part of paid credits the run may use: a date that is over a day late is not a live one,
    whoever asks."""
    too_late = endpoint.late_at(partition.day) + timedelta(days=1)
    return "backfill" if backfill or datetime.now(UTC) > too_late else "live"


@contextmanager
def wire(
    session: Session, source: Source, purpose: Literal["live", "backfill"], **client: Any
) -> Iterator[Wire]:
    """Client and upstreams of a source; ``purpose`` says which part of paid credits it may use,
    ``client`` what is otherwise about the client (its policy, its bounds)."""
    from include.http.client import Client
    from include.limits.credits import Meter
    from include.limits.health import SharedHealth
    from include.limits.limiter import Limiter

    reached = [connections.reached(host) for host in source.hosts]
    upstreams = {host.connection: upstream for host, upstream in reached}
    rules = {
        address.limiter: host.windows
        for host, upstream in reached
        for address in upstream.addresses
    }
    gate = Limiter(session, rules, request_timeout=REQUEST_TIMEOUT)
    # The client asks and tells nothing of a direct address: there is no other to go to.
    proxied = any(upstream.proxies for _, upstream in reached)
    health = SharedHealth(session) if proxied else None
    meter, allotments = None, {}
    if allowances := {host.connection: host.credits for host, _ in reached if host.credits}:
        spread = all(credits.spread for credits in allowances.values())
        keys = {name: upstreams[name].key or "" for name in allowances}
        meter = Meter(session, allowances, purpose=purpose, spread=spread, keys=keys)
        allotments = {
            name: Allotment(connection=name, credits=credits, purpose=purpose)
            for name, credits in allowances.items()
        }
    with Client(gate, meter=meter, health=health, **client) as made:
        yield Wire(client=made, upstreams=upstreams, allotments=allotments)
