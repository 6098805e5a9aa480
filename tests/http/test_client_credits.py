"""A paid request reserves its credits and settles them by its answer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from include.errors import ErrorClass, Problem
from include.http.client import Client, Policy
from include.http.transport import Bounds
from include.http.upstream import Upstream
from include.outcome import Later, Outcome
from tests.http.asking import EVENTS, problem_of
from tests.http.scripted import NOW, CountingGate, Scripted, Step, hang, reply

AWAY = Problem(error_class=ErrorClass.STORAGE, message="ops_db is away", passing=True)


class Ledger:
    def __init__(self) -> None:
        self.events: list[str] = []
        self.wait: Exception | None = None
        self.away = 0

    def reserve(self, name: str, cost: int) -> Ledger:
        self.events.append(f"reserve {name} {cost}")
        return self

    def settle(self, *, cost: int, used: int | None, remaining: int | None) -> None:
        if self.away:
            self.away -= 1
            raise AWAY
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


@pytest.mark.parametrize("away", ["ledger", "limiter"])
def test_paid_body_is_kept_and_settled_later_when_the_ledger_is_away(
    paying: Client,
    upstream: Upstream,
    scripted: Scripted,
    ledger: Ledger,
    gate: CountingGate,
    away: str,
) -> None:
    ledger.away, gate.away = (1, 0) if away == "ledger" else (0, 1)
    scripted.steps = [
        reply(200, b"[1]", x_requests_last="7", x_requests_used="107", x_requests_remaining="393"),
        reply(200, b"[2]", x_requests_last="10"),
    ]
    answer = paying.get(upstream, PAID, {"day": "2025-01-15"})
    assert (answer.body, answer.credits) == (b"[1]", 7)
    assert ledger.events == ["reserve odds 10"]

    paying.get(upstream, PAID, {"day": "2025-01-15"})

    assert ledger.events == [
        "reserve odds 10",
        "settle 7 used 107 remaining 393",
        "reserve odds 10",
        "settle 10 used None remaining None",
    ]
    assert [event for event in gate.events if event.startswith("release")] == ["release odds"] * 2
    assert len(scripted.seen) == 2


def test_what_is_not_settled_at_the_end_is_tried_once_more(
    upstream: Upstream, scripted: Scripted, ledger: Ledger, gate: CountingGate
) -> None:
    scripted.steps = [reply(200, b"[1]", x_requests_last="7")] * 2
    for away, settled in ((1, ["settle 7 used None remaining None"]), (2, [])):
        ledger.events, ledger.away = [], away
        with Client(gate, meter=ledger) as client:
            assert client.get(upstream, PAID, {"day": "2025-01-15"}).body == b"[1]"
        assert ledger.events == ["reserve odds 10", *settled]


@pytest.mark.parametrize(
    "told", ["2147483648", "9" * 5000, "-1", "1e3", "12.5", "", "\u0663".encode().decode("latin-1")]
)
def test_total_that_no_account_can_have_is_as_good_as_none(
    paying: Client, upstream: Upstream, scripted: Scripted, ledger: Ledger, told: str
) -> None:
    headers = {"x_requests_last": told, "x_requests_used": told, "x_requests_remaining": told}
    scripted.steps = [reply(**headers)]
    assert paying.get(upstream, PAID, {"day": "2025-01-15"}).credits == 10
    assert ledger.events == ["reserve odds 10", "settle 10 used None remaining None"]
