"""A request and its failures: class, message and cost of each, over one kept connection."""

from __future__ import annotations

import gzip
from dataclasses import replace
from urllib.parse import quote

import pytest

from include.errors import ErrorClass, Problem
from include.http.client import Answer, Client
from include.http.upstream import Upstream
from include.sources.spec import HeaderKey
from tests.http.asking import DAY, EVENTS, PAGE, SHOWN, problem_of
from tests.http.scripted import (
    FLOOD,
    KEY,
    CountingGate,
    Scripted,
    Step,
    cut,
    drop,
    flood,
    hang,
    reply,
    torn_chunks,
    trickle,
)


def test_answer_is_the_body_with_a_url_that_may_be_stored(
    client: Client, upstream: Upstream, scripted: Scripted, gate: CountingGate
) -> None:
    scripted.steps = [
        reply(200, b'{"data": []}', Content_Type="application/json", ETag="e1", Set_Cookie="c=1")
    ]
    answer = client.get(upstream, EVENTS, {"day": "2025-01-15"})
    kept = {name: value for name, value in answer.headers.items() if name != "date"}
    assert replace(answer, headers=kept) == Answer(
        body=b'{"data": []}',
        url=scripted.url + SHOWN,
        status=200,
        headers={"content-type": "application/json", "etag": "e1"},
        requests_made=1,
        credits=0,
    )
    assert scripted.paths() == [f"/v4/events?date=2025-01-15&apiKey={quote(KEY, safe='')}"]
    assert gate.events == ["admit odds", "release odds"]


@pytest.mark.parametrize(
    ("steps", "error_class", "requests", "status"),
    [
        ([reply(401, b'{"error_code": "INVALID_KEY"}')], "bad_key", 1, 401),
        ([reply(401, b"Unauthorized")], "bad_key", 1, 401),
        ([reply(401, b'{"error_code": "OUT_OF_USAGE_CREDITS"}')], "quota_exhausted", 1, 401),
        ([reply(403, b'{"error": "tier"}')], "not_entitled", 1, 403),
        ([reply(404, b'{"error_code": "EVENT_NOT_FOUND"}')], "not_found", 1, 404),
        ([reply(400, b"The Season property is required.")], "internal", 1, 400),
        ([reply(422, b'{"error_code": "INVALID_MARKET"}')], "internal", 1, 422),
        ([reply(200, b"null")], "schema_drift", 1, 200),
        ([reply(200, b"[" + b"1," * 6_000 + b"1]")], "schema_drift", 1, 200),
        (
            [reply(200, gzip.compress(b"[" + b" " * 1_000_000 + b"]"), Content_Encoding="gzip")],
            "schema_drift",
            1,
            200,
        ),
        ([reply(200, b"no gzip", Content_Encoding="gzip")] * 4, "upstream_down", 4, 200),
        ([reply(403, PAGE)] * 4, "blocked", 4, 403),
        ([reply(200, PAGE)] * 4, "blocked", 4, 200),
        ([reply(302, b"", Location="https://login.test/?next=x")] * 4, "blocked", 4, 302),
        ([reply(429, b"slow")] * 4, "rate_limited", 4, 429),
        ([reply(500, b'{"Message":"An error has occurred."}')] * 4, "upstream_down", 4, 500),
        ([reply(200, b'{"data": [')] * 4, "upstream_down", 4, 200),
        ([cut] * 4, "upstream_down", 4, 200),
        ([torn_chunks] * 4, "upstream_down", 4, 200),
        ([drop] * 4, "upstream_down", 4, 0),
        ([hang] * 4, "hang", 4, 0),
        ([trickle] * 4, "hang", 4, 200),
    ],
)
def test_failure_has_its_class_and_costs_no_more_than_four_requests(
    client: Client,
    upstream: Upstream,
    scripted: Scripted,
    gate: CountingGate,
    steps: list[Step],
    error_class: str,
    requests: int,
    status: int,
) -> None:
    scripted.steps = [*steps, reply(), reply()]
    problem = problem_of(client, upstream)
    assert (problem.error_class, problem.status, problem.attempt) == (error_class, status, requests)
    assert len(scripted.seen) == requests
    assert sum(event.startswith("admit") for event in gate.events) == requests
    assert sum(event.startswith(("release", "refused")) for event in gate.events) == requests


