"""A stand-in for SendGrid's v3 API on loopback, which finds wrong what the real one would."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

KEY = "SG.a-key-that-nobody-may-see"
# Headers that v3/mail/send refuses, because SendGrid writes them itself.
RESERVED = {
    "to",
    "from",
    "subject",
    "reply-to",
    "cc",
    "bcc",
    "received",
    "content-type",
    "content-transfer-encoding",
}


def faults(body: Any) -> list[tuple[str, str]]:
    """What v3/mail/send would find wrong with a body, as (message, field); as far as a summary can
    go wrong."""
    found: list[tuple[str, str]] = []
    if not isinstance(body, dict):
        return [("Bad Request", "")]
    recipients = [
        to.get("email", "") for p in body.get("personalizations", []) for to in p.get("to", [])
    ]
    if not recipients or not all("@" in email for email in recipients):
        found.append(("Does not contain a valid address.", "personalizations.0.to.0.email"))
    if len(set(recipients)) < len(recipients):
        found.append(
            (
                "Each email address in the personalization block should be unique.",
                "personalizations",
            )
        )
    if "@" not in body.get("from", {}).get("email", ""):
        found.append(("The from object must be provided.", "from"))
    if not body.get("subject"):
        found.append(("The subject is required.", "subject"))
    kinds = [part.get("type") if part.get("value") else "" for part in body.get("content", [])]
    if kinds not in (["text/plain"], ["text/plain", "text/html"]):
        found.append(("The content must be text/plain, then text/html.", "content"))
    if RESERVED & {name.lower() for name in body.get("headers", {})}:
        found.append(("Header can not be one of the reserved keys.", "headers"))
    for name in ("headers", "custom_args"):
        if not all(isinstance(value, str) for value in body.get(name, {}).values()):
            found.append(("Values must be strings.", name))
    return found


@dataclass
class StandIn:
    """SendGrid's v3/mail/send on loopback: records what it accepts, and answers ``next_answers``
    first."""

    host: str = ""
    accepted: list[dict[str, Any]] = field(default_factory=list)
    requests: list[tuple[str, str]] = field(default_factory=list)
    next_answers: list[tuple[int, dict[str, str], bytes]] = field(default_factory=list)
    hangs: bool = False
    told: dict[str, Any] = field(default_factory=dict)
    """What is answered to whoever has the key and asks for a path; a number is a refusal."""
    released: threading.Event = field(default_factory=threading.Event)


@contextmanager
def listening() -> Iterator[StandIn]:
    """The stand-in while it serves."""
    stand_in = StandIn()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            stand_in.requests.append(("GET", self.path))
            let_in = self.headers["Authorization"] == f"Bearer {KEY}"
            told = stand_in.told.get(self.path, 202) if let_in or not stand_in.told else 401
            status = told if isinstance(told, int) else 200
            self.answer(status, {}, b"" if isinstance(told, int) else json.dumps(told).encode())

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            stand_in.requests.append(("POST", self.path))
            if stand_in.hangs:
                stand_in.released.wait(30)
                self.close_connection = True
                return
            if stand_in.next_answers:
                self.answer(*stand_in.next_answers.pop(0))
            elif self.headers["Authorization"] != f"Bearer {KEY}":
                said = {
                    "errors": [
                        {"message": "The provided authorization grant is invalid", "field": None}
                    ]
                }
                self.answer(401, {}, json.dumps(said).encode())
            elif self.path != "/v3/mail/send" or self.headers["Content-Type"] != "application/json":
                self.answer(404, {}, b"<html>not found</html>")
            elif wrong := faults(json.loads(body)):
                said = {
                    "errors": [
                        {"message": message, "field": name or None} for message, name in wrong
                    ]
                }
                self.answer(400, {}, json.dumps(said).encode())
            else:
                stand_in.accepted.append(json.loads(body))
                self.answer(202, {"X-Message-Id": f"sg-{len(stand_in.accepted)}"}, b"")

        def answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Silent: the test judges ``requests``."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    stand_in.host = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield stand_in
    finally:
        stand_in.released.set()
        server.shutdown()
        server.server_close()
        thread.join()
