"""The addresses that requests leave from: proxies taken in turn, each with a limiter name and a
health of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Protocol

# After so many failures in a row an address rests for so long; the probe's request must end within
# the rest.
STRIKES = 3
REST = timedelta(minutes=5)


@dataclass(frozen=True, kw_only=True)
class Address:
    """Where a request leaves from. ``name`` is the limiter's: the connection, and for a proxy ``@``
    and eight hex."""

    name: str
    proxy: str | None = field(default=None, repr=False)


class AllResting(Exception):
    """Every proxy of an upstream rests after failures; ``until``: the aware moment when the first
    may be probed."""

    def __init__(self, name: str, proxies: int, until: datetime) -> None:
        super().__init__(name, proxies, until)
        self.name, self.proxies, self.until = name, proxies, until

    def __str__(self) -> str:
        count = f"all {self.proxies} proxies rest" if self.proxies > 1 else "the only proxy rests"
        return f"{self.name}: {count} after failures until {self.until:%Y-%m-%d %H:%M:%S} UTC"


class Health(Protocol):
    """What is known of addresses by name: LocalHealth for one process, limits.health.SharedHealth
    for all of them."""

    def claim(self, name: str) -> bool:
        """True when the address may be used now; of a rested one only the first claim (its probe)
        is granted."""

    def succeeded(self, name: str) -> None:
        """The address reached the upstream."""

    def failed(self, name: str) -> None:
        """The address was blocked, hung or could not connect."""

    def unused(self, name: str) -> None:
        """The claim was not used: no request was sent."""

    def rests_until(self, name: str) -> datetime | None:
        """When a resting address may be probed (UTC); None while it is not resting."""


class LocalHealth:
    """Health in this process's memory: after ``strikes`` failures in a row ``rest``, then one probe
    decides."""

    def __init__(
        self, now: Callable[[], datetime], *, strikes: int = STRIKES, rest: timedelta = REST
    ) -> None:
        self._now, self._strikes, self._rest = now, strikes, rest
        self._failures: dict[str, int] = {}
        self._until: dict[str, datetime] = {}

    def claim(self, name: str) -> bool:
        if (until := self._until.get(name)) is None:
            return True
        if self._now() < until:
            return False
        # Resting again until the probe's result is in: a probe that is never heard of expires by
        # itself.
        self._until[name] = self._now() + self._rest
        return True

    def succeeded(self, name: str) -> None:
        self._failures.pop(name, None)
        self._until.pop(name, None)

    def failed(self, name: str) -> None:
        self._failures[name] = self._failures.get(name, 0) + 1
        if self._failures[name] >= self._strikes:
            self._until[name] = self._now() + self._rest

    def unused(self, name: str) -> None:
        if name in self._until:
            self._until[name] = self._now()

    def rests_until(self, name: str) -> datetime | None:
        return self._until.get(name)


def addresses(name: str, proxies: tuple[str, ...]) -> tuple[Address, ...]:
    """One address per proxy, or the one direct address without proxies.

    The name is derived from user, host and port: the user tells apart the exits of one gateway, and
    the password, which must not be guessable from a name, stays out.
    """
    if not proxies:
        return (Address(name=name),)
    return tuple(Address(name=f"{name}@{_fingerprint(proxy)}", proxy=proxy) for proxy in proxies)


def _fingerprint(proxy: str) -> str:
    userinfo, _, host = proxy.partition("://")[2].rpartition("@")
    return sha256(f"{userinfo.partition(':')[0]}@{host.rstrip('/')}".encode()).hexdigest()[:8]


class Rotation:
    """Takes healthy addresses in turn, from a random first one so that processes do not start on
    the same."""

    def __init__(self, health: Health, random: Callable[[], float]) -> None:
        self._health, self._random = health, random
        self._turns: dict[str, int] = {}

    def pick(self, upstream: str, choice: tuple[Address, ...]) -> Address | None:
        """The next usable address, claimed; None when all are resting. A direct address is always
        usable."""
        if choice[0].proxy is None:
            return choice[0]
        turn = self._turns.setdefault(upstream, int(self._random() * len(choice)))
        for step in range(len(choice)):
            address = choice[(turn + step) % len(choice)]
            if self._health.claim(address.name):
                self._turns[upstream] = turn + step + 1
                return address
        return None
