from __future__ import annotations

import gzip
import logging
import pickle
import socket
import traceback
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from urllib.parse import quote

import pytest

from include.errors import ErrorClass, Problem
from include.http.addresses import addresses
from include.http.client import Answer, Client, Policy
from include.http.transport import Bounds
from include.http.upstream import Upstream
from include.outcome import Later, Outcome
from include.redact import proxy_secrets
from include.sources.spec import Get, HeaderKey
from tests.http.scripted import (
    FLOOD,
    KEY,
    NOW,
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

DAY = date(2025, 1, 15)
EVENTS = Get(path="/v4/events", params={"date": "{day}"})
SHOWN = "/v4/events?date=2025-01-15&apiKey=***"
PAGE = b"\n<HTML><HEAD>\n<TITLE>Access Denied</TITLE>"


def problem_of(client: Client, upstream: Upstream, get: Get = EVENTS) -> Problem:
    with pytest.raises(Problem) as caught:
        client.get(upstream, get, {"day": str(DAY)}, endpoint="events", day=DAY)
    return caught.value


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


@pytest.mark.parametrize(
    "failure", [reply(500), reply(200, PAGE), reply(200, b'{"a'), cut, drop, hang]
)
def test_passing_failure_is_asked_again_and_healed(
    client: Client, upstream: Upstream, scripted: Scripted, slept: list[float], failure: Step
) -> None:
    scripted.steps = [failure, reply(200, b"[1]")]
    answer = client.get(upstream, EVENTS, {"day": "2025-01-15"})
    assert (answer.body, answer.requests_made, slept) == (b"[1]", 2, [1.0])


def test_pauses_double_with_jitter(
    scripted: Scripted, upstream: Upstream, gate: CountingGate
) -> None:
    slept: list[float] = []
    luck = iter([0.0, 0.5, 1.0, 0.0])
    scripted.steps = [reply(503)] * 4
    with Client(gate, sleep=slept.append, random=lambda: next(luck)) as client:
        problem_of(client, upstream)
    assert slept == [0.5, 1.5, 4.0]


def test_retry_after_is_waited_for(
    client: Client, upstream: Upstream, scripted: Scripted, slept: list[float]
) -> None:
    scripted.steps = [reply(503, b"", Retry_After="7"), reply()]
    client.get(upstream, EVENTS, {"day": "2025-01-15"})
    assert slept == [7.0]


def test_429_slows_everybody_down_and_is_asked_again_through_the_gate(
    client: Client, upstream: Upstream, scripted: Scripted, gate: CountingGate, slept: list[float]
) -> None:
    scripted.steps = [reply(429), reply(429, b"", Retry_After="3"), reply()]
    assert client.get(upstream, EVENTS, {"day": "2025-01-15"}).requests_made == 3
    assert gate.events == [
        "admit odds",
        "refused odds",
        "slow down odds 10",
        "admit odds",
        "refused odds",
        "slow down odds 3",
        "admit odds",
        "release odds",
    ]
    assert slept == [0.0, 0.0]


def test_long_retry_after_is_left_to_the_caller(
    client: Client, upstream: Upstream, scripted: Scripted, gate: CountingGate
) -> None:
    scripted.steps = [reply(429, b"", Retry_After="3600"), reply()]
    problem = problem_of(client, upstream)
    assert (problem.error_class, problem.retry_at, problem.attempt) == (
        "rate_limited",
        NOW + timedelta(hours=1),
        1,
    )
    assert gate.events == ["admit odds", "refused odds", "slow down odds 3600"]


def test_what_the_gate_raises_to_defer_comes_through_and_nothing_is_sent(
    client: Client, upstream: Upstream, scripted: Scripted, gate: CountingGate
) -> None:
    gate.refuse = Later(NOW, "full", Outcome.QUOTA_WAIT)
    with pytest.raises(Later):
        client.get(upstream, EVENTS, {"day": "2025-01-15"})
    assert scripted.seen == []


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port of this machine that refuses connections: bound, but nobody listens."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


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


# Proxies. The scripted server plays the proxies too: http://upstream.test is only ever asked for
# through it.

USERS = ("session-one-1", "session-two-2")
PASSWORD = "pr0xy/p@ss"


@pytest.fixture
def proxied(scripted: Scripted) -> Upstream:
    gate_url = scripted.url.removeprefix("http://")
    return Upstream(
        name="nba",
        base_url="http://upstream.test",
        proxies=tuple(f"http://{user}:{quote(PASSWORD, safe='')}@{gate_url}" for user in USERS),
    )


def test_proxies_take_turns_each_under_its_own_limiter(
    client: Client, proxied: Upstream, scripted: Scripted, gate: CountingGate
) -> None:
    scripted.steps = [reply(), reply()]
    names = [address.name for address in addresses("nba", proxied.proxies)]
    for _ in range(2):
        client.get(proxied, EVENTS, {"day": "2025-01-15"})
    assert scripted.paths() == ["http://upstream.test/v4/events?date=2025-01-15"] * 2
    assert len({seen.headers["proxy-authorization"] for seen in scripted.seen}) == 2
    assert gate.events == [f"{event} {name}" for name in names for event in ("admit", "release")]


def test_blocked_proxy_is_left_for_the_next_one(
    client: Client, proxied: Upstream, scripted: Scripted, gate: CountingGate
) -> None:
    scripted.steps = [reply(403, PAGE), reply()]
    assert client.get(proxied, EVENTS, {"day": "2025-01-15"}).requests_made == 2
    admitted = [event for event in gate.events if event.startswith("admit")]
    assert len(set(admitted)) == 2


def test_one_proxy_that_is_blocked_three_times_is_in_cooldown_and_nothing_more_is_sent(
    client: Client, proxied: Upstream, scripted: Scripted, gate: CountingGate
) -> None:
    alone = replace(proxied, proxies=proxied.proxies[:1])
    name = addresses("nba", alone.proxies)[0].name
    scripted.steps = [reply(403, PAGE)] * 3 + [reply()] * 2
    first = problem_of(client, alone)
    second = problem_of(client, alone)
    until = NOW + timedelta(minutes=5)
    assert (first.error_class, first.status, first.attempt, first.retry_at) == (
        "blocked",
        403,
        3,
        until,
    )
    assert first.message.startswith(f"nba through proxy {name}: an HTML page")
    assert second == Problem(
        error_class=ErrorClass.BLOCKED,
        message=f"nba: the only proxy is in cooldown after failures until {until:%F %T} UTC",
        source="nba",
        endpoint="events",
        day=DAY,
        url="http://upstream.test/v4/events?date=2025-01-15",
        retry_at=until,
    )
    assert len(scripted.seen) == 3


def test_refusal_of_the_request_itself_is_not_held_against_the_proxy(
    client: Client, proxied: Upstream, scripted: Scripted
) -> None:
    alone = replace(proxied, proxies=proxied.proxies[:1])
    scripted.steps = [reply(404)] * 4
    assert [problem_of(client, alone).error_class for _ in range(4)] == ["not_found"] * 4


# Secrets.


def secrets_of(upstream: Upstream) -> list[str]:
    userinfo = [part for proxy in upstream.proxies for part in proxy_secrets(proxy)]
    return [KEY, quote(KEY, safe=""), *userinfo]


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize(
    "step",
    [
        reply(),
        reply(401, f"no such key {KEY} (apiKey={quote(KEY, safe='')})".encode()),
        reply(302, b"", Location=f"https://login.test/?key={quote(KEY, safe='')}"),
        reply(407, b"who are you"),
        reply(500, b"Authorization: Basic dXNlcjpwdw=="),
        reply(502, b"session-one-1 may not in with pr0xy/p@ss"),
        reply(200, b"{"),
        cut,
        drop,
        hang,
    ],
)
@pytest.mark.parametrize("way", ["direct", "proxied", "dead proxy"])
def test_no_secret_in_problems_tracebacks_and_logs(
    client: Client,
    upstream: Upstream,
    proxied: Upstream,
    scripted: Scripted,
    caplog: pytest.LogCaptureFixture,
    closed_port: int,
    way: str,
    step: Step,
    scheme: str,
) -> None:
    asked = replace(upstream, base_url=scripted.url.replace("http:", f"{scheme}:"))
    if way != "direct":
        asked = replace(upstream, base_url=f"{scheme}://upstream.test", proxies=proxied.proxies)
    if way == "dead proxy":
        dead = tuple(proxy.rpartition(":")[0] + f":{closed_port}" for proxy in proxied.proxies)
        asked = replace(asked, proxies=dead)
    scripted.steps = [step] * 4
    caplog.set_level(logging.DEBUG)
    told: list[str] = []
    chained: list[BaseException | None] = []
    try:
        told.append(repr(client.get(asked, EVENTS, {"day": "2025-01-15"})))
    except Problem as problem:
        told += [str(problem), repr(problem), "".join(traceback.format_exception(problem))]
        told.append(pickle.dumps(problem).decode("latin-1"))
        chained = [problem.__cause__, problem.__context__]
    assert [error for error in chained if error] == []
    told += [record.getMessage() for record in caplog.records] + [caplog.text]
    assert len(caplog.records) > 0
    assert [secret for secret in secrets_of(asked) for text in told if secret in text] == []


# Credits.


class Ledger:
    def __init__(self) -> None:
        self.events: list[str] = []
        self.wait: Exception | None = None

    def reserve(self, name: str, cost: int) -> Ledger:
        self.events.append(f"reserve {name} {cost}")
        return self

    def settle(self, *, cost: int, used: int | None, remaining: int | None) -> None:
        self.events.append(f"settle {cost} used {used} remaining {remaining}")

    def refund(self) -> None:
        self.events.append("refund")

    def exhausted(self, name: str) -> None:
        self.events.append(f"exhausted {name}")
        if self.wait:
            raise self.wait


PAID = replace(EVENTS, cost=lambda params: 10)


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


@pytest.fixture
def paying(scripted: Scripted, gate: CountingGate, ledger: Ledger) -> Iterator[Client]:
    with Client(
        gate,
        meter=ledger,
        bounds=Bounds(read=0.25),
        policy=Policy(max_requests=2),
        sleep=lambda s: None,
        now=lambda: NOW,
    ) as made:
        yield made


@pytest.mark.parametrize(
    ("steps", "events", "credits"),
    [
        (
            [reply(x_requests_last="7", x_requests_used="107", x_requests_remaining="393")],
            ["reserve odds 10", "settle 7 used 107 remaining 393"],
            7,
        ),
        ([reply()], ["reserve odds 10", "settle 10 used None remaining None"], 10),
        (
            [hang, reply(x_requests_last="10")],
            [
                "reserve odds 10",
                "settle 10 used None remaining None",
                "reserve odds 10",
                "settle 10 used None remaining None",
            ],
            20,
        ),
        (
            [reply(429), reply(x_requests_last="0")],
            [
                "reserve odds 10",
                "settle 0 used None remaining None",
                "reserve odds 10",
                "settle 0 used None remaining None",
            ],
            0,
        ),
    ],
)
def test_credits_are_reserved_before_and_settled_by_what_the_answer_says(
    paying: Client,
    upstream: Upstream,
    scripted: Scripted,
    ledger: Ledger,
    steps: list[Step],
    events: list[str],
    credits: int,
) -> None:
    scripted.steps = steps
    assert paying.get(upstream, PAID, {"day": "2025-01-15"}).credits == credits
    assert ledger.events == events


def test_credits_of_what_was_never_sent_are_refunded(
    paying: Client, upstream: Upstream, ledger: Ledger, gate: CountingGate, closed_port: int
) -> None:
    problem_of(paying, replace(upstream, base_url=f"http://127.0.0.1:{closed_port}"), PAID)
    gate.refuse = RuntimeError("full")
    with pytest.raises(RuntimeError):
        paying.get(upstream, PAID, {"day": "2025-01-15"})
    assert ledger.events == ["reserve odds 10", "refund"] * 3


def test_free_request_asks_no_ledger(
    paying: Client, upstream: Upstream, scripted: Scripted, ledger: Ledger
) -> None:
    scripted.steps = [reply()]
    paying.get(upstream, EVENTS, {"day": "2025-01-15"})
    assert ledger.events == []


OUT_OF_CREDITS = reply(
    401, b'{"error_code": "OUT_OF_USAGE_CREDITS"}', x_requests_last="0", x_requests_used="500"
)
REFUSED = ["reserve odds 10", "settle 0 used 500 remaining None", "exhausted odds"]


def test_refusal_for_want_of_credits_is_told_to_the_ledger_and_names_the_repair(
    paying: Client, upstream: Upstream, scripted: Scripted, ledger: Ledger
) -> None:
    scripted.steps = [OUT_OF_CREDITS]
    problem = problem_of(paying, upstream, PAID)
    assert (problem.error_class, problem.message) == (
        "quota_exhausted",
        (
            "odds: OUT_OF_USAGE_CREDITS: the month's credits are used up: wait for the reset on"
            ' the 1st; or, after buying a larger plan, raise {"credits": {"monthly": ...,'
            ' "live_reserve": ...}} in the connection\'s extra'
        ),
    )
    assert ledger.events == REFUSED


def test_wait_that_the_ledger_makes_of_such_a_refusal_comes_through_after_one_request(
    paying: Client, upstream: Upstream, scripted: Scripted, ledger: Ledger, gate: CountingGate
) -> None:
    ledger.wait = Later(NOW, "reset", Outcome.QUOTA_WAIT)
    scripted.steps = [OUT_OF_CREDITS] * 2
    with pytest.raises(Later):
        paying.get(upstream, PAID, {"day": "2025-01-15"})
    assert ledger.events == REFUSED
    assert gate.events == ["admit odds", "release odds"]
