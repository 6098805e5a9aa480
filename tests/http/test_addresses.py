from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from include.http.addresses import Address, Rotation, addresses
from tests.http.local_health import LocalHealth

PROXIES = (
    "http://user-1:pw@gate.test:7000",
    "http://user-2:pw@gate.test:7000",
    "http://user-3:pw@gate.test:7000",
)


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2025, 3, 10, 12, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def pass_by(self, **amount: float) -> None:
        self.now += timedelta(**amount)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def health(clock: Clock) -> LocalHealth:
    return LocalHealth(clock)


def turns(rotation: Rotation, choice: tuple[Address, ...], number: int) -> list[int | None]:
    picked = [rotation.pick("nba", choice) for _ in range(number)]
    return [choice.index(address) if address else None for address in picked]


def test_without_proxies_the_one_address_is_the_connection() -> None:
    assert addresses("nba_stats", ()) == (Address(name="nba_stats", limiter="nba_stats"),)


def test_name_of_a_proxy_has_its_exit_in_it_but_no_credentials() -> None:
    first, second, third = addresses("nba_stats", PROXIES)
    other_password = addresses("nba_stats", ("http://user-1:other@gate.test:7000/",))[0]
    assert first.name == other_password.name
    assert len({first.name, second.name, third.name}) == 3
    assert [len(each.name) for each in (first, second, third)] == [len("nba_stats@") + 8] * 3
    assert repr(first) == f"Address(name='{first.name}', limiter='{first.name}')"


def test_limit_of_a_key_is_one_wherever_requests_come_from() -> None:
    keyed = addresses("odds", PROXIES, keyed=True)
    assert [each.limiter for each in keyed] == ["odds"] * 3
    assert [each.name for each in keyed] == [each.name for each in addresses("odds", PROXIES)]


def test_proxies_without_schemes_are_told_apart_like_those_with_them() -> None:
    bare = tuple(proxy.partition("://")[2] for proxy in PROXIES)
    named = [each.name for each in addresses("nba_stats", PROXIES)]
    assert [each.name for each in addresses("nba_stats", bare)] == named
    assert len(set(named)) == 3


def test_addresses_take_turns_from_a_random_first(health: LocalHealth) -> None:
    choice = addresses("nba", PROXIES)
    assert turns(Rotation(health, lambda: 0.0), choice, 4) == [0, 1, 2, 0]
    assert turns(Rotation(health, lambda: 0.99), choice, 4) == [2, 0, 1, 2]


def test_three_failures_cool_an_address_down_for_five_minutes_then_one_probe_decides(
    health: LocalHealth, clock: Clock
) -> None:
    choice = addresses("nba", PROXIES[:2])
    rotation = Rotation(health, lambda: 0.0)
    for _ in range(3):
        health.failed(choice[0].name)
    assert turns(rotation, choice, 3) == [1, 1, 1]
    clock.pass_by(minutes=5)
    assert turns(rotation, choice, 3) == [0, 1, 1]  # one probe, until it is heard of
    health.failed(choice[0].name)
    assert turns(rotation, choice, 2) == [1, 1]
    clock.pass_by(minutes=5)
    assert turns(rotation, choice, 1) == [0]
    health.succeeded(choice[0].name)
    assert turns(rotation, choice, 4) == [1, 0, 1, 0]


def test_success_ends_a_row_of_failures(health: LocalHealth) -> None:
    for outcome in ("failed", "failed", "succeeded", "failed", "failed"):
        getattr(health, outcome)("nba@1")
    assert health.claim("nba@1") is True


def test_all_in_cooldown_is_none_and_says_until_when(health: LocalHealth, clock: Clock) -> None:
    choice = addresses("nba", PROXIES[:1])
    for _ in range(3):
        health.failed(choice[0].name)
    assert turns(Rotation(health, lambda: 0.0), choice, 1) == [None]
    assert health.cooldown_until(choice[0].name) == clock.now + timedelta(minutes=5)


def test_unused_probe_is_free_for_the_next(health: LocalHealth, clock: Clock) -> None:
    for _ in range(3):
        health.failed("nba@1")
    clock.pass_by(minutes=5)
    assert [health.claim("nba@1"), health.claim("nba@1")] == [True, False]
    health.unused("nba@1")
    assert health.claim("nba@1") is True


def test_direct_address_is_never_in_cooldown(health: LocalHealth) -> None:
    for _ in range(3):
        health.failed("nba")
    (direct,) = addresses("nba", ())
    assert Rotation(health, lambda: 0.0).pick("nba", (direct,)) is direct
