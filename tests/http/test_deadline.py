"""An exchange ends in time wherever its upstream dawdles, and nothing of it goes on."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from include.http.client import Client, Policy
from include.http.transport import Bounds
from include.http.upstream import Upstream
from tests.http.asking import EVENTS, problem_of
from tests.http.scripted import CountingGate, Scripted, Step, dripping, hang, reply

STATUS = b"HTTP/1.1 200 OK\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"
TUNNEL = b"HTTP/1.1 200 Connection established\r\n\r\n"

# Where the upstream dawdles: what it sends again and again after what it has sent at first, and
# the status that the client has seen.
DAWDLERS: dict[str, tuple[Step, int]] = {
    "silence": (hang, 0),
    "status line": (dripping(b"H"), 0),
    "100 Continue": (dripping(b"HTTP/1.1 100 Continue\r\n\r\n"), 0),
    "header": (dripping(b"a", STATUS, b"X-Long: "), 0),
    "headers": (dripping(b"X: y\r\n", STATUS), 0),
    "body": (dripping(b" ", STATUS, b"Content-Length: 99999\r\n\r\n"), 200),
    "body of a closing connection": (dripping(b" ", STATUS, b"Connection: close\r\n\r\n"), 200),
    "chunks": (dripping(b"1\r\n \r\n", STATUS, CHUNKED), 200),
    "size of a chunk": (dripping(b"0", STATUS, CHUNKED), 200),
    "body of a refusal": (dripping(b" ", b"HTTP/1.1 503 X\r\nContent-Length: 9999\r\n\r\n"), 503),
}
MESSAGE = "the answer is not complete after 0.3 s"


@pytest.fixture
def hurried(scripted: Scripted, gate: CountingGate) -> Iterator[Client]:
    """Its deadline comes long before any time-out of the socket."""
    bounds = Bounds(connect=30.0, read=30.0, total=0.3)
    with Client(gate, bounds=bounds, policy=Policy(max_requests=1), sleep=lambda s: None) as made:
        yield made


def exchanges() -> list[threading.Thread]:
    """The threads of exchanges that are under way."""
    return [thread for thread in threading.enumerate() if "_run" in thread.name]


@pytest.mark.parametrize("where", DAWDLERS)
def test_exchange_ends_in_time_wherever_the_upstream_dawdles(
    hurried: Client, upstream: Upstream, scripted: Scripted, gate: CountingGate, where: str
) -> None:
    step, status = DAWDLERS[where]
    scripted.steps = [step]
    problem = problem_of(hurried, upstream)
    assert (problem.error_class, problem.status, problem.message) == (
        "hang",
        status,
        f"odds: {MESSAGE}",
    )
    assert gate.events == ["admit odds", "release odds"]
    assert exchanges() == []


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("where", ["silence", "status line", "headers", "TLS"])
def test_exchange_through_a_proxy_ends_in_time(
    hurried: Client, upstream: Upstream, scripted: Scripted, scheme: str, where: str
) -> None:
    scripted.steps = [dripping(b"", TUNNEL) if where == "TLS" else DAWDLERS[where][0]]
    behind = replace(upstream, base_url=f"{scheme}://203.0.113.7", proxies=(scripted.url,))
    problem = problem_of(hurried, behind)
    assert problem.error_class == "hang"
    assert problem.message.endswith(MESSAGE)
    assert exchanges() == []


def test_tls_that_is_never_agreed_on_ends_in_time(
    hurried: Client, upstream: Upstream, gate: CountingGate
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        problem = problem_of(hurried, replace(upstream, base_url=f"https://127.0.0.1:{port}"))
        assert exchanges() == []
    assert (problem.error_class, problem.message) == ("hang", f"odds: {MESSAGE}")
    assert gate.events == ["admit odds", "give back odds"]  # no request was sent


def test_name_server_that_does_not_answer_is_not_waited_for(
    hurried: Client,
    upstream: Upstream,
    scripted: Scripted,
    gate: CountingGate,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real, answers = socket.getaddrinfo, threading.Event()

    def slow(*args: Any, **options: Any) -> Any:
        answers.wait()
        return real(*args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    problem = problem_of(hurried, upstream)
    (left,) = exchanges()
    answers.set()
    left.join()
    assert (problem.error_class, problem.message) == ("hang", f"odds: {MESSAGE}")
    assert gate.events == ["admit odds", "give back odds"]
    assert scripted.seen == []  # what is answered too late is not made use of


def test_connection_that_was_cut_is_not_used_again(
    hurried: Client, upstream: Upstream, scripted: Scripted
) -> None:
    scripted.steps = [DAWDLERS["headers"][0], reply(200, b"[1]"), reply(200, b"[2]")]
    problem_of(hurried, upstream)
    bodies = [hurried.get(upstream, EVENTS, {"day": "2025-01-15"}).body for _ in range(2)]
    assert bodies == [b"[1]", b"[2]"]
