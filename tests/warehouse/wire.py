"""A proxy in front of the BigQuery engine: it writes down every request, and gives in the engine's
stead the answers that only the real service gives."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Request:
    """``path`` is without its query; ``body`` is parsed where it is JSON, and None where not."""

    method: str
    path: str
    body: Any


@dataclass
class Wire:
    """The proxy: its URL, what it saw, and what it answers itself."""

    url: str = ""
    requests: list[Request] = field(default_factory=list)
    answers: list[tuple[str, str, int, Any, int]] = field(default_factory=list)

    def answer(self, method: str, pattern: str, status: int, body: Any, *, times: int = 1) -> None:
        """Answers so, that often, what matches ``pattern`` somewhere in path and body."""
        self.answers.append((method, pattern, status, body, times))

    def refuse(self, method: str, pattern: str, status: int, reason: str, message: str) -> None:
        """Answers with an error as BigQuery writes it, for good."""
        error = {"code": status, "message": message, "errors": [{"reason": reason}]}
        error["errors"] = [{"reason": reason, "message": message, "domain": "global"}]
        self.answer(method, pattern, status, {"error": error}, times=1000)

    def sent(self, method: str, pattern: str = "") -> list[Request]:
        """The requests of the method whose path matches."""
        return [r for r in self.requests if r.method == method and re.search(pattern, r.path)]

    def _take(self, method: str, text: str) -> tuple[int, Any] | None:
        for number, (wanted, pattern, status, body, times) in enumerate(self.answers):
            if wanted == method and re.search(pattern, text):
                left = (wanted, pattern, status, body, times - 1)
                self.answers[number : number + 1] = [left] if times > 1 else []
                return status, body
        return None


@contextmanager
def watching(engine: str) -> Iterator[Wire]:
    """The proxy while it serves."""
    wire = Wire()
    address = engine.removeprefix("http://")

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _handle(self) -> None:
            data = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            path = self.path.partition("?")[0]
            wire.requests.append(Request(self.command, path, _parsed(data)))
            if given := wire._take(self.command, f"{self.path} {data[:5000]!r}"):
                status, body = given
                self._answer(
                    status, {"Content-Type": "application/json"}, json.dumps(body).encode()
                )
            else:
                self._answer(*self._forward(data))

        def _forward(self, data: bytes) -> tuple[int, dict[str, str], bytes]:
            headers = {k: v for k, v in self.headers.items() if k.lower() != "host"}
            headers["Accept-Encoding"] = "identity"
            connection = HTTPConnection(address, timeout=30)
            try:
                connection.request(self.command, self.path, data, headers)
                response = connection.getresponse()
                kept = {
                    name: value.replace(engine, wire.url)
                    for name, value in response.getheaders()
                    if name.lower() in ("content-type", "location", "etag", "range")
                }
                return response.status, kept, response.read()
            finally:
                connection.close()

        def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _handle

        def log_message(self, format: str, *args: object) -> None:
            """Silent: the test judges ``requests``."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    wire.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield wire
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _parsed(data: bytes) -> Any:
    try:
        return json.loads(data)
    except ValueError:
        return None
