"""What the client asks before it sends: the limiter's and the credit ledger's side of a request, as
protocols."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol


class Admission(Protocol):
    """The right to send one request now."""

    def release(self, *, ok: bool = True, ago: float = 0.0) -> None:
        """The request has arrived at the upstream, or may have, so many seconds ago; ``ok``: it was
        not refused."""

    def give_back(self) -> None:
        """The request was surely not sent."""


class Gate(Protocol):
    """The shared limiter. ``name`` is a connection, or ``connection@hash`` for a proxy of one
    without a key."""

    def admit(self, name: str, *, max_wait: float) -> Admission:
        """Waits at most ``max_wait`` seconds for admission; beyond that raises Later."""

    def slow_down(self, name: str, seconds: float) -> datetime:
        """The upstream said 429: nobody is admitted under the name for so long at least. When it
        goes on (UTC)."""


class Reservation(Protocol):
    """Credits set aside for one request. One that is never closed (a killed worker) counts as
    spent."""

    def settle(self, *, cost: int, used: int | None, remaining: int | None) -> None:
        """The request cost so much; ``used`` and ``remaining`` are the upstream's own totals where
        it says them."""

    def refund(self) -> None:
        """The request was not sent, or costs nothing."""


class Meter(Protocol):
    """The ledger of a paid allowance."""

    def exhausted(self, name: str) -> None:
        """The upstream refused a request for want of credits: nothing is admitted until more can be
        there. May raise Later instead, where the refusal may be about the month before."""

    def reserve(self, name: str, cost: int) -> Reservation:
        """Sets ``cost`` credits of the connection aside. Where they are not there it raises Later,
        or Problem where they never will be."""
