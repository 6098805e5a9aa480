"""Proxies take turns, and one that is blocked is left alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from include.errors import ErrorClass, Problem
from include.http.addresses import addresses
from include.http.client import Client
from include.http.upstream import Upstream
from tests.http.asking import DAY, EVENTS, PAGE, problem_of
from tests.http.scripted import NOW, CountingGate, Scripted, drop, reply


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


def test_proxies_share_the_limiter_of_the_key_that_they_carry(
    client: Client, upstream: Upstream, proxied: Upstream, scripted: Scripted, gate: CountingGate
) -> None:
    keyed = replace(proxied, key=upstream.key, auth=upstream.auth)
    scripted.steps = [reply(), reply(), reply(429), reply()]
    for _ in range(3):
        client.get(keyed, EVENTS, {"day": "2025-01-15"})
    assert len({seen.headers["proxy-authorization"] for seen in scripted.seen}) == 2
    assert gate.events == [
        *(f"{event} nba" for event in ("admit", "release") * 2),
        *("admit nba", "refused nba", "slow down nba 10", "admit nba", "release nba"),
    ]


def test_request_that_a_proxy_has_taken_may_have_arrived_when_it_hangs_up(
    client: Client, proxied: Upstream, scripted: Scripted, gate: CountingGate
) -> None:
    scripted.steps = [drop, reply()]
    client.get(proxied, EVENTS, {"day": "2025-01-15"})
    names = [address.name for address in addresses("nba", proxied.proxies)]
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
        message=f"nba: the only proxy is in cooldown after failures until {until:%F %T} UTC;"
        " `airflow nba resume nba` tries them at once",
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
