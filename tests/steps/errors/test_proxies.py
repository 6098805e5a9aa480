"""Blocked and broken proxies, and the address that is direct."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from include.http.addresses import addresses
from include.limits.health import SharedHealth
from include.ops.session import Session
from tests.http.local_health import LocalHealth
from tests.steps.bench import NOW, Bench
from tests.steps.credentials import (
    ONE,
    TWO,
    broken_proxy,
    proxy,
)
from tests.steps.errors.cases import (
    DAY,
    GAMES,
    LOGS,
    PASSING,
    PLAYS,
    SCHEDULE,
    SOUND,
    UPSTREAM,
    changed,
    judged,
    named,
    strike,
)


def test_of_two_proxies_the_blocked_one_cools_down_and_the_other_goes_on(
    bench: Bench, tmp_path: Path
) -> None:
    strike(bench.sandbox, PLAYS, "block_page_403", address=ONE)
    health = LocalHealth(lambda: NOW)
    ended = bench.run(PLAYS, DAY, tmp_path, requests=GAMES + 3, health=health)
    assert judged(ended) == ("complete", "", GAMES + 3)
    assert ended.by_address == {ONE: 3, TWO: GAMES}
    assert in_cooldown(health, bench.upstreams["nba_cdn"].proxies) == [True, False]


def test_what_one_task_met_at_a_proxy_the_next_one_knows(bench: Bench, tmp_path: Path) -> None:
    strike(bench.sandbox, PLAYS, "block_page_403", address=ONE)
    with Session(bench.ops_db) as session:
        health = SharedHealth(session)
        first = bench.run(PLAYS, DAY, tmp_path / "first", requests=GAMES + 3, health=health)
    with Session(bench.ops_db) as session:
        health = SharedHealth(session)
        second = bench.run(
            PLAYS, DAY, tmp_path / "second", requests=GAMES, fresh=False, health=health
        )
    assert (judged(first), first.by_address) == (("complete", "", GAMES + 3), {ONE: 3, TWO: GAMES})
    assert (judged(second), second.by_address) == (("complete", "", GAMES), {TWO: GAMES})


@pytest.mark.parametrize("kind", ["", "block_page_403", "hang", "429"])
def test_of_a_direct_address_the_shared_health_is_neither_asked_nor_told(
    bench: Bench, tmp_path: Path, kind: str
) -> None:
    def unwanted(url: str, application_name: str) -> Any:
        raise AssertionError("a direct address was looked up")

    if kind:
        strike(bench.sandbox, LOGS, kind)
    ended = bench.run(
        LOGS,
        DAY,
        tmp_path,
        requests=4 if kind else SOUND[LOGS],
        upstreams=changed(bench, "nba_stats", proxies=()),
        read=0.3 if kind == "hang" else 10.0,
        health=SharedHealth(Session(bench.ops_db, connect=unwanted)),
    )
    assert (ended.error_class, ended.requests) == (
        PASSING.get(kind, ""),
        4 if kind else SOUND[LOGS],
    )


@pytest.mark.parametrize("how", ["refuses", "is dead"])
def test_of_two_proxies_a_broken_one_costs_no_request(
    bench: Bench, tmp_path: Path, how: str
) -> None:
    proxies = (broken_proxy(bench.sandbox, how), proxy(bench.sandbox, TWO))
    health = LocalHealth(lambda: NOW)
    ended = bench.run(
        PLAYS,
        DAY,
        tmp_path,
        requests=GAMES,
        upstreams=changed(bench, "nba_cdn", proxies=proxies),
        health=health,
    )
    assert judged(ended) == ("complete", "", GAMES)
    assert ended.by_address == {TWO: GAMES}
    assert in_cooldown(health, proxies) == [True, False]


@pytest.mark.parametrize("at", [SCHEDULE, LOGS, PLAYS], ids=named)
@pytest.mark.parametrize(
    ("how", "why"),
    [
        (
            "refuses",
            "the proxy refuses its credentials: check the proxies in the connection's extra",
        ),
        (
            "is dead",
            (
                "the proxy fails (ConnectionRefusedError: [Errno 111] Connection refused): check"
                " the proxies in the extra"
            ),
        ),
    ],
)
def test_with_broken_proxies_only_the_upstream_is_down(
    bench: Bench, tmp_path: Path, at: tuple[str, str], how: str, why: str
) -> None:
    name, one = UPSTREAM[at], broken_proxy(bench.sandbox, how)
    ended = bench.run(at, DAY, tmp_path, requests=0, upstreams=changed(bench, name, proxies=(one,)))
    assert judged(ended) == ("failed", "upstream_down", 0)
    assert ended.message == f"{name} through proxy {addresses(name, (one,))[0].name}: {why}"
    assert ended.retry_at is not None


@pytest.mark.parametrize(
    ("proxies", "requests"), [((), 4), ((ONE,), 3)], ids=["none", "one, in cooldown then"]
)
def test_a_block_is_met_with_no_or_one_proxy_too(
    bench: Bench, tmp_path: Path, proxies: tuple[str, ...], requests: int
) -> None:
    strike(bench.sandbox, LOGS, "block_page_200")
    found = tuple(proxy(bench.sandbox, user) for user in proxies)
    ended = bench.run(
        LOGS, DAY, tmp_path, requests=requests, upstreams=changed(bench, "nba_stats", proxies=found)
    )
    assert judged(ended) == ("failed", "blocked", requests)


def in_cooldown(health: LocalHealth, proxies: tuple[str, ...]) -> list[bool]:
    return [
        health.cooldown_until(address.name) is not None for address in addresses("nba_cdn", proxies)
    ]
