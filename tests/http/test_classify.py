from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.errors import ErrorClass
from include.http.classify import Accept, Verdict, classify, retry_after

NOW = datetime(2025, 3, 10, 12, 0, tzinfo=UTC)
PAGE = b"<!DOCTYPE html>\n<HTML><HEAD><TITLE>Access Denied</TITLE>"


def judged(
    status: int, body: bytes = b"", accept: Accept = "json", **headers: str
) -> Verdict | None:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return classify(status=status, headers=named, body=body, accept=accept, now=NOW)


def judged_class(status: int, body: bytes = b"", accept: Accept = "json", **headers: str) -> str:
    verdict = judged(status, body, accept, **headers)
    return verdict.error_class.value if verdict else "sound"


def odds(code: str) -> bytes:
    return json.dumps({"message": "...", "error_code": code, "details_url": "..."}).encode()


def google(reason: str) -> bytes:
    return json.dumps(
        {"error": {"code": 403, "errors": [{"domain": "usageLimits", "reason": reason}]}}
    ).encode()


@pytest.mark.parametrize(
    ("code", "wanted"),
    [
        ("INVALID_KEY", "bad_key"),
        ("DEACTIVATED_KEY", "bad_key"),
        ("OUT_OF_USAGE_CREDITS", "quota_exhausted"),
        ("HISTORICAL_UNAVAILABLE_ON_FREE_USAGE_PLAN", "not_entitled"),
        ("NEVER_SEEN", "bad_key"),
    ],
)
def test_401_of_the_odds_api_means_what_its_error_code_says(code: str, wanted: str) -> None:
    assert judged_class(401, odds(code)) == wanted


def test_401_without_a_code_names_key_and_tier() -> None:
    assert judged(401, b"Unauthorized", content_type="text/plain") == Verdict(
        error_class=ErrorClass.BAD_KEY,
        reason=(
            "key refused, or its tier lacks this endpoint: check the connection's key and the"
            " account's plan"
        ),
    )


@pytest.mark.parametrize(
    ("reason", "wanted"),
    [
        ("userRateLimitExceeded", "rate_limited"),
        ("dailyLimitExceeded", "quota_exhausted"),
        ("insufficientFilePermissions", "not_entitled"),
    ],
)
def test_403_of_google_means_what_its_reason_says(reason: str, wanted: str) -> None:
    assert judged_class(403, google(reason)) == wanted


@pytest.mark.parametrize(
    ("status", "body", "wanted"),
    [
        (302, b"", "blocked"),
        (400, b"The Season property is required.", "internal"),
        (400, PAGE, "internal"),
        (402, b"", "quota_exhausted"),
        (403, b'{"error": "Forbidden"}', "not_entitled"),
        (403, PAGE, "blocked"),
        (404, b'{"error": "Not Found"}', "not_found"),
        (404, PAGE, "not_found"),
        (405, b"", "internal"),
        (406, PAGE, "blocked"),
        (407, PAGE, "upstream_down"),
        (410, b"", "not_found"),
        (422, odds("INVALID_MARKET"), "internal"),
        (429, PAGE, "rate_limited"),
        (500, b'{"Message":"An error has occurred."}', "upstream_down"),
        (503, PAGE, "upstream_down"),
    ],
)
def test_refusal_is_classed_by_its_status(status: int, body: bytes, wanted: str) -> None:
    assert judged_class(status, body) == wanted


@pytest.mark.parametrize(
    "page", [PAGE, b"\n  <html>", b"\xef\xbb\xbf<html>", b"<?xml version='1.0'?><Error/>"]
)
@pytest.mark.parametrize("accept", ["json", "csv"])
def test_page_with_status_200_is_blocked_and_never_an_empty_day(
    page: bytes, accept: Accept
) -> None:
    assert judged_class(200, page, accept) == "blocked"


