from __future__ import annotations

import base64
import logging
from urllib.parse import quote

import pytest

from include.redact import RedactingFilter, Redactor, proxy_secrets

SECRET = "pä/ss+w%rd=1"


@pytest.mark.parametrize(
    "form",
    [
        SECRET,
        quote(SECRET),
        quote(SECRET, safe=""),
        quote(SECRET, safe="").lower(),
        base64.b64encode(SECRET.encode()).decode(),
        base64.urlsafe_b64encode(SECRET.encode()).decode().rstrip("="),
    ],
)
def test_known_secret_goes_in_every_form_it_takes_on_the_wire(form: str) -> None:
    assert Redactor([SECRET]).text(f"sent <{form}> there") == "sent <***> there"


def test_longer_of_two_overlapping_secrets_goes_whole() -> None:
    assert Redactor(["abcd", "abcdefgh"]).text("abcdefgh abcd") == "*** ***"


def test_short_placeholder_does_not_eat_the_text() -> None:
    assert Redactor(["a", ""]).text("a bad day") == "a bad day"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("GET /v4?apiKey=abc&date=2025-01-01", "GET /v4?apiKey=***&date=2025-01-01"),
        ("?key=abc#top", "?key=***#top"),
        ("access_token=abc; token=def", "access_token=*** token=***"),
        (r"host=h password='ge \'heim' dbname=x", "host=h password=*** dbname=x"),
        ('secret="ge heim", of', "secret=***, of"),
        ("fetch('https://host/?key=', 'box')", "fetch('https://host/?key=***', 'box')"),
        ("PGPASSWORD=geheim psql", "PGPASSWORD=*** psql"),
        ("?sort_key=name&pageToken=7", "?sort_key=name&pageToken=7"),
        ("http://u:p@host:1/x", "http://***@host:1/x"),
        ("http://u:p@ss@host/IND@OKC.csv", "http://***@host/IND@OKC.csv"),
        ("https://host/IND@OKC.csv", "https://host/IND@OKC.csv"),
        ("Authorization: 0123-abc", "Authorization: ***"),
        (
            "{'Proxy-Authorization': 'Basic dTpw', 'Accept': '*/*'}",
            "{'Proxy-Authorization': ***, 'Accept': '*/*'}",
        ),
        ("('Authorization', 'abc')", "('Authorization', ***)"),
        ("sent Bearer ya29.abcdefgh", "sent Bearer ***"),
        ("Basic authentication required", "Basic authentication required"),
        ('{"access_token": "abc", "key": "fanduel"}', '{"access_token": "***", "key": "fanduel"}'),
    ],
)
def test_what_looks_like_a_secret_goes_without_being_known(text: str, shown: str) -> None:
    assert Redactor().text(text) == shown


def test_url_loses_userinfo_key_and_fragment() -> None:
    url = "https://u:p@api.test/v4/events?date=2025-01-01&apiKey=abc&markets=h2h#x"
    assert (
        Redactor().url(url)
        == "https://***@api.test/v4/events?date=2025-01-01&apiKey=***&markets=h2h"
    )


@pytest.mark.parametrize(
    ("proxy", "secrets"),
    [
        ("http://host:8080", []),
        ("http://nba:pw12@host:1", ["nba:pw12", "pw12", "nba:pw12", "pw12"]),
        (
            "http://session-7:p%40ss@host:1",
            ["session-7:p%40ss", "p%40ss", "session-7:p@ss", "p@ss", "session-7", "session-7"],
        ),
        (
            "http://session-7:a/b@host",
            ["session-7:a/b", "a/b", "session-7:a/b", "a/b", "session-7", "session-7"],
        ),
    ],
)
def test_proxy_names_its_secret_parts(proxy: str, secrets: list[str]) -> None:
    assert proxy_secrets(proxy) == secrets


def test_log_record_is_redacted_with_its_arguments_and_traceback() -> None:
    try:
        raise ValueError("cannot reach http://u:p@host/?apiKey=abc")
    except ValueError as error:
        record = logging.LogRecord(
            "x",
            logging.ERROR,
            __file__,
            1,
            "failed: %s",
            (SECRET,),
            (ValueError, error, error.__traceback__),
        )
    assert RedactingFilter(Redactor([SECRET])).filter(record) is True
    lines = logging.Formatter("%(message)s").format(record).splitlines()
    assert (lines[0], lines[-1]) == (
        "failed: ***",
        "ValueError: cannot reach http://***@host/?apiKey=***",
    )
    assert record.exc_info is None


def test_redactor_does_not_show_what_it_hides() -> None:
    assert repr(Redactor([SECRET])) == "Redactor(...)"
