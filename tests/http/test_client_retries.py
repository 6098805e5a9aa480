"""What is asked again, after which pause, and what is left to the caller."""

from __future__ import annotations

from datetime import timedelta

import pytest

from include.http.client import Client
from include.http.upstream import Upstream
from include.outcome import Later, Outcome
from tests.http.asking import EVENTS, PAGE, problem_of
from tests.http.scripted import NOW, CountingGate, Scripted, Step, cut, drop, hang, reply


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


@pytest.mark.parametrize("value", ["1795850181", "9" * 400, "Sat, 01 Jan 2000 00:00:00 GMT"])
def test_retry_after_that_cannot_be_believed_pauses_nobody_for_long(
    client: Client,
    upstream: Upstream,
    scripted: Scripted,
    gate: CountingGate,
    slept: list[float],
    value: str,
) -> None:
    scripted.steps = [reply(429, b"", Retry_After=value), reply(503, b"", Retry_After=value)] * 2
    problem = problem_of(client, upstream)
    assert (problem.error_class, problem.attempt, problem.retry_at) == ("upstream_down", 4, None)
    assert [event for event in gate.events if event.startswith("slow")] == [
        "slow down odds 10",
        "slow down odds 40",
    ]
    assert slept == [0.0, 2.0, 0.0]


def test_what_the_gate_raises_to_defer_comes_through_and_nothing_is_sent(
    client: Client, upstream: Upstream, scripted: Scripted, gate: CountingGate
) -> None:
    gate.refuse = Later(NOW, "full", Outcome.QUOTA_WAIT)
    with pytest.raises(Later):
        client.get(upstream, EVENTS, {"day": "2025-01-15"})
    assert scripted.seen == []
