from __future__ import annotations

import pytest

from include.errors import ErrorClass, Problem
from include.http.upstream import Upstream, prepare
from include.sources.spec import Get, HeaderKey, QueryKey, ServiceAccount

GET = Get(path="/v1/{sport}/odds", params={"date": "{day}", "markets": "a,b", "dates[]": "{day}"})
VALUES = {"day": "2025-01-15", "sport": "a/b c"}


def test_query_key_goes_last_and_is_not_shown() -> None:
    upstream = Upstream(
        name="odds", base_url="https://api.test/", key="k/123", auth=QueryKey(name="apiKey")
    )
    request = prepare(upstream, GET, VALUES)
    shown = "https://api.test/v1/a%2Fb%20c/odds?date=2025-01-15&markets=a%2Cb&dates%5B%5D=2025-01-15&apiKey="
    assert (request.url, request.shown_url, request.headers) == (
        f"{shown}k%2F123",
        f"{shown}***",
        {},
    )


def test_header_key_goes_bare_beside_the_sources_headers() -> None:
    upstream = Upstream(
        name="bdl",
        base_url="http://127.0.0.1:1/bdl",
        key="k-123",
        auth=HeaderKey(name="Authorization"),
        headers={"Referer": "https://www.nba.com/"},
    )
    request = prepare(upstream, Get(path="/games"), {})
    assert (request.url, request.headers) == (
        "http://127.0.0.1:1/bdl/games",
        {"Referer": "https://www.nba.com/", "Authorization": "k-123"},
    )


def test_service_account_signs_with_the_token_of_the_moment() -> None:
    tokens = iter(["ya29.first", "ya29.second"])
    upstream = Upstream(
        name="drive",
        base_url="https://x.test",
        auth=ServiceAccount(scopes=("s",)),
        token=lambda: next(tokens),
    )
    signed = [prepare(upstream, Get(path="/files"), {}).headers["Authorization"] for _ in range(2)]
    assert signed == ["Bearer ya29.first", "Bearer ya29.second"]


def test_cost_is_reckoned_from_the_filled_parameters() -> None:
    get = Get(
        path="/odds",
        params={"markets": "{markets}"},
        cost=lambda params: 10 * len(params["markets"].split(",")),
    )
    assert (
        prepare(Upstream(name="odds", base_url="https://x.test"), get, {"markets": "a,b,c"}).cost
        == 30
    )


def test_braces_in_a_value_are_not_filled_again() -> None:
    request = prepare(
        Upstream(name="x", base_url="https://x.test"),
        Get(path="/", params={"q": "{q}"}),
        {"q": "{day}"},
    )
    assert request.url == "https://x.test/?q=%7Bday%7D"


@pytest.mark.parametrize(
    ("upstream", "get", "error_class", "message"),
    [
        (
            Upstream(name="odds", base_url="https://x.test"),
            GET,
            ErrorClass.INTERNAL,
            "'/v1/{sport}/odds' needs a value for sport: correct the source's file",
        ),
        (
            Upstream(name="odds", base_url="https://x.test", auth=QueryKey(name="apiKey")),
            Get(path="/"),
            ErrorClass.BAD_KEY,
            "connection odds has no key: put it into the connection's password",
        ),
        (
            Upstream(
                name="odds", base_url="https://x.test", key="abcd\n", auth=HeaderKey(name="X")
            ),
            Get(path="/"),
            ErrorClass.BAD_KEY,
            (
                "connection odds has a key with a space, line break or non-ASCII letter: paste it"
                " again"
            ),
        ),
        (
            Upstream(name="drive", base_url="https://x.test", auth=ServiceAccount(scopes=())),
            Get(path="/"),
            ErrorClass.BAD_KEY,
            "connection drive has no service account: put its key file's JSON into the extra",
        ),
    ],
)
def test_request_that_cannot_be_made_says_what_is_missing(
    upstream: Upstream, get: Get, error_class: ErrorClass, message: str
) -> None:
    with pytest.raises(Problem) as caught:
        prepare(upstream, get, {"day": "2025-01-15"})
    assert (caught.value.error_class, caught.value.message) == (error_class, message)


def test_upstream_and_request_show_no_secret() -> None:
    upstream = Upstream(
        name="odds",
        base_url="https://x.test",
        key="k-12345",
        auth=QueryKey(name="apiKey"),
        proxies=("http://user-77:pass-77@gate.test:1",),
    )
    shown = repr(upstream) + repr(prepare(upstream, Get(path="/"), {}))
    assert [secret for secret in ("k-12345", "user-77", "pass-77") if secret in shown] == []


@pytest.mark.parametrize("value", ["..", ".", ""])
def test_value_that_would_lead_to_another_path_is_not_asked_for(value: str) -> None:
    upstream = Upstream(name="drive", base_url="https://drive.test")
    with pytest.raises(Problem) as refused:
        prepare(upstream, Get(path="/files/{file_id}/content"), {"file_id": value})
    assert (refused.value.error_class, refused.value.message) == (
        ErrorClass.SCHEMA_DRIFT,
        (
            "'/files/{file_id}/content' was given a value that leads to another path"
            f" ('/files/{value}/content'): compare the listing with its parser"
        ),
    )


@pytest.mark.parametrize(
    ("value", "sent"),
    [("a..b", "a..b"), ("../x", "..%2Fx"), ("%2e%2e", "%252e%252e"), ("\ud83c", "%3F")],
)
def test_dots_within_a_value_are_no_other_path(value: str, sent: str) -> None:
    upstream = Upstream(name="drive", base_url="https://drive.test")
    found = prepare(upstream, Get(path="/files/{file_id}"), {"file_id": value})
    assert found.url == f"https://drive.test/files/{sent}"
