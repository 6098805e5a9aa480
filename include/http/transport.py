"""One exchange with an upstream over requests: sent once, read within bounds, its failures turned
into values."""

from __future__ import annotations

import ipaddress
import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlsplit

import requests
import urllib3

from include.errors import ErrorClass
from include.http.deadline import CuttableAdapter, Overdue, check_time, has_arrived, within
from include.redact import RedactingFilter, Redactor

_CHUNK = 64 * 1024
_URLLIB3_LOGGERS = tuple(
    f"urllib3.{name}" for name in ("connectionpool", "connection", "response", "util.retry")
)


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """Seconds to connect, between two pieces of an answer, and for a whole exchange, from the
    look-up of the host's name to the last byte; bytes of a decoded body."""

    connect: float = 5.0
    read: float = 30.0
    total: float = 45.0
    body: int = 64 * 1024 * 1024
    refusal: int = 64 * 1024
    """How much is read of a body whose status is not a success."""


@dataclass(frozen=True, kw_only=True)
class Reply:
    """An answer, read to its end; header names are in lower case. ``headers_at`` is the moment by
    this process's monotonic clock when they had come."""

    status: int
    headers: Mapping[str, str]
    headers_at: float
    body: bytes = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Broken:
    """No whole answer. ``arrived`` is False when the upstream cannot have seen the request;
    ``headers`` are those of an answer that broke off, and ``status`` its."""

    error_class: ErrorClass
    reason: str
    arrived: bool = True
    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    headers_at: float = 0.0


@dataclass(kw_only=True)
class _Answering:
    """What has come of an answer so far."""

    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    headers_at: float = 0.0

    def begin(self, response: requests.Response) -> None:
        self.headers = {name.lower(): value for name, value in response.headers.items()}
        self.headers_at = time.monotonic()
        self.status = response.status_code

    def broken(self, error_class: ErrorClass, reason: str, *, arrived: bool = True) -> Broken:
        return Broken(
            error_class=error_class,
            reason=reason,
            arrived=arrived,
            status=self.status,
            headers=self.headers,
            headers_at=self.headers_at,
        )


@dataclass(kw_only=True)
class Sent:
    """How many requests this process has sent to upstreams."""

    requests: int = 0


SENT = Sent()


class Transport:
    """Sends requests over kept connections. No retries, redirects, cookies or .netrc: what is sent
    is what was asked.

    Proxies and CA bundles of the environment hold as for every program, except towards this machine
    itself.
    """

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._adapter = CuttableAdapter()
        self._environment = requests.Session()

    def close(self) -> None:
        """Closes the kept connections."""
        for manager in (self._adapter.poolmanager, *self._adapter.proxy_manager.values()):
            # urllib3 2 closes a dropped pool when it is collected, which errors in reference cycles
            # put off.
            for key in manager.pools.keys():  # noqa: SIM118, no mapping: it refuses to be iterated
                manager.pools[key].close()
        self._adapter.close()
        self._environment.close()

    def send(
        self, url: str, headers: Mapping[str, str], proxy: str | None, redactor: Redactor
    ) -> Reply | Broken:
        """One GET, for as long as the bounds allow."""
        SENT.requests += 1
        answering = _Answering()
        try:
            return within(
                self._bounds.total,
                lambda: self._exchange(url, headers, proxy, redactor, answering),
            )
        except Overdue as overdue:
            return answering.broken(
                ErrorClass.HANG,
                f"the answer is not complete after {self._bounds.total:g} s",
                arrived=overdue.arrived,
            )

    def _exchange(
        self,
        url: str,
        headers: Mapping[str, str],
        proxy: str | None,
        redactor: Redactor,
        answering: _Answering,
    ) -> Reply | Broken:
        with _quiet(redactor):
            try:
                response = self._open(url, headers, proxy)
            except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
                # Returned, not raised: a chained exception would carry the URL and its key into
                # tracebacks.
                broken = _broken(error, redactor)
                # A proxy that hangs up after it has taken the request is an error of the proxy.
                return replace(broken, arrived=broken.arrived or has_arrived())
            try:
                check_time()
                answering.begin(response)
                return self._read(response, answering, redactor)
            finally:
                response.close()

    def _open(self, url: str, headers: Mapping[str, str], proxy: str | None) -> requests.Response:
        prepared = requests.Request(
            "GET", url, headers={**requests.utils.default_headers(), **headers}
        ).prepare()
        proxies = {"http": proxy, "https": proxy} if proxy else {}
        settings: Mapping[str, Any] = {"proxies": proxies, "verify": True, "cert": None}
        if not _is_loopback(url):
            settings = self._environment.merge_environment_settings(
                str(prepared.url), proxies, True, True, None
            )
        timeout = (self._bounds.connect, self._bounds.read)
        return self._adapter.send(prepared, timeout=timeout, **{**settings, "stream": True})

    def _read(
        self, response: requests.Response, answering: _Answering, redactor: Redactor
    ) -> Reply | Broken:
        # A body is bounded in bytes while it comes. A refusal's is only read for its message: cut
        # off or too long, it is as good.
        body, sound = bytearray(), 200 <= answering.status < 300
        most = self._bounds.body if sound else self._bounds.refusal
        try:
            for chunk in _chunks(response.raw):
                body += chunk
                if len(body) > most:
                    break
        except urllib3.exceptions.HTTPError as error:
            if sound:
                cut = _broken(error, redactor)
                return answering.broken(cut.error_class, f"the body is cut off: {cut.reason}")
        if sound and len(body) > most:
            return answering.broken(
                ErrorClass.SCHEMA_DRIFT,
                f"the body is larger than {most} bytes, which no day of this data is",
            )
        return Reply(
            status=answering.status,
            headers=answering.headers,
            headers_at=answering.headers_at,
            body=bytes(body[:most]),
        )


