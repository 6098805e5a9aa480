"""What one request holds while it is under way, its admission and the credits set aside, and how
both are closed."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

from include.failpoints import reach_failpoint
from include.http.admission import Admission, Reservation
from include.http.transport import Broken, Reply

MAX_DIGITS = 9

LAST, USED, REMAINING = CREDIT_HEADERS = (
    "x-requests-last",
    "x-requests-used",
    "x-requests-remaining",
)


@dataclass(frozen=True, kw_only=True)
class Head:
    """What came before the body: all that an exchange is closed by. ``arrived``: the upstream may
    have seen the request."""

    arrived: bool
    status: int
    headers: Mapping[str, str]
    headers_at: float

    @classmethod
    def of(cls, got: Reply | Broken) -> Head:
        return cls(
            arrived=isinstance(got, Reply) or got.arrived,
            status=got.status,
            headers=got.headers,
            headers_at=got.headers_at,
        )


@dataclass(frozen=True, kw_only=True)
class Exchange:
    """One request that may be sent. ``cost`` is the most credits it can cost."""

    cost: int
    admission: Admission
    reservation: Reservation | None

    def cost_of(self, got: Head) -> int:
        """The credits that it cost by what the headers say, if any came.

        A request that may have arrived may have been billed: counted so until the upstream's totals
        correct it.
        """
        if not got.arrived:
            return 0
        last = _number(got.headers.get(LAST, ""))
        if last is not None:
            return last
        # Refusals that do not say are free.
        return 0 if 400 <= got.status < 500 else self.cost

    def close(self, got: Head) -> None:
        """Tells the limiter and the ledger that it is over. Closing twice does nothing. Raises
        Problem while the database is away."""
        if not got.arrived:
            self.admission.give_back()
            if self.reservation:
                self.reservation.refund()
            return
        ago = time.monotonic() - got.headers_at if got.headers else 0.0
        self.admission.release(ok=got.status not in (403, 429), ago=ago)
        reach_failpoint("before settle")
        if self.reservation:
            used, remaining = (_number(got.headers.get(name, "")) for name in (USED, REMAINING))
            self.reservation.settle(cost=self.cost_of(got), used=used, remaining=remaining)


def _number(text: str) -> int | None:
    """A number of credits; None, as if nothing were said, for what no account can have (a column
    of the ledger holds 2,147,483,647)."""
    if text.isascii() and text.isdigit() and len(text) <= MAX_DIGITS:
        return int(text)
    return None
