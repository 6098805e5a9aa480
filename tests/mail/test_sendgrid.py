"""Delivery to SendGrid: all that a message says arrives, and each refusal says what to repair."""

from __future__ import annotations

import json
import logging
import socket
import threading
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage

import pytest

from include.errors import ErrorClass, Problem
from include.mail.delivery import Receipt, deliver
from include.mail.envelope import address, read_envelope
from include.mail.message import from_bytes, make_notice, to_bytes
from include.mail.sendgrid import MAX_BODY, SendGrid, ask
from tests.mail.stand_in import KEY, StandIn, listening

NOW = datetime(2026, 10, 1, 12, 20, tzinfo=UTC)


def refusal(message: EmailMessage, target: SendGrid) -> Problem:
    with pytest.raises(Problem) as caught:
        deliver(message, target, now=NOW)
    assert KEY not in f"{caught.value!r} {caught.value} {caught.value.__cause__!r}"
    return caught.value


def test_sendgrid_gets_everything_that_the_message_says(
    message: EmailMessage, sendgrid: StandIn
) -> None:
    receipt = deliver(message, SendGrid(key=KEY, host=sendgrid.host))
    assert receipt == Receipt(message_id="<batch-42@nba-backfill.local>", where="sendgrid:sg-1")
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
                "Message-ID": "<batch-42@nba-backfill.local>",
                "Auto-Submitted": "auto-generated",
                "X-Batch-ID": "42",
            },
            "custom_args": {"batch_id": "42", "message_id": "<batch-42@nba-backfill.local>"},
            "tracking_settings": {
                "click_tracking": {"enable": False, "enable_text": False},
                "open_tracking": {"enable": False},
            },
        }
    ]
    assert sendgrid.requests == [("POST", "/v3/mail/send")]


def test_notice_of_plain_text_alone_is_sent_as_well(sendgrid: StandIn) -> None:
    people = read_envelope({"sender": "nba@example.com", "recipients": "a@example.com"})
    notice = make_notice(
        "[Late] bdl_box_scores 2025-01-15", "Not done yet.\n", "<late-1@x.example>"
    )
    deliver(address(notice, people), SendGrid(key=KEY, host=sendgrid.host))
    (sent,) = sendgrid.accepted
    assert sent["content"] == [{"type": "text/plain", "value": "Not done yet.\n"}]
    assert sent["custom_args"] == {"batch_id": "", "message_id": "<late-1@x.example>"}


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


@pytest.mark.parametrize(
    "begins",
    [b"HTTP/1.1 202 Accepted\r\nX-A: ", b"HTTP/1.1 403 No\r\nContent-Length: 200\r\n\r\n"],
    ids=["headers", "body"],
)
def test_answer_that_drips_is_a_hang(message: EmailMessage, begins: bytes) -> None:
    over = threading.Event()

    def drip() -> None:
        there, _ = server.accept()
        with there, suppress(OSError):
            there.recv(65_536)
            there.sendall(begins)
            for _ in range(50):
                there.sendall(b"a")
                over.wait(0.1)

    with socket.create_server(("127.0.0.1", 0)) as server:
        host = f"http://127.0.0.1:{server.getsockname()[1]}"
        thread = threading.Thread(target=drip)
        thread.start()
        problem = refusal(message, SendGrid(key=KEY, host=host, timeout_seconds=0.5))
        over.set()
        thread.join()
    assert problem.error_class is ErrorClass.HANG
    assert problem.message == f"no answer from {host} in 0.5 s; the mail is sent later"


@pytest.mark.parametrize("status", [200, 403])
def test_of_a_body_no_more_is_read_than_a_refusal_needs(sendgrid: StandIn, status: int) -> None:
    sendgrid.next_answers.append((status, {}, b"x" * 200_000))
    answer = ask(SendGrid(key=KEY, host=sendgrid.host), "mail", "send", body={})
    assert (answer.status_code, len(answer.body)) == (status, MAX_BODY)


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


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_takes_the_key_nowhere(
    message: EmailMessage, sendgrid: StandIn, status: int
) -> None:
    with listening() as elsewhere:
        to = {"Location": f"{elsewhere.host}/v3/mail/send"}
        sendgrid.next_answers.append((status, to, b""))
        problem = refusal(message, SendGrid(key=KEY, host=sendgrid.host))
        assert elsewhere.requests == []
    assert (problem.error_class, problem.status, problem.retry_at, problem.message) == (
        ErrorClass.INTERNAL,
        status,
        None,
        f"{sendgrid.host} answered {status} instead of 202; check that the host of connection"
        " `mail` is SendGrid's API",
    )
