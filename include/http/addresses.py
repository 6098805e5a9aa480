"""The addresses that requests leave from: proxies taken in turn, each with a health of its own, and
a limiter of its own where there is no key."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Protocol

from include.errors import Problem

log = logging.getLogger(__name__)

# After so many failures in a row an address is left alone for so long; the probe's request must end
# within the cooldown.
MAX_FAILURES = 3
COOLDOWN = timedelta(minutes=5)


@dataclass(frozen=True, kw_only=True)
class Address:
    """Where a request leaves from. ``name`` is its health's: the connection, and for a proxy ``@``
    and eight hex. ``limiter`` is the same where the limit is one of addresses."""

    name: str
    limiter: str
    proxy: str | None = field(default=None, repr=False)


class Health(Protocol):
    """What is known of addresses by name, by all processes together (limits.health.SharedHealth).

    After MAX_FAILURES in a row an address is in cooldown, and then one probe decides.
    """

    def claim(self, name: str) -> bool:
        """True when the address may be used now; after a cooldown only the first claim (its
        probe) is granted."""

    def succeeded(self, name: str) -> None:
        """The address reached the upstream."""

    def failed(self, name: str) -> None:
        """The address was blocked, hung or could not connect."""

    def unused(self, name: str) -> None:
        """The claim was not used: no request was sent."""

    def cooldown_until(self, name: str) -> datetime | None:
        """When an address in cooldown may be probed (UTC); None while it is in none."""


def addresses(name: str, proxies: tuple[str, ...], *, keyed: bool = False) -> tuple[Address, ...]:
    """One address per proxy, or the one direct address without proxies.

    ``keyed``: requests carry a key, so that the limit is the key's, wherever they come from;
    without one an upstream can only count by address.

    The name is derived from user, host and port: the user tells apart the exits of one gateway, and
    the password, which must not be guessable from a name, stays out.
    """
    if not proxies:
        return (Address(name=name, limiter=name),)
    names = [f"{name}@{_fingerprint(proxy)}" for proxy in proxies]
    return tuple(
        Address(name=own, limiter=name if keyed else own, proxy=proxy)
        for own, proxy in zip(names, proxies, strict=True)
    )


def _fingerprint(proxy: str) -> str:
    userinfo, _, host = proxy.rpartition("://")[2].rpartition("@")
    return sha256(f"{userinfo.partition(':')[0]}@{host.rstrip('/')}".encode()).hexdigest()[:8]


class Rotation:
    """Takes healthy addresses in turn, from a random first one so that processes do not start on
    the same.

    Without ``health`` none is ever in cooldown. A direct address has no health: there is no other
    to go to.
    """

    def __init__(self, health: Health | None, random: Callable[[], float]) -> None:
        self._health, self._random = health, random
        self._turns: dict[str, int] = {}

    def pick(self, upstream: str, choice: tuple[Address, ...]) -> Address | None:
        """The next usable address, claimed; None when all are in cooldown."""
        if choice[0].proxy is None:
            return choice[0]
        turn = self._turns.setdefault(upstream, int(self._random() * len(choice)))
        for step in range(len(choice)):
            address = choice[(turn + step) % len(choice)]
            if self._health is None or self._health.claim(address.name):
                self._turns[upstream] = turn + step + 1
                return address
        return None

    def tell(self, address: Address, *, well: bool) -> None:
        """What a request through the address came to: ``well`` when it reached the upstream."""
        if self._health and address.proxy:
            _note(self._health.succeeded if well else self._health.failed, address)

    def give_back(self, address: Address) -> None:
        """A picked address through which nothing was sent."""
        if self._health and address.proxy:
            _note(self._health.unused, address)

    def free_at(self, choice: tuple[Address, ...]) -> datetime | None:
        """When the first of the addresses comes out of its cooldown (UTC); None when none is in
        one."""
        if self._health is None:
            return None
        untils = [self._health.cooldown_until(address.name) for address in choice]
        return min((until for until in untils if until), default=None)


def _note(result: Callable[[str], None], address: Address) -> None:
    """Health is advice: an answer that has come, and may be paid, is not given up because nobody
    notes it."""
    try:
        result(address.name)
    except Problem as problem:
        log.warning("%s: the proxy's health is not noted: %s", address.name, problem.message)
