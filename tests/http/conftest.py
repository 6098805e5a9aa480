"""A scripted upstream, a gate that keeps count, and a client between them that never really
sleeps."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from urllib.parse import quote

import pytest

from include.http.client import Client, Policy
from include.http.transport import Bounds
from include.http.upstream import Upstream
from include.sources.spec import QueryKey
from tests.http.local_health import LocalHealth
from tests.http.scripted import KEY, NOW, CountingGate, Scripted


@pytest.fixture
def scripted() -> Iterator[Scripted]:
    """The upstream; every request of a test is in its ``seen``."""
    with Scripted() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.over.set()
        server.shutdown()
        thread.join()


@pytest.fixture
def gate() -> CountingGate:
    return CountingGate()


@pytest.fixture
def slept() -> list[float]:
    """The pauses that the client took between requests."""
    return []


@pytest.fixture
def client(scripted: Scripted, gate: CountingGate, slept: list[float]) -> Iterator[Client]:
    """Closed before the server is, which waits for its connections to end."""
    bounds = Bounds(connect=0.5, read=0.25, total=0.5, body=10_000)
    with Client(
        gate,
        policy=Policy(),
        bounds=bounds,
        health=LocalHealth(lambda: NOW),
        sleep=slept.append,
        random=lambda: 1.0,
        now=lambda: NOW,
    ) as made:
        yield made


@pytest.fixture
def upstream(scripted: Scripted) -> Upstream:
    """Lets in by a query key, the kind of secret that shows up in every URL."""
    return Upstream(name="odds", base_url=scripted.url, key=KEY, auth=QueryKey(name="apiKey"))


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port of this machine that refuses connections: bound, but nobody listens."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


# Proxies. The scripted server plays the proxies too: http://upstream.test is only ever asked for
# through it.

USERS = ("session-one-1", "session-two-2")
PASSWORD = "pr0xy/p@ss"


@pytest.fixture
def proxied(scripted: Scripted) -> Upstream:
    gate_url = scripted.url.removeprefix("http://")
    return Upstream(
        name="nba",
        base_url="http://upstream.test",
        proxies=tuple(f"http://{user}:{quote(PASSWORD, safe='')}@{gate_url}" for user in USERS),
    )
