"""The Odds API's monthly credits: billed per answer, reset on the 1st (UTC), told in every
response's headers."""

from __future__ import annotations

from collections import Counter
from datetime import datetime

from devstack.sandbox.exchange import Answer

# The one upstream that is paid by the call.
PAID = "the_odds_api"


class Credits:
    """What was used per calendar month of the upstream's clock."""

    def __init__(self, monthly: int) -> None:
        self.monthly = monthly
        self._used: Counter[tuple[int, int]] = Counter()

    def used(self, now: datetime) -> int:
        """Credits used since the 1st."""
        return self._used[now.year, now.month]

    def remaining(self, now: datetime) -> int:
        """Credits left until the next 1st; never negative."""
        return max(0, self.monthly - self.used(now))

    def bill(self, credits: int, now: datetime) -> None:
        """Adds what an answer costs."""
        self._used[now.year, now.month] += credits

    def headers(self, source: str, answer: Answer, now: datetime) -> dict[str, str]:
        """The three headers of a paid source's own responses, errors included; a key that is none
        has no account."""
        if source != PAID or answer.status >= 500 or not isinstance(answer.payload, dict | list):
            return {}
        if isinstance(answer.payload, dict) and answer.payload.get("error_code") in (
            "INVALID_KEY",
            "MISSING_KEY",
        ):
            return {}
        return {
            "x-requests-remaining": str(self.remaining(now)),
            "x-requests-used": str(self.used(now)),
            "x-requests-last": str(answer.billed),
        }