def _chunks(raw: urllib3.HTTPResponse) -> Iterator[bytes]:
    # read1 returns what one read of the socket brings: read() would wait for a full chunk of a
    # trickling answer.
    while chunk := raw.read1(_CHUNK, decode_content=True):
        yield chunk


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@contextmanager
def _quiet(redactor: Redactor) -> Iterator[None]:
    """Redacts urllib3's own log lines, which hold paths and queries; a filter works only on the
    logger itself."""
    redacting = RedactingFilter(redactor)
    loggers = [logging.getLogger(name) for name in _URLLIB3_LOGGERS]
    for logger in loggers:
        logger.addFilter(redacting)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeFilter(redacting)


def _broken(error: Exception, redactor: Redactor) -> Broken:
    causes = _causes(error)
    # The innermost one: the outer messages repeat it together with URLs and object addresses.
    why = redactor.text(f"{type(causes[-1]).__name__}: {causes[-1]}")[:200]
    match error:
        case requests.exceptions.ReadTimeout() | urllib3.exceptions.ReadTimeoutError():
            return Broken(
                error_class=ErrorClass.HANG,
                reason="connected, but nothing came before the read time-out: rerun the date later",
            )
        case requests.exceptions.ConnectTimeout():
            return Broken(
                error_class=ErrorClass.UPSTREAM_DOWN,
                reason="no connection before the time-out: check the connection's host",
                arrived=False,
            )
        case requests.exceptions.ProxyError():
            return Broken(
                error_class=ErrorClass.UPSTREAM_DOWN,
                reason=f"the proxy fails ({why}): check the proxies in the extra",
                arrived=False,
            )
        case requests.exceptions.ConnectionError() | urllib3.exceptions.HTTPError():
            arrived = not any(
                isinstance(cause, urllib3.exceptions.NewConnectionError) for cause in causes
            )
            return Broken(
                error_class=ErrorClass.UPSTREAM_DOWN,
                reason=f"connection lost ({why}): rerun the date later",
                arrived=arrived,
            )
        case _:
            # InvalidURL, InvalidSchema, InvalidHeader and their like: requests refused to send it.
            return Broken(
                error_class=ErrorClass.INTERNAL,
                reason=(
                    f"the request cannot be sent: {type(error).__name__}; check the connection's"
                    " host and proxies"
                ),
                arrived=False,
            )


def _causes(error: BaseException) -> list[BaseException]:
    """The error and what caused it, outermost first: urllib3 keeps causes in ``reason`` and in
    ``args`` too."""
    causes = [error]
    while True:
        outer = causes[-1]
        inner = (getattr(outer, "reason", None), *outer.args, outer.__cause__, outer.__context__)
        found = next((e for e in inner if isinstance(e, BaseException) and e not in causes), None)
        if found is None:
            return causes
        causes.append(found)
