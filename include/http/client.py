"""The one HTTP client: admission, credits, rotation of addresses and the one retry policy around
single exchanges."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Self

from include.errors import RETRIED, ErrorClass, Problem
from include.failpoints import reach_failpoint
from include.http.addresses import Address, Health, Rotation
from include.http.admission import Gate, Meter
from include.http.classify import Verdict, classify
from include.http.exchange import CREDIT_HEADERS, Exchange, Head
from include.http.transport import Bounds, Broken, Reply, Transport
from include.http.upstream import Request, Upstream, prepare
from include.redact import Redactor
from include.sources.spec import Get

log = logging.getLogger(__name__)

_KEPT_HEADERS = ("content-type", "date", "etag", "last-modified", *CREDIT_HEADERS)


@dataclass(frozen=True, kw_only=True)
class Policy:
    """The retry policy: seconds, except ``max_requests``, the most that one Get may cost in all.

    ``backoff`` doubles from retry to retry up to ``max_backoff``; ``slow_down`` is the first one
    after a 429 without Retry-After (10 + 20 + 40 s outlast a window of a minute). A longer
    Retry-After than ``max_retry_after`` is left to the caller as the Problem's ``retry_at``.
    ``max_wait`` is how long a worker may wait for admission.
    """

    max_requests: int = 4
    backoff: float = 1.0
    max_backoff: float = 30.0
    slow_down: float = 10.0
    max_retry_after: float = 60.0
    max_wait: float = 60.0


_POLICY = Policy()
_BOUNDS = Bounds()


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A sound answer. ``requests_made`` counts what it took in all, ``credits`` what that cost; the
    URL is redacted."""

    body: bytes = field(repr=False)
    url: str
    status: int
    headers: Mapping[str, str]
    requests_made: int
    credits: int


@dataclass(frozen=True, kw_only=True)
class _Failure:
    """``wait`` is the seconds until the next request; None when there may be none."""

    problem: Problem
    wait: float | None


@dataclass(kw_only=True)
class _Call:
    """One ``get`` with what it has used up so far."""

    upstream: Upstream
    get: Get
    values: Mapping[str, str]
    endpoint: str
    day: date | None
    attempts: int = 0
    requests: int = 0
    credits: int = 0
    last: Problem | None = None


