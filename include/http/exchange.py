"""What one request holds while it is under way, its admission and the credits set aside, and how
both are closed."""

from __future__ import annotations

import time
from dataclasses import dataclass

from include.failpoints import reach_failpoint
from include.http.admission import Admission, Reservation
from include.http.transport import Broken, Reply

CREDIT_HEADERS = ("x-requests-last", "x-requests-used", "x-requests-remaining")


@dataclass(frozen=True, kw_only=True)
class Exchange:
    """One request that may be sent. ``cost`` is the most credits it can cost."""

    cost: int
    admission: Admission
    reservation: Reservation | None

    def end(self, got: Reply | Broken) -> int:
        """The exchange is over: closes the admission, and the reservation by what the headers say,
        if any came. The credits that it cost.

        A request that may have arrived may have been billed: counted so until the upstream's totals
        correct it.
        """
        if not has_arrived(got):
            self.admission.give_back()
            if self.reservation:
                self.reservation.refund()
            return 0
        ago = time.monotonic() - got.headers_at if got.headers else 0.0
        self.admission.release(ok=got.status not in (403, 429), ago=ago)
        reach_failpoint("before settle")
        last, used, remaining = (_number(got.headers.get(name, "")) for name in CREDIT_HEADERS)
        if last is None:
            # Refusals that do not say are free.
            last = 0 if 400 <= got.status < 500 else self.cost
        if self.reservation:
            self.reservation.settle(cost=last, used=used, remaining=remaining)
        return last


def has_arrived(got: Reply | Broken) -> bool:
    """Whether the upstream may have seen the request."""
    return isinstance(got, Reply) or got.arrived


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() else None
