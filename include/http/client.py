"""The one HTTP client: admission, credits, rotation of addresses and the one retry policy around
single exchanges."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Self

from tenacity import Retrying, retry_if_result, stop_after_attempt

from include.errors import RETRIED, ErrorClass, Problem
from include.failpoints import reach
from include.http.addresses import Address, AllResting, Health, LocalHealth, Rotation, addresses
from include.http.admission import Admission, Gate, Meter, Reservation
from include.http.classify import Verdict, classify
from include.http.redact import Redactor
from include.http.transport import Bounds, Broken, Reply, Transport
from include.http.upstream import Request, Upstream, prepare
from include.sources.spec import Get

log = logging.getLogger(__name__)

_KEPT_HEADERS = ("content-type", "date", "etag", "last-modified")
_CREDIT_HEADERS = ("x-requests-last", "x-requests-used", "x-requests-remaining")


@dataclass(frozen=True, kw_only=True)
class Policy:
    """The retry policy: seconds, except ``requests``, the most that one Get may cost in all.

    ``backoff`` doubles from retry to retry up to ``backoff_most``; ``slow_down`` is the first one
    after a 429 without Retry-After (10 + 20 + 40 s outlast a window of a minute). A longer
    Retry-After than ``retry_after_most`` is left to the caller as the Problem's ``retry_at``.
    ``max_wait`` is how long a worker may wait for admission.
    """

    requests: int = 4
    backoff: float = 1.0
    backoff_most: float = 30.0
    slow_down: float = 10.0
    retry_after_most: float = 60.0
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
    manager."""

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
        self._health: Health = health or LocalHealth(now)
        self._rotation = Rotation(self._health, random)
        self._sleep, self._random, self._now = sleep, random, now
        self.requests = self.credits = 0
        """What this client has asked and paid so far, whatever came of it."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the kept connections."""
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

        Raises Problem, which names ``endpoint`` and ``day``, AllResting where no proxy may be used
        now, and lets through what gate and meter raise to defer.
        """
        call = _Call(upstream=upstream, get=get, values=values, endpoint=endpoint, day=day)
        # The only place that asks an upstream again. Airflow's retries are for lost workers,
        # requests' own are off: layers multiply (8 outer x 4 inner made 36 requests of one failing
        # call elsewhere).
        retrying = Retrying(
            retry=retry_if_result(
                lambda result: isinstance(result, _Failure) and result.wait is not None
            ),
            stop=stop_after_attempt(self._policy.requests),
            wait=lambda state: state.outcome.result().wait,
            retry_error_callback=lambda state: state.outcome.result(),
            sleep=self._sleep,
        )
        result = retrying(self._attempt, call)
        if isinstance(result, _Failure):
            raise result.problem
        return result

    def _attempt(self, call: _Call) -> Answer | _Failure:
        call.attempts += 1
        upstream = call.upstream
        try:
            request = prepare(
                upstream, call.get, call.values
            )  # anew each time: a token may have expired meanwhile
        except Problem as problem:
            if problem.error_class not in RETRIED:
                raise
            return _Failure(problem=problem, wait=self._backoff(call.attempts))  # no token now
        choice = addresses(upstream.name, upstream.proxies)
        address = self._rotation.pick(upstream.name, choice)
        if address is None:
            return self._all_resting(call, choice)
        admission, reservation = self._admitted(address, upstream, request)
        billed: int | None = None

        def on_headers(status: int, headers: Mapping[str, str]) -> None:
            nonlocal billed
            admission.release(ok=status not in (403, 429))
            reach("before settle")
            billed = _bill(request.cost, status, headers, reservation)

        got: Reply | Broken | None = None
        try:
            got = self._transport.send(
                request.url, request.headers, address.proxy, request.redactor, on_headers
            )
        finally:
            if billed is None and isinstance(got, Broken) and not got.arrived:
                admission.give_back()
            elif billed is None:
                admission.release()
        if billed is None:
            billed = _bill_unanswered(request.cost, got, reservation)
        arrived = isinstance(got, Reply) or got.arrived
        call.requests, self.requests = call.requests + arrived, self.requests + arrived
        call.credits, self.credits = call.credits + billed, self.credits + billed
        return self._judged(call, request, address, got)

    def _admitted(
        self, address: Address, upstream: Upstream, request: Request
    ) -> tuple[Admission, Reservation | None]:
        reservation = None
        try:
            if request.cost and self._meter:
                reach("before reserve")
                reservation = self._meter.reserve(upstream.name, request.cost)
                reach("after reserve")
            return self._gate.admit(address.name, max_wait=self._policy.max_wait), reservation
        except BaseException:
            if reservation:
                reservation.refund()
            if address.proxy:
                self._health.unused(address.name)
            raise

    def _judged(
        self, call: _Call, request: Request, address: Address, got: Reply | Broken
    ) -> Answer | _Failure:
        if isinstance(got, Broken):
            verdict: Verdict | None = Verdict(error_class=got.error_class, reason=got.reason)
        else:
            verdict = classify(
                status=got.status,
                headers=got.headers,
                body=got.body,
                accept=call.get.accept,
                now=self._now(),
            )
        if address.proxy:
            if _is_the_address(got, verdict):
                self._tell(self._health.failed, address)
            else:
                self._tell(self._health.succeeded, address)
        if verdict:
            return self._failed(call, request, address, got, verdict)
        return Answer(
            body=got.body,
            url=request.shown_url,
            status=got.status,
            headers={
                name: got.headers[name]
                for name in (*_KEPT_HEADERS, *_CREDIT_HEADERS)
                if name in got.headers
            },
            requests_made=call.requests,
            credits=call.credits,
        )

    def _failed(
        self, call: _Call, request: Request, address: Address, got: Reply | Broken, verdict: Verdict
    ) -> _Failure:
        wait = verdict.retry_after or self._backoff(call.attempts)
        retry_at = self._now() + timedelta(seconds=wait) if verdict.retry_after else None
        if limited := verdict.error_class is ErrorClass.RATE_LIMITED:
            doubled = min(
                self._policy.retry_after_most, self._policy.slow_down * 2 ** (call.attempts - 1)
            )
            wait = verdict.retry_after or doubled
            retry_at = self._gate.slow_down(address.name, wait)
        if verdict.error_class is ErrorClass.QUOTA_EXHAUSTED and request.cost and self._meter:
            # On the day of the reset this raises what defers the task: no failure, whatever the
            # refusal says.
            self._meter.exhausted(call.upstream.name)
        again = verdict.error_class in RETRIED and wait <= self._policy.retry_after_most
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
        if again and call.attempts < self._policy.requests:
            log.warning(
                "%s; request %d of %d in %.1f s",
                problem,
                call.attempts + 1,
                self._policy.requests,
                wait,
            )
        if again and limited:
            wait = 0.0  # the gate holds everybody back, this client too
        return _Failure(problem=problem, wait=wait if again else None)

    def _tell(self, result: Callable[[str], None], address: Address) -> None:
        """Health is advice: an answer that has come, and may be paid, is not given up because
        nobody notes it."""
        try:
            result(address.name)
        except Problem as problem:
            log.warning("%s: the proxy's health is not noted: %s", address.name, problem.message)

    def _all_resting(self, call: _Call, choice: tuple[Address, ...]) -> _Failure:
        call.attempts -= 1
        rests = [until for address in choice if (until := self._health.rests_until(address.name))]
        if call.last is None:
            raise AllResting(call.upstream.name, len(choice), min(rests, default=self._now()))
        # What this call itself met says more than that everybody is resting.
        call.last.retry_at = min(rests, default=None)
        return _Failure(problem=call.last, wait=None)

    def _backoff(self, attempt: int) -> float:
        longest = min(self._policy.backoff_most, self._policy.backoff * 2 ** (attempt - 1))
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


def _bill(
    most: int, status: int, headers: Mapping[str, str], reservation: Reservation | None
) -> int:
    """Books what the answer says it cost; refusals that do not say are free. The credits."""
    last, used, remaining = (_number(headers.get(name, "")) for name in _CREDIT_HEADERS)
    if last is None:
        last = 0 if 400 <= status < 500 else most
    if reservation:
        reservation.settle(cost=last, used=used, remaining=remaining)
    return last


def _bill_unanswered(most: int, got: Broken, reservation: Reservation | None) -> int:
    """A request that may have arrived may have been billed: counted so until the upstream's totals
    correct it."""
    if reservation and got.arrived:
        reservation.settle(cost=most, used=None, remaining=None)
    elif reservation:
        reservation.refund()
    return most if got.arrived else 0


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() else None
