"""From and To as people write them into connection `mail`."""

from __future__ import annotations

import re
from email.message import EmailMessage
from typing import Any

import pytest

from include.errors import ErrorClass, Problem
from include.mail.envelope import address, read_envelope
from include.mail.message import from_bytes, to_bytes

A, B, C = "a@example.com", "Team Überblick <b@example.com>", '"Doe, Jane" <c@example.com>'


@pytest.mark.parametrize(
    ("recipients", "to"),
    [
        (A, [A]),
        ([A], [A]),
        ((A, B), [A, B]),
        (f"{A}, {B}", [A, B]),
        (f"{A};{B};", [A, B]),
        (f" {A} ,\n{C}", [A, C]),
        ([f"{A}; {B}", C], [A, B, C]),
        ([A, A.upper(), B, "b@EXAMPLE.com"], [A, B]),
    ],
)
def test_recipients_are_read_in_every_form_and_each_counts_once(recipients: Any, to: Any) -> None:
    found = read_envelope({"sender": "nba@example.com", "recipients": recipients})
    assert [str(each) for each in found.recipients] == to


@pytest.mark.parametrize(
    ("field", "given", "fault"),
    [
        ("recipients", None, "is missing"),
        ("recipients", [], "is empty"),
        ("recipients", " ; ", "is empty"),
        ("recipients", 5, "is 5"),
        ("recipients", {"a": 1}, "is {'a': 1}"),
        ("recipients", [A, None], "holds None, which is not a text"),
        ("recipients", "operators", "holds 'operators', which is not an address"),
        ("recipients", "a@example.com b@example.com", "holds 'a@example.com b@example.com'"),
        ("recipients", "a@b@example.com", "holds 'a@b@example.com', which is not an address"),
        ("sender", None, "is missing"),
        ("sender", f"{A}, {B}", "has 2 addresses: a mail has one sender"),
        ("sender", "a@example.com\nBcc: evil@example.com", "which is not an address"),
        ("reply_to", "nobody", "holds 'nobody', which is not an address"),
    ],
)
def test_what_cannot_be_read_is_one_line_that_names_connection_and_field(
    field: str, given: Any, fault: str
) -> None:
    extra = {"sender": A, "recipients": B, field: given}
    start = re.escape(f'bad_key: connection `mail`: "{field}" in its extra ')
    with pytest.raises(Problem, match=f"^{start}.*{re.escape(fault)}") as raised:
        read_envelope(extra)
    assert raised.value.error_class is ErrorClass.BAD_KEY
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("field", ["cc", "Bcc", "reply-to", "Reply_To"])
def test_people_in_a_field_that_is_not_read_are_told_of(field: str) -> None:
    with pytest.raises(Problem) as caught:
        read_envelope({"sender": A, "recipients": [B], "reply_to": A, field: C})
    assert caught.value.message == (
        f'connection `mail`: "{field}" in its extra is not a field of it: write people into'
        ' "sender", "recipients" or "reply_to"'
    )


def test_message_is_addressed_anew_whoever_it_was_to(message: EmailMessage) -> None:
    stored = from_bytes(to_bytes(message))
    people = {"sender": "Ops <ops@example.com>", "recipients": f"{A}, {C}"}
    found = address(stored, read_envelope(people))
    assert [found[name] for name in ("From", "To", "Reply-To")] == [
        "Ops <ops@example.com>",
        f"{A}, {C}",
        None,
    ]
    assert found["Message-ID"] == message["Message-ID"]
    assert stored["From"] == message["From"]
