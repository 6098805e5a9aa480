"""A scripted upstream on loopback, its steps, and a gate that keeps count."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from include.errors import ErrorClass, Problem

Step = Callable[["Handler"], None]

NOW = datetime(2025, 3, 10, 12, 0, tzinfo=UTC)
KEY = "s3cr3t/K3y+x=="


class Handler(BaseHTTPRequestHandler):
    """Plays the script's next step for every request, whichever the path."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Scripted

    def do_GET(self) -> None:
        """Also for requests in absolute form, which is how a proxy of plain HTTP is asked."""
        with self.server.lock:
            self.server.seen.append(
                Seen(path=self.path, headers={k.lower(): v for k, v in self.headers.items()})
            )
            step = self.server.steps.pop(0) if self.server.steps else unscripted
        step(self)

    do_CONNECT = do_GET

    def log_message(self, format: str, *args: object) -> None:
        """The requests are in ``seen``."""


@dataclass(frozen=True, kw_only=True)
class Seen:
    """One request as the upstream saw it."""

    path: str
    headers: Mapping[str, str]


class Scripted(ThreadingHTTPServer):
    """Answers with ``steps`` in order and remembers what it was asked."""

    daemon_threads = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.lock = threading.Lock()
        self.steps: list[Step] = []
        self.seen: list[Seen] = []
        self.over = threading.Event()
        self.flooded = 0

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that leaves early is what some tests are about."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def paths(self) -> list[str]:
        return [seen.path for seen in self.seen]


def unscripted(handler: Handler) -> None:
    reply(418, b"a request that the test did not expect")(handler)


def reply(status: int = 200, body: bytes = b"{}", **headers: str) -> Step:
    """A whole answer; header names with ``_`` for ``-``."""

    def step(handler: Handler) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return step


def hang(handler: Handler) -> None:
    """Connects and says nothing until the test is over."""
    handler.server.over.wait()
    handler.close_connection = True


def drop(handler: Handler) -> None:
    """Hangs up without an answer."""
    handler.close_connection = True


def cut(handler: Handler) -> None:
    """Announces 100 bytes and sends eight."""
    handler.send_response(200)
    handler.send_header("Content-Length", "100")
    handler.end_headers()
    handler.wfile.write(b'{"data":')
    handler.close_connection = True


def torn_chunks(handler: Handler) -> None:
    """A chunked body without its last chunk."""
    handler.send_response(200)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    handler.wfile.write(b"2\r\n{}\r\n")
    handler.close_connection = True


def trickle(handler: Handler) -> None:
    """One byte at a time for two seconds, each well within the read time-out."""
    handler.send_response(200)
    handler.end_headers()
    handler.close_connection = True
    try:
        for _ in range(100):
            if handler.server.over.wait(0.02):
                return
            handler.wfile.write(b" ")
    except OSError:
        return  # the client has had enough


def dripping(piece: bytes, *first: bytes) -> Step:
    """The bytes of ``first``, then the piece again and again for two seconds; each well within the
    read time-out."""

    def step(handler: Handler) -> None:
        handler.close_connection = True
        try:
            handler.wfile.write(b"".join(first))
            for _ in range(100):
                if handler.server.over.wait(0.02):
                    return
                handler.wfile.write(piece)
        except OSError:
            return  # the client has had enough

    return step


FLOOD = 64 * 1024 * 1024


def flood(handler: Handler) -> None:
    """As fast as it goes, FLOOD bytes or until the client leaves."""
    handler.send_response(200)
    handler.end_headers()
    handler.close_connection = True
    try:
        while handler.server.flooded < FLOOD:
            handler.wfile.write(b" " * 65_536)
            handler.server.flooded += 65_536
    except OSError:
        return


@dataclass(kw_only=True)
class CountingAdmission:
    gate: CountingGate
    name: str
    closed: bool = False

    def release(self, *, ok: bool = True, ago: float = 0.0) -> None:
        if self.gate.away:
            self.gate.away -= 1
            raise Problem(error_class=ErrorClass.STORAGE, message="ops_db is away", passing=True)
        if self.closed:
            return
        self.closed = True
        self.gate.events.append(f"release {self.name}" if ok else f"refused {self.name}")

    def give_back(self) -> None:
        self.gate.events.append(f"give back {self.name}")


@dataclass(kw_only=True)
class CountingGate:
    """Admits everything at once and writes down what it was told."""

    events: list[str] = field(default_factory=list)
    refuse: Exception | None = None
    away: int = 0
    """How many releases find its database away."""

    def admit(self, name: str, *, max_wait: float) -> CountingAdmission:
        if self.refuse:
            raise self.refuse
        self.events.append(f"admit {name}")
        return CountingAdmission(gate=self, name=name)

    def slow_down(self, name: str, seconds: float) -> datetime:
        self.events.append(f"slow down {name} {seconds:g}")
        return NOW + timedelta(seconds=seconds)
