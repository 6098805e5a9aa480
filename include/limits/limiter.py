"""The rate limiter: exact by the upstream's clock, for any number of threads, processes and hosts,
through Postgres.

A window of N requests per W seconds has N places. A request takes the place that became free
longest ago, and a place is free again W seconds after the response headers of its last request
**arrived here**. A request reaches the upstream between its admission and those headers, so two
requests of one place are at least W apart at the upstream, however long the network held either; of
any N + 1 requests two share a place, so no sliding window holds N + 1. A request whose process died
counts as done ``request_timeout`` seconds after its admission. On top, admissions are W / N apart,
so there are no bursts. The places are kept as a list of requests, which lets the limits change
while it runs; the transactions themselves are SQL functions (include/ops/limiter.sql).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any

import psycopg

from include.ops.session import Session
from include.outcome import Later, Outcome
from include.sources.spec import Window

# A booked moment is given up when the process wakes up later than this: it had been stopped.
STALE = 1.0
_POLL = (0.02, 0.25)


@dataclass(kw_only=True)
class Admission:
    """The right to send one request now. Used as a context manager it is released at the end of the
    block."""

    limiter: Limiter = field(repr=False)
    name: str
    request_id: int
    moment: datetime
    waited: float
    closed: bool = False

    def release(self, *, ok: bool = True, ago: float = 0.0) -> None:
        """Call when the exchange is over. Its response headers had arrived ``ago`` seconds before;
        0 where there were none. ``ok``: it was not refused.

        Refused means 429 (or a block): successes after a pause shorten the next one. Calling twice
        does nothing.
        """
        if not self.closed:
            self.limiter._call(
                "SELECT ops.limiter_release(%s, %s, %s)",
                (self.request_id, ok, timedelta(seconds=ago)),
            )
            self.closed = True

    def refused(self, seconds: float = 0.0) -> datetime:
        """The answer was 429: release, and pause the limiter for everyone. ``seconds`` is
        Retry-After's, if any."""
        self.release(ok=False)
        return self.limiter.slow_down(self.name, seconds)

    def give_back(self) -> None:
        """Call when the request was surely not sent: its place is free at once."""
        if not self.closed:
            self.limiter._call(
                "DELETE FROM ops.limiter_requests WHERE request_id = %s", (self.request_id,)
            )
            self.closed = True

    def __enter__(self) -> Admission:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release(ok=error is None)


class Limiter:
    """Admits requests under the windows declared in ``rules`` (limiter name -> windows).

    ``session`` is the task's, shared with whoever else asks the database. ``request_timeout`` must
    exceed the client's bound on one request (connect + read time-outs, redirects) in seconds.
    """

    def __init__(
        self,
        session: Session,
        rules: Mapping[str, tuple[Window, ...]],
        *,
        request_timeout: float = 60.0,
        sleep: Callable[[float], None] = time.sleep,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._session = session
        self._rules = rules
        self._request_timeout = timedelta(seconds=request_timeout)
        self._sleep = sleep
        self._monotonic = monotonic

    def admit(self, name: str, *, max_wait: float) -> Admission:
        """Block until a request of limiter ``name`` may be sent, at most about ``max_wait``
        seconds.

        Raises Later when that does not suffice (nothing is booked then), Problem(STORAGE) when
        the database stays away: no database, no admission.
        """
        begun = self._monotonic()
        poll = _POLL[0]
        while True:
            patience = max(0.0, max_wait - (self._monotonic() - begun))
            request_id, wait, moment, unreleased = self._book(name, patience)
            if request_id is not None:
                self._sleep(max(0.0, wait))
                if self._confirmed(request_id):
                    waited = self._monotonic() - begun
                    return Admission(
                        limiter=self, name=name, request_id=request_id, moment=moment, waited=waited
                    )
            elif not unreleased or wait > patience or patience == 0.0:
                raise _full(name, moment)
            else:
                self._sleep(min(max(wait, poll), patience))
                poll = min(poll * 2, _POLL[1])

    def slow_down(self, name: str, seconds: float = 0.0) -> datetime:
        """Pause limiter ``name`` everywhere for ``seconds`` at least; returns the UTC moment when
        it goes on.

        Repeated refusals double the pause (2, 4, 8 ... 60 s); each success after it takes one
        doubling back.
        """
        until: datetime
        (until,) = self._call(
            "SELECT ops.limiter_slow_down(%s, %s)", (name, timedelta(seconds=seconds))
        )
        return until

    def _book(self, name: str, patience: float) -> Any:
        """Books the next moment that every window of the limiter allows, unless it lies more than
        ``patience`` seconds ahead: (request_id, wait, moment, unreleased), the first None then."""
        if name not in self._rules:
            raise KeyError(
                f"no windows are declared for the limiter {name!r}: known are {sorted(self._rules)}"
            )
        windows = self._rules[name]
        return self._call(
            "SELECT request_id, wait, moment, unreleased FROM ops.limiter_admit(%s, %s, %s,"
            " %s, %s)",
            (
                name,
                [window.limit for window in windows],
                [float(window.seconds) for window in windows],
                self._request_timeout,
                timedelta(seconds=patience),
            ),
        )

    def _confirmed(self, request_id: int) -> bool:
        """Whether the booked moment is still ours: a 429 may have taken it back, or this process
        was stopped."""
        return bool(
            self._call(
                "SELECT ops.limiter_confirm(%s, %s)", (request_id, timedelta(seconds=STALE))
            )[0]
        )

    def _call(self, statement: str, values: tuple[Any, ...]) -> Any:
        """One statement, one transaction, one round trip; safe to repeat.

        A booking whose answer was lost stays booked, unused, until ``request_timeout`` is over.
        """

        def work(connection: psycopg.Connection[Any]) -> Any:
            cursor = connection.execute(statement, values)
            return cursor.fetchone() if cursor.description else None

        return self._session.run(work)


def _full(name: str, until: datetime) -> Later:
    reason = f"the limiter of {name} is full until {until:%Y-%m-%d %H:%M:%S} UTC"
    return Later(until, reason, Outcome.QUOTA_WAIT)
