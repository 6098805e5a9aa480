from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from include.mail.message import from_bytes, make_message, make_message_id, to_bytes
from include.mail.render import render
from include.mail.report import Report
from include.outcome import Outcome
from include.results import DateResult

MakeReport = Callable[..., Report]


def test_headers_are_complete(mixed: Report) -> None:
    message = make_message(replace(mixed, in_reply_to="<batch-41@example.com>"))
    assert [(name, str(value)) for name, value in message.items()] == [
        ("Message-ID", "<batch-42@nba-backfill.local>"),
        ("Date", "Thu, 01 Oct 2026 12:16:00 +0000"),
        (
            "Subject",
            (
                "[2 failed, 1 incomplete, 1 not run] bdl_box_scores 2024-10-22..2024-10-31: 6 of 10"
                " dates complete"
            ),
        ),
        ("In-Reply-To", "<batch-41@example.com>"),
        ("References", "<batch-41@example.com>"),
        ("Auto-Submitted", "auto-generated"),
        ("X-Batch-ID", "42"),
        ("MIME-Version", "1.0"),
        ("Content-Type", 'multipart/alternative; boundary="=_57199edb8471487d689ea55cc46b3780"'),
    ]


def test_first_mails_answer_nothing(mixed: Report) -> None:
    message = make_message(mixed)
    assert (message["In-Reply-To"], message["References"]) == (None, None)


def test_parts_are_the_rendered_text_then_html(mixed: Report) -> None:
    content = render(mixed)
    parts = list(make_message(mixed).iter_parts())
    assert [(part.get_content_type(), part.get_content_charset()) for part in parts] == [
        ("text/plain", "utf-8"),
        ("text/html", "utf-8"),
    ]
    assert [part.get_content().strip() for part in parts] == [
        content.text.strip(),
        content.html.strip(),
    ]


def test_the_same_report_gives_the_same_bytes(mixed: Report) -> None:
    shuffled = replace(mixed, dates=list(reversed(mixed.dates)))
    assert to_bytes(make_message(mixed)) == to_bytes(make_message(shuffled))


def test_what_was_stored_comes_back_as_it_was(mixed: Report) -> None:
    data = to_bytes(make_message(mixed))
    again = from_bytes(data)
    assert to_bytes(again) == data
    body = again.get_body(("plain",))
    assert body is not None
    assert body.get_content().replace("\r\n", "\n") == render(mixed).text


def test_stored_messages_are_pure_ascii_with_crlf(make_report: MakeReport) -> None:
    result = DateResult(
        day=date(2024, 10, 22), outcome=Outcome.FAILED, message="Dončić “did not play” 🏀"
    )
    data = to_bytes(make_message(make_report([result])))
    assert data.isascii()
    assert data.count(b"\n") == data.count(b"\r\n")


def test_message_ids_are_safe_and_differ_where_batches_do(make_report: MakeReport) -> None:
    ids = [
        make_message_id(make_report([], batch_id=batch_id))
        for batch_id in ("42", "a b", "a/b", "x" * 60 + "1", "x" * 60 + "2", "<>@\n")
    ]
    assert ids == [
        "<batch-42@nba-backfill.local>",
        "<batch-a-b-23f2f10f@nba-backfill.local>",
        "<batch-a-b-374c91bc@nba-backfill.local>",
        "<batch-xxxxxxxxxxxxxxxxxxxxxxxxx-d56e8a65@nba-backfill.local>",
        "<batch-xxxxxxxxxxxxxxxxxxxxxxxxx-d98a7142@nba-backfill.local>",
        "<batch-af2749c4@nba-backfill.local>",
    ]


def test_a_halt_is_another_mail_than_the_summary(make_report: MakeReport) -> None:
    at = datetime(2026, 10, 1, 10, 30, 5, tzinfo=UTC)
    ids = [
        make_message_id(make_report([], state=state, ended_at=ended_at))
        for state, ended_at in (
            ("halted", at),
            ("halted", at + timedelta(hours=1)),
            ("finished", at),
        )
    ]
    assert ids == [
        "<batch-42-halted-20261001T103005@nba-backfill.local>",
        "<batch-42-halted-20261001T113005@nba-backfill.local>",
        "<batch-42@nba-backfill.local>",
    ]


def test_headers_cannot_be_smuggled_in(make_report: MakeReport) -> None:
    message = make_message(make_report([], dag_id="x\r\nBcc: evil@example.com"))
    assert message["Bcc"] is None
    assert message["Subject"] == "[Nothing ran] x Bcc: evil@example.com 2024-10-22: no dates ran"