def test_endless_body_is_left_when_it_is_too_large(
    client: Client, upstream: Upstream, scripted: Scripted
) -> None:
    scripted.steps = [flood]
    assert (
        problem_of(client, upstream).message
        == "odds: the body is larger than 10000 bytes, which no day of this data is"
    )
    assert scripted.flooded < FLOOD


def test_compressed_body_is_unpacked(
    client: Client, upstream: Upstream, scripted: Scripted
) -> None:
    scripted.steps = [reply(200, gzip.compress(b'{"data": []}'), Content_Encoding="gzip")]
    assert client.get(upstream, EVENTS, {"day": "2025-01-15"}).body == b'{"data": []}'


def test_problem_says_what_a_repair_needs(
    client: Client, upstream: Upstream, scripted: Scripted
) -> None:
    scripted.steps = [reply(401, b"\n Unauthorized: " + KEY.encode() + b" \nsecond line")]
    assert problem_of(client, upstream) == Problem(
        error_class=ErrorClass.BAD_KEY,
        message=(
            "odds: key refused, or its tier lacks this endpoint: check the connection's key and the"
            " account's plan"
        ),
        source="odds",
        endpoint="events",
        day=DAY,
        url=scripted.url + SHOWN,
        status=401,
        attempt=1,
        body_line="Unauthorized: ***",
    )


def test_long_first_line_is_cut_at_200_characters(
    client: Client, upstream: Upstream, scripted: Scripted
) -> None:
    scripted.steps = [reply(400, b"x" * 190 + KEY.encode() + b"y" * 100)]
    assert problem_of(client, upstream).body_line == "x" * 190 + "***" + "y" * 7


def test_refused_connection_gives_its_admission_back(
    client: Client, upstream: Upstream, gate: CountingGate, closed_port: int
) -> None:
    problem = problem_of(client, replace(upstream, base_url=f"http://127.0.0.1:{closed_port}"))
    assert (problem.error_class, problem.message) == (
        "upstream_down",
        (
            "odds: connection lost (ConnectionRefusedError: [Errno 111] Connection refused): rerun"
            " the date later"
        ),
    )
    assert gate.events == ["admit odds", "give back odds"] * 4


@pytest.mark.parametrize("base_url", ["", "ftp://x.test", "http://", "http://[::1"])
def test_nonsense_host_is_our_own_mistake(
    client: Client, upstream: Upstream, gate: CountingGate, base_url: str
) -> None:
    problem = problem_of(client, replace(upstream, base_url=base_url))
    assert (problem.error_class, problem.attempt, gate.events) == (
        "internal",
        1,
        ["admit odds", "give back odds"],
    )


def test_connection_is_kept_between_requests(
    client: Client, upstream: Upstream, scripted: Scripted
) -> None:
    opened = []
    scripted.process_request_thread, serve = (
        lambda *args: (opened.append(args), serve(*args)),
        scripted.process_request_thread,
    )
    scripted.steps = [reply(), reply(404, b"{}"), reply()]
    client.get(upstream, EVENTS, {"day": "2025-01-15"})
    problem_of(client, upstream)
    client.get(upstream, EVENTS, {"day": "2025-01-15"})
    assert (len(scripted.seen), len(opened)) == (3, 1)


def test_netrc_does_not_replace_our_key(
    client: Client,
    upstream: Upstream,
    scripted: Scripted,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    netrc = tmp_path_factory.mktemp("home") / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password other\n")
    monkeypatch.setenv("NETRC", str(netrc))
    scripted.steps = [reply()]
    client.get(
        replace(upstream, auth=HeaderKey(name="Authorization")), EVENTS, {"day": "2025-01-15"}
    )
    assert scripted.seen[0].headers["authorization"] == KEY


def test_proxy_of_the_environment_is_not_asked_for_this_machine(
    client: Client,
    upstream: Upstream,
    scripted: Scripted,
    monkeypatch: pytest.MonkeyPatch,
    closed_port: int,
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{closed_port}")
    monkeypatch.setenv("no_proxy", "")
    scripted.steps = [reply()]
    assert client.get(upstream, EVENTS, {"day": "2025-01-15"}).status == 200
