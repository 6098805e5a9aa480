from __future__ import annotations

import json
import logging
import os
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from include.errors import ErrorClass, Problem
from include.mail.delivery import Folder, Receipt, SendGrid, deliver, file_name, read_target
from include.mail.message import Envelope, from_bytes, make_message, to_bytes
from include.mail.report import Report

KEY = "SG.a-key-that-nobody-may-see"
NOW = datetime(2026, 10, 1, 12, 20, tzinfo=UTC)
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
    if [(part.get("type"), bool(part.get("value"))) for part in body.get("content", [])] != [
        ("text/plain", True),
        ("text/html", True),
    ]:
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
    released: threading.Event = field(default_factory=threading.Event)


@pytest.fixture
def sendgrid(monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    monkeypatch.setenv("no_proxy", "*")
    stand_in = StandIn()

    class Handler(BaseHTTPRequestHandler):
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
    yield stand_in
    stand_in.released.set()
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def message(mixed: Report) -> EmailMessage:
    return make_message(
        mixed,
        Envelope(
            sender="NBA backfills <backfills@example.com>",
            recipients=["a@example.com", "B Team <b@example.com>"],
            reply_to="oncall@example.com",
            domain="example.com",
        ),
    )


def refusal(message: EmailMessage, target: SendGrid | Folder) -> Problem:
    with pytest.raises(Problem) as caught:
        deliver(message, target, now=NOW)
    assert KEY not in f"{caught.value!r} {caught.value} {caught.value.__cause__!r}"
    return caught.value


def test_a_folder_gets_the_whole_message_as_one_file(message: EmailMessage, tmp_path: Path) -> None:
    receipt = deliver(message, Folder(path=tmp_path / "out" / "box"))
    path = tmp_path / "out" / "box" / "batch-42@example.com.eml"
    assert receipt == Receipt(message_id="<batch-42@example.com>", where=str(path))
    assert path.read_bytes() == to_bytes(message)


def test_delivering_again_leaves_the_one_file_as_it_was(
    message: EmailMessage, tmp_path: Path
) -> None:
    first = deliver(message, Folder(path=tmp_path))
    before = os.stat(first.where)
    again = deliver(from_bytes(to_bytes(message)), Folder(path=tmp_path))
    assert again == Receipt(message_id="<batch-42@example.com>", where=first.where, again=True)
    assert [p.name for p in tmp_path.iterdir()] == ["batch-42@example.com.eml"]
    assert os.stat(first.where).st_ino == before.st_ino


def test_a_folder_that_cannot_be_written_is_a_storage_problem(
    message: EmailMessage, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way")
    problem = refusal(message, Folder(path=tmp_path / "file"))
    assert (problem.error_class, problem.retry_at) == (ErrorClass.STORAGE, None)
    assert (
        problem.message
        == f"cannot write the mail {tmp_path}/file/batch-42@example.com.eml (File exists):"
        " check the folder that connection `mail` names"
    )


def test_file_names_are_safe_and_differ_where_message_ids_do() -> None:
    names = [
        file_name(i)
        for i in ("<a@b>", "<../../etc/x@b>", "<a/b@c>", "<a_b@c>", "<" + "a" * 300 + "@b>")
    ]
    assert len(set(names)) == 5
    assert all("/" not in name and not name.startswith(".") and len(name) < 170 for name in names)
    assert (names[0], names[3]) == ("a@b.eml", "a_b@c.eml")


def test_sendgrid_gets_everything_that_the_message_says(
    message: EmailMessage, sendgrid: StandIn
) -> None:
    receipt = deliver(message, SendGrid(key=KEY, host=sendgrid.host))
    assert receipt == Receipt(message_id="<batch-42@example.com>", where="sendgrid:sg-1")
    text, html = message.iter_parts()
    assert sendgrid.accepted == [
        {
            "personalizations": [
                {"to": [{"email": "a@example.com"}, {"email": "b@example.com", "name": "B Team"}]}
            ],
            "from": {"email": "backfills@example.com", "name": "NBA backfills"},
            "reply_to": {"email": "oncall@example.com"},
            "subject": message["Subject"],
            "content": [
                {"type": "text/plain", "value": text.get_content()},
                {"type": "text/html", "value": html.get_content()},
            ],
            "headers": {
                "Message-ID": "<batch-42@example.com>",
                "Auto-Submitted": "auto-generated",
                "X-Batch-ID": "42",
            },
            "custom_args": {"batch_id": "42", "message_id": "<batch-42@example.com>"},
            "tracking_settings": {
                "click_tracking": {"enable": False, "enable_text": False},
                "open_tracking": {"enable": False},
            },
        }
    ]
    assert sendgrid.requests == [("POST", "/v3/mail/send")]


def test_a_message_from_the_outbox_is_sent_like_a_fresh_one(
    message: EmailMessage, sendgrid: StandIn
) -> None:
    target = SendGrid(key=KEY, host=sendgrid.host)
    deliver(message, target)
    deliver(from_bytes(to_bytes(message)), target)
    fresh, from_outbox = sendgrid.accepted
    assert from_outbox == fresh


def test_a_wrong_key_is_named_by_its_connection(message: EmailMessage, sendgrid: StandIn) -> None:
    problem = refusal(message, SendGrid(key="SG.wrong", host=sendgrid.host))
    assert (problem.error_class, problem.status, problem.retry_at) == (
        ErrorClass.BAD_KEY,
        401,
        None,
    )
    assert (
        problem.message
        == "SendGrid refused the key of connection `mail`: The provided authorization grant is"
        " invalid; set a key with the Mail Send permission"
    )
    assert sendgrid.requests == [("POST", "/v3/mail/send")]


def test_a_sender_that_is_not_verified_is_named(message: EmailMessage, sendgrid: StandIn) -> None:
    said = {
        "errors": [
            {
                "message": "The from address does not match a verified Sender Identity.",
                "field": "from",
            }
        ]
    }
    sendgrid.next_answers.append((403, {}, json.dumps(said).encode()))
    problem = refusal(message, SendGrid(key=KEY, host=sendgrid.host))
    assert (problem.error_class, problem.status, problem.retry_at) == (
        ErrorClass.BAD_KEY,
        403,
        None,
    )
    assert (
        problem.message
        == "SendGrid refused the key of connection `mail` or its sender NBA backfills"
        " <backfills@example.com>: The from address does not match a verified Sender Identity."
        " (from); the key needs the Mail Send permission and the sender must be a verified"
        " Sender Identity"
    )


@pytest.mark.parametrize(
    ("status", "headers", "error_class", "retry_at"),
    [
        (429, {}, ErrorClass.RATE_LIMITED, NOW + timedelta(minutes=1)),
        (429, {"Retry-After": "90"}, ErrorClass.RATE_LIMITED, NOW + timedelta(seconds=90)),
        (
            429,
            {"X-RateLimit-Reset": str(int(NOW.timestamp()) + 30)},
            ErrorClass.RATE_LIMITED,
            NOW + timedelta(seconds=30),
        ),
        (
            429,
            {"X-RateLimit-Reset": "12", "Retry-After": "soon"},
            ErrorClass.RATE_LIMITED,
            NOW + timedelta(minutes=1),
        ),
        (500, {}, ErrorClass.UPSTREAM_DOWN, NOW + timedelta(minutes=5)),
        (503, {"Retry-After": "600"}, ErrorClass.UPSTREAM_DOWN, NOW + timedelta(minutes=10)),
    ],
)
def test_passing_troubles_say_when_to_try_again(
    message: EmailMessage,
    sendgrid: StandIn,
    status: int,
    headers: dict[str, str],
    error_class: ErrorClass,
    retry_at: datetime,
) -> None:
    sendgrid.next_answers.append((status, headers, b""))
    problem = refusal(message, SendGrid(key=KEY, host=sendgrid.host))
    assert (problem.error_class, problem.status, problem.retry_at) == (
        error_class,
        status,
        retry_at,
    )
    assert len(sendgrid.requests) == 1


def test_a_mail_that_sendgrid_finds_wrong_shows_its_own_words(
    message: EmailMessage, sendgrid: StandIn
) -> None:
    del message["To"]
    message["To"] = "a@example.com, a@example.com"
    problem = refusal(message, SendGrid(key=KEY, host=sendgrid.host))
    assert (problem.error_class, problem.status, problem.retry_at) == (
        ErrorClass.INTERNAL,
        400,
        None,
    )
    assert (
        problem.message == "SendGrid did not accept the mail:"
        " Each email address in the personalization block should be unique. (personalizations);"
        " check sender and recipients of connection `mail`"
    )


@pytest.mark.parametrize("status", [200, 404])
def test_a_host_that_is_not_sendgrid_is_no_delivery(
    message: EmailMessage, sendgrid: StandIn, status: int
) -> None:
    sendgrid.next_answers.append((status, {}, b"<html>\nwelcome</html>"))
    problem = refusal(message, SendGrid(key=KEY, host=sendgrid.host))
    assert (problem.error_class, problem.status, problem.retry_at) == (
        ErrorClass.INTERNAL,
        status,
        None,
    )
    assert (
        problem.message == f"{sendgrid.host} answered {status} instead of 202: <html>;"
        " check that the host of connection `mail` is SendGrid's API"
    )


def test_no_answer_in_time_is_a_hang(message: EmailMessage, sendgrid: StandIn) -> None:
    sendgrid.hangs = True
    problem = refusal(message, SendGrid(key=KEY, host=sendgrid.host, timeout_seconds=0.1))
    assert (problem.error_class, problem.retry_at) == (ErrorClass.HANG, NOW + timedelta(minutes=5))
    assert problem.message == f"no answer from {sendgrid.host} in 0.1 s; the mail is sent later"
    assert sendgrid.requests == [("POST", "/v3/mail/send")]


def test_a_cut_connection_is_an_upstream_that_is_down(
    message: EmailMessage, sendgrid: StandIn
) -> None:
    sendgrid.hangs = True
    sendgrid.released.set()
    problem = refusal(message, SendGrid(key=KEY, host=sendgrid.host))
    assert (problem.error_class, problem.retry_at) == (
        ErrorClass.UPSTREAM_DOWN,
        NOW + timedelta(minutes=5),
    )
    assert (
        problem.message
        == f"cannot reach {sendgrid.host} (Remote end closed connection without response);"
        " the mail is sent later, check the host of connection `mail`"
    )


def test_nobody_listening_is_an_upstream_that_is_down(
    message: EmailMessage, sendgrid: StandIn
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed_soon:
        host = f"http://127.0.0.1:{closed_soon.getsockname()[1]}"
    problem = refusal(message, SendGrid(key=KEY, host=host))
    assert (problem.error_class, problem.retry_at) == (
        ErrorClass.UPSTREAM_DOWN,
        NOW + timedelta(minutes=5),
    )
    assert (
        problem.message == f"cannot reach {host} ([Errno 111] Connection refused);"
        " the mail is sent later, check the host of connection `mail`"
    )


@pytest.mark.parametrize("status", [202, 400, 401])
def test_the_key_is_in_no_log_and_no_message(
    message: EmailMessage, sendgrid: StandIn, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, logger="python_http_client.client")
    said = json.dumps({"errors": [{"message": f"Bearer {KEY} is odd"}]}).encode()
    sendgrid.next_answers.append((status, {}, said))
    target = SendGrid(key=KEY, host=sendgrid.host)
    if status == 202:
        deliver(message, target)
    else:
        assert "[redacted] is odd" in refusal(message, target).message
    assert KEY not in caplog.text
    assert KEY not in repr(target)


@pytest.mark.parametrize(
    ("host", "key", "target"),
    [
        ("file:///var/outbox", "", Folder(path=Path("/var/outbox"))),
        ("file://data/out%20box", KEY, Folder(path=Path("data/out box"))),
        ("", KEY, SendGrid(key=KEY, host="https://api.sendgrid.com")),
        ("api.eu.sendgrid.com", KEY, SendGrid(key=KEY, host="https://api.eu.sendgrid.com")),
        ("http://127.0.0.1:8090/", KEY, SendGrid(key=KEY, host="http://127.0.0.1:8090")),
    ],
)
def test_the_connection_names_a_folder_or_sendgrid(
    host: str, key: str, target: Folder | SendGrid
) -> None:
    assert read_target(host, key) == target


@pytest.mark.parametrize(
    ("key", "fault"),
    [
        ("", "has no password"),
        (f"{KEY}\n", "has a password with blanks, line breaks or other foreign characters"),
        ("SG.schlüssel", "has a password with blanks, line breaks or other foreign characters"),
    ],
)
def test_a_key_that_cannot_be_a_header_is_refused_unseen(key: str, fault: str) -> None:
    with pytest.raises(Problem) as caught:
        read_target("", key)
    assert caught.value.error_class is ErrorClass.BAD_KEY
    assert (
        caught.value.message
        == f"connection `mail` {fault}: set it to a SendGrid key with the Mail Send permission,"
        " or set its host to file:///folder for a local outbox"
    )
