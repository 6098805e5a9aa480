"""What one request holds while it is under way, its admission and the credits set aside, and how
both are closed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from include.failpoints import reach_failpoint
from include.http.admission import Admission, Reservation
from include.http.transport import Broken, Reply

CREDIT_HEADERS = ("x-requests-last", "x-requests-used", "x-requests-remaining")


@dataclass(kw_only=True)
class Exchange:
    """One request that may be sent. ``cost`` is the most credits it can cost; ``credits``, once it
    is known, what it did cost."""

    cost: int
    admission: Admission
    reservation: Reservation | None
    credits: int | None = None

    def note_headers(self, status: int, headers: Mapping[str, str]) -> None:
        """Status and headers are in: the request has arrived, and they say what it cost."""
        self.admission.release(ok=status not in (403, 429))
        reach_failpoint("before settle")
        last, used, remaining = (_number(headers.get(name, "")) for name in CREDIT_HEADERS)
        if last is None:
            # Refusals that do not say are free.
            last = 0 if 400 <= status < 500 else self.cost
        if self.reservation:
            self.reservation.settle(cost=last, used=used, remaining=remaining)
        self.credits = last

    def end(self, got: Reply | Broken) -> int:
        """The exchange is over; closes what no headers have closed. The credits that it cost.

        A request that may have arrived may have been billed: counted so until the upstream's totals
        correct it.
        """
        if self.credits is not None:
            return self.credits
        arrived = has_arrived(got)
        if arrived:
            self.admission.release()
        else:
            self.admission.give_back()
        if self.reservation and arrived:
            self.reservation.settle(cost=self.cost, used=None, remaining=None)
        elif self.reservation:
            self.reservation.refund()
        return self.cost if arrived else 0


def has_arrived(got: Reply | Broken) -> bool:
    """Whether the upstream may have seen the request."""
    return isinstance(got, Reply) or got.arrived


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() else None