class Client:
    """GETs from upstreams, within their limits. For one thread; close it, or use it as a context
    manager.

    Without ``health`` every proxy is taken in its turn, whatever was met there.
    """

    def __init__(
        self,
        gate: Gate,
        *,
        meter: Meter | None = None,
        policy: Policy = _POLICY,
        bounds: Bounds = _BOUNDS,
        health: Health | None = None,
        sleep: Callable[[float], None] = time.sleep,
        random: Callable[[], float] = random.random,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._gate, self._meter, self._policy = gate, meter, policy
        self._transport = Transport(bounds)
        self._rotation = Rotation(health, random)
        self._sleep, self._random, self._now = sleep, random, now
        self._open: list[tuple[Exchange, Head]] = []
        self.requests = self.credits = 0
        """What this client has asked and paid so far, whatever came of it."""
        self.waited = 0.0
        """Seconds for which it has waited for a place in a limit, or until it might ask again."""
        self.on_paid: Callable[[], None] | None = None
        """Called after each request that can cost credits and is settled."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Settles what is not settled yet, and closes the kept connections."""
        self._settle()
        self._transport.close()

    def get(
        self,
        upstream: Upstream,
        get: Get,
        values: Mapping[str, str],
        *,
        endpoint: str = "",
        day: date | None = None,
    ) -> Answer:
        """The answer to the Get filled from ``values``.

        Raises Problem, which names ``endpoint`` and ``day`` and, where it says when to ask again,
        ``retry_at``; lets through the Later that gate and meter raise.
        """
        call = _Call(upstream=upstream, get=get, values=values, endpoint=endpoint, day=day)
        # The only place that asks an upstream again. Airflow's retries are for lost workers,
        # requests' own are off: layers multiply (8 outer x 4 inner made 36 requests of one failing
        # call elsewhere).
        while True:
            result = self._attempt(call)
            if isinstance(result, Answer):
                return result
            if result.wait is None or call.attempts >= self._policy.max_requests:
                raise result.problem
            with self._waiting():
                self._sleep(result.wait)

    @contextmanager
    def _waiting(self) -> Iterator[None]:
        began = time.monotonic()
        try:
            yield
        finally:
            self.waited += time.monotonic() - began

    def _attempt(self, call: _Call) -> Answer | _Failure:
        """One request at most."""
        upstream = call.upstream
        try:
            # Anew each time: a token may have expired meanwhile.
            request = prepare(upstream, call.get, call.values)
        except Problem as problem:
            if problem.error_class not in RETRIED:
                raise
            call.attempts += 1
            return _Failure(problem=problem, wait=self._backoff(call.attempts))  # no token now
        choice = upstream.addresses
        address = self._rotation.pick(upstream.name, choice)
        if address is None:
            return self._no_address(call, request, choice)
        call.attempts += 1
        got = self._send(call, request, address)
        return self._judge(call, request, address, got)

    def _send(self, call: _Call, request: Request, address: Address) -> Reply | Broken:
        """One exchange, counted and settled, as far as our database lets it be."""
        exchange = self._admit(address, call.upstream, request)
        try:
            got = self._transport.send(
                request.url, request.headers, address.proxy, request.redactor
            )
        except BaseException:
            exchange.admission.release()
            raise
        head = Head.of(got)
        credits = exchange.cost_of(head)
        call.requests, self.requests = call.requests + head.arrived, self.requests + head.arrived
        call.credits, self.credits = call.credits + credits, self.credits + credits
        self._open.append((exchange, head))
        self._settle()
        if request.cost and self.on_paid and not self._open:
            self.on_paid()
        return got

    def _settle(self) -> None:
        """Closes the exchanges that are over. While our database is away they stay open, and are
        closed with the next request or at the end: an answer that has come, and may be paid, is not
        given up for it.

        One that is never closed counts as under way until its time is over, and as paid.
        """
        while self._open:
            exchange, head = self._open[0]
            try:
                exchange.close(head)
            except Problem as problem:
                log.warning("exchanges to be settled later: %d; %s", len(self._open), problem)
                return
            self._open.pop(0)

    def _admit(self, address: Address, upstream: Upstream, request: Request) -> Exchange:
        """Credits first, then the limiter: where the credits do not suffice, no place in the
        limiter's window is taken for nothing. Whatever stops the request gives back what was taken
        before."""
        reservation = None
        self._settle()
        try:
            if request.cost and self._meter:
                reach_failpoint("before reserve")
                reservation = self._meter.reserve(upstream.name, request.cost)
                reach_failpoint("after reserve")
            with self._waiting():
                admission = self._gate.admit(address.limiter, max_wait=self._policy.max_wait)
        except BaseException:
            if reservation:
                reservation.refund()
            self._rotation.give_back(address)
            raise
        return Exchange(cost=request.cost, admission=admission, reservation=reservation)

    def _judge(
        self, call: _Call, request: Request, address: Address, got: Reply | Broken
    ) -> Answer | _Failure:
        # A status of 200 proves nothing: block pages and cut bodies have it too, so what came is
        # classified by its content before the address counts as well.
        if isinstance(got, Broken):
            broken = Verdict(error_class=got.error_class, reason=got.reason)
            return self._fail(call, request, address, got, broken)
        verdict = classify(
            status=got.status,
            headers=got.headers,
            body=got.body,
            accept=call.get.accept,
            now=self._now(),
        )
        if verdict:
            return self._fail(call, request, address, got, verdict)
        self._rotation.tell(address, well=True)
        return Answer(
            body=got.body,
            url=request.shown_url,
            status=got.status,
            headers={name: got.headers[name] for name in _KEPT_HEADERS if name in got.headers},
            requests_made=call.requests,
            credits=call.credits,
        )

    def _fail(
        self, call: _Call, request: Request, address: Address, got: Reply | Broken, verdict: Verdict
    ) -> _Failure:
        self._rotation.tell(address, well=not _is_the_address(got, verdict))
        if verdict.error_class is ErrorClass.QUOTA_EXHAUSTED and request.cost and self._meter:
            # On the day of the reset this raises Later: no failure, whatever the refusal says.
            self._meter.exhausted(call.upstream.name)
        limited = verdict.error_class is ErrorClass.RATE_LIMITED
        wait = verdict.retry_after or self._pause(call.attempts, limited=limited)
        retry_at = self._now() + timedelta(seconds=wait) if verdict.retry_after else None
        if limited:
            retry_at = self._gate.slow_down(address.limiter, wait)
        via = f" through proxy {address.name}" if address.proxy else ""
        problem = call.last = self._problem(
            call,
            request,
            error_class=verdict.error_class,
            message=request.redactor.text(f"{call.upstream.name}{via}: {verdict.reason}"),
            status=got.status,
            body_line=_first_line(got.body, request.redactor) if isinstance(got, Reply) else "",
            retry_at=retry_at,
        )
        if verdict.error_class not in RETRIED or wait > self._policy.max_retry_after:
            return _Failure(problem=problem, wait=None)
        if call.attempts < self._policy.max_requests:
            next_, most = call.attempts + 1, self._policy.max_requests
            log.warning("%s; request %d of %d in %.1f s", problem, next_, most, wait)
        # After a 429 the gate holds everybody back, this client too.
        return _Failure(problem=problem, wait=0.0 if limited else wait)

    def _no_address(self, call: _Call, request: Request, choice: tuple[Address, ...]) -> _Failure:
        until = self._rotation.free_at(choice)
        if call.last is None:
            proxies = "the only proxy is" if len(choice) == 1 else f"all {len(choice)} proxies are"
            until = until or self._now()
            call.last = self._problem(
                call,
                request,
                error_class=ErrorClass.BLOCKED,
                message=(
                    f"{call.upstream.name}: {proxies} in cooldown after failures until"
                    f" {until:%Y-%m-%d %H:%M:%S} UTC; `airflow nba resume"
                    f" {call.upstream.name}` tries them at once"
                ),
            )
        # What this call itself met says more than that everybody is in cooldown.
        call.last.retry_at = until
        return _Failure(problem=call.last, wait=None)

    def _pause(self, attempt: int, *, limited: bool) -> float:
        """Seconds until the next request where the upstream does not say."""
        if limited:
            return min(self._policy.max_retry_after, _doubled(self._policy.slow_down, attempt))
        return self._backoff(attempt)

    def _backoff(self, attempt: int) -> float:
        longest = min(self._policy.max_backoff, _doubled(self._policy.backoff, attempt))
        return longest * (0.5 + self._random() / 2)

    def _problem(
        self,
        call: _Call,
        request: Request,
        *,
        error_class: ErrorClass,
        message: str,
        status: int = 0,
        body_line: str = "",
        retry_at: datetime | None = None,
    ) -> Problem:
        return Problem(
            error_class=error_class,
            message=message,
            source=call.upstream.name,
            endpoint=call.endpoint,
            day=call.day,
            url=request.shown_url,
            status=status,
            attempt=call.attempts,
            body_line=body_line,
            retry_at=retry_at,
        )


def _doubled(seconds: float, attempt: int) -> float:
    return seconds * float(2 ** (attempt - 1))


def _first_line(body: bytes, redactor: Redactor) -> str:
    """The first line of a body that says anything, redacted, at most 200 characters."""
    text = redactor.text(body[:4096].decode("utf-8", "replace"))
    line = next((line.strip() for line in text.splitlines() if line.strip()), "")
    return "".join(letter for letter in line if letter.isprintable())[:200]


def _is_the_address(got: Reply | Broken, verdict: Verdict | None) -> bool:
    """Whether another address might have fared better."""
    if verdict is None or verdict.error_class is ErrorClass.RATE_LIMITED:
        return False
    return isinstance(got, Broken) or got.status == 407 or verdict.error_class is ErrorClass.BLOCKED
