"""The wire between a store and Google Cloud Storage's server, on which every request is seen and
some meet what happens on real ones."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One request: ``what`` is its method and path, unquoted and without the API's version."""

    what: str
    query: dict[str, str]
    body: bytes = field(repr=False)
    headers: dict[str, str] = field(repr=False)


@dataclass(kw_only=True)
class Event:
    """What the next request whose ``what`` begins so meets: ``before`` it is handed on something
    happens; it is answered with a status and an ``answer`` of its own; or its real answer is lost,
    or its sender killed once the server has done it."""

    what: str
    before: Callable[[], object] = lambda: None
    status: int = 0
    answer: Any = ""
    lost: bool = False
    kill: bool = False
    hang: bool = False


@dataclass
class Wire:
    """``events`` are met in their order, each once; ``sender`` is the process that is killed.
    ``served``: ``what`` was answered with which status, of answers that have arrived."""

    url: str
    asked: list[Asked] = field(default_factory=list)
    served: list[tuple[str, int]] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    sender: int = 0
    ended: threading.Event = field(default_factory=threading.Event)

    def meets(self, what: str, **more: Any) -> None:
        self.events.append(Event(what=what, **more))

    @property
    def whats(self) -> list[str]:
        return [each.what for each in self.asked]

    def take(self, asked: Asked) -> Event:
        """The event of this request, if it meets one."""
        self.asked.append(asked)
        if self.events and asked.what.startswith(self.events[0].what):
            return self.events.pop(0)
        return Event(what=asked.what)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wire: Wire
    server_port: int

    def handle_one_request(self) -> None:
        with suppress(ConnectionError, BrokenPipeError):
            super().handle_one_request()

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        split = urlsplit(self.path)
        path = split.path.replace("/storage/v1", "").replace("/o/", "/o ", 1)
        asked = Asked(
            what=f"{self.command} {unquote(path)}",
            query=dict(parse_qsl(split.query)),
            body=body,
            headers=dict(self.headers.items()),
        )
        self._serve(asked, self.wire.take(asked), body)

    do_POST = do_PUT = do_DELETE = do_GET

    def _serve(self, asked: Asked, event: Event, body: bytes) -> None:
        event.before()
        if event.hang:
            self.wire.ended.wait(30)
            self.close_connection = True
            return
        if event.status:
            self.wire.served.append((asked.what, event.status))
            text = event.answer if isinstance(event.answer, str) else json.dumps(event.answer)
            self._answer(event.status, {"Content-Type": "application/json"}, text.encode())
            return
        status, headers, answer = self._hand_on(body)
        if event.kill:
            os.kill(self.wire.sender, signal.SIGKILL)
        if event.kill or event.lost:
            self.close_connection = True
            return
        self.wire.served.append((asked.what, status))
        self._answer(status, headers, answer)

    def _hand_on(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
        connection = HTTPConnection("127.0.0.1", self.server_port, timeout=30)
        try:
            connection.request(self.command, self.path, body, dict(self.headers.items()))
            response = connection.getresponse()
            return response.status, dict(response.getheaders()), response.read()
        finally:
            connection.close()

    def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response_only(status)
        for name, value in headers.items():
            if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        return


@contextmanager
def between(server_url: str) -> Iterator[Wire]:
    """A wire to the server."""
    wire = Wire(url="")
    port = urlsplit(server_url).port
    handler = type("Handler", (_Handler,), {"wire": wire, "server_port": port})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        wire.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield wire
        finally:
            wire.ended.set()
            server.shutdown()
            thread.join()