@pytest.mark.parametrize(
    ("body", "accept", "content_type", "wanted"),
    [
        (b'{"data":[]}', "json", "application/json", "sound"),
        (b'\xef\xbb\xbf {"data":[]}', "json", "application/json", "sound"),
        (b'{"data":[]}', "json", "text/html", "sound"),
        (b"[]", "json", "", "sound"),
        (b"game_id,date\n1,2025-01-01\n", "csv", "text/csv", "sound"),
        (b"", "json", "application/json", "upstream_down"),
        (b" \n", "csv", "text/csv", "upstream_down"),
        (b'{"data":[{"id":', "json", "application/json", "upstream_down"),
        (b'{"data":"\xff"}', "json", "application/json", "upstream_down"),
        (b"Too many requests", "json", "text/plain", "schema_drift"),
        (b"null", "json", "application/json", "schema_drift"),
        (b'{"error": {}}', "csv", "application/json", "schema_drift"),
        (b"Just a moment...", "json", "text/html; charset=utf-8", "blocked"),
    ],
)
def test_success_counts_only_with_a_whole_body_of_the_accepted_form(
    body: bytes, accept: Accept, content_type: str, wanted: str
) -> None:
    assert judged_class(200, body, accept, content_type=content_type) == wanted


@pytest.mark.parametrize("status", [200, 401])
def test_body_that_is_nested_too_deep_is_judged_all_the_same(status: int) -> None:
    body = b"[" * 100_000 + b"]" * 100_000
    assert judged_class(status, body) == {200: "schema_drift", 401: "bad_key"}[status]


@pytest.mark.parametrize(
    "body", [b"[]", b'"x"', b'{"error": []}', b'{"error": {"errors": [1]}}', b'{"error": "x"}']
)
def test_error_body_of_any_shape_is_survived(body: bytes) -> None:
    assert judged_class(401, body) == "bad_key"


@pytest.mark.parametrize(
    ("headers", "wanted"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": " 0.5 "}, 0.5),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-3"}, None),
        ({"retry-after": "Mon, 10 Mar 2025 12:00:30 GMT"}, 30.0),
        ({"retry-after": "3600"}, 3600.0),
        ({"retry-after": "Mon, 10 Mar 2025 13:00:00 GMT"}, 3600.0),
        (
            {
                "retry-after": "Mon, 10 Mar 2025 09:00:30 GMT",
                "date": "Mon, 10 Mar 2025 09:00:00 GMT",
            },
            30.0,
        ),
    ],
)
def test_retry_after_is_seconds_by_the_upstreams_own_clock(
    headers: dict[str, Any], wanted: float | None
) -> None:
    assert retry_after(headers, NOW) == wanted
    verdict = judged(429, **{name.replace("-", "_"): value for name, value in headers.items()})
    assert verdict is not None
    assert verdict.retry_after == wanted


@pytest.mark.parametrize(
    "value",
    [
        "0",
        "3601",
        "1795850181",  # epoch seconds
        "1795850181000",
        "9" * 400,
        "1e5",
        "inf",
        "\u0663",  # a digit to Unicode
        "7, 8",
        "2025-03-10T12:00:30Z",
        "Mon, 10 Mar 2025 11:00:00 GMT",
        "Mon, 10 Mar 2025 13:00:01 GMT",
        "Fri, 31 Dec 9999 23:59:59 GMT",
        "Sat, 01 Jan 0001 00:00:00 +2359",
        "Mon, 10 Mar 99999 12:00:00 GMT",
        "Mon, 10 Mar 2025 12:00:30 +999999999999",
    ],
)
@pytest.mark.parametrize("status", [403, 429, 503])
def test_retry_after_that_cannot_be_believed_says_nothing(status: int, value: str) -> None:
    verdict = judged(status, retry_after=value)
    assert verdict is not None
    assert verdict.retry_after is None


@given(value=st.text(), date=st.text())
def test_whatever_retry_after_is_it_is_bounded(value: str, date: str) -> None:
    found = retry_after({"retry-after": value, "date": date}, NOW)
    assert found is None or 0 < found <= 3600
