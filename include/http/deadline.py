"""One deadline for all that an exchange is made of: finding the host, connecting, TLS, headers,
body.

A socket's time-out is for one read, so that a byte every 29 s, or endless `100 Continue`, would
hold a task for ever; and the look-up of a host's name has none at all. So the work runs in a thread
that is not waited for any longer; its connection is shut down, which ends it.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Generic, TypeVar

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

T = TypeVar("T")

# Seconds that a thread has to end in when its connection is shut down; one that still waits for a
# name server is left to it.
_FAREWELL = 1.0


class Overdue(Exception):
    """The time was over first. ``arrived``: the upstream may have seen the request."""

    def __init__(self, *, arrived: bool) -> None:
        super().__init__(arrived)
        self.arrived = arrived


def within(seconds: float, work: Callable[[], T]) -> T:
    """What ``work`` returns, or raises; Overdue when that takes longer than ``seconds``.

    Of what it does, requests through a CuttableAdapter end then.
    """
    running = _Running(work)
    running.thread.start()
    try:
        running.thread.join(max(0.0, seconds))
    finally:
        if overdue := running.thread.is_alive():
            running.cut()
            running.thread.join(_FAREWELL)
    if overdue:  # also where it has ended since: its answer was cut off
        raise Overdue(arrived=running.arrived)
    return running.results[0]()


def check_time() -> None:
    """For the work itself, before it believes what has come: a connection that was cut looks like
    one that the other end has closed. Raises TimeoutError."""
    _running().check_time()


def has_arrived() -> bool:
    """For the work itself: whether the upstream may have seen its request."""
    return _running().arrived


class CuttableAdapter(HTTPAdapter):
    """requests' adapter, whose connections ``within`` can shut down; without retries."""

    def __init__(self) -> None:
        super().__init__(max_retries=0)

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **options)
        if not proxy.lower().startswith("socks"):  # these have connections of their own
            manager.pool_classes_by_scheme = _POOLS
        return manager


class _Running(Generic[T]):
    """Work in its thread. ``results`` holds a function that gives or raises what came of it."""

    def __init__(self, work: Callable[[], T]) -> None:
        self.thread = threading.Thread(target=self._run, args=(work,), daemon=True)
        self.results: list[Callable[[], T]] = []
        self.arrived = self._is_cut = False
        self._sock: Any = None

    def _run(self, work: Callable[[], T]) -> None:
        _here.running = self
        try:
            found = work()
        except BaseException as error:  # noqa: BLE001, raised where the work is waited for
            self.results.append(_raising(error))
        else:
            self.results.append(lambda: found)

    def note(self, sock: Any) -> None:
        """The work goes on with this socket."""
        self._sock = sock
        self.check_time()

    def check_time(self) -> None:
        if self._is_cut:
            raise TimeoutError("the exchange's time is over")

    def cut(self) -> None:
        """Ends the work at its next look at the network."""
        self._is_cut = True
        # TLS within TLS (a proxy's) keeps the socket inside.
        sock = getattr(self._sock, "socket", self._sock)
        if sock is not None:
            with suppress(OSError):
                # Not its own method: that of a TLS socket takes away what another thread reads.
                socket.socket.shutdown(sock, socket.SHUT_RDWR)


def _raising(error: BaseException) -> Callable[[], Any]:
    def again() -> Any:
        raise error

    return again


_here = threading.local()


class _Cuttable(HTTPConnection):
    """Tells the work that uses it which socket that is, and when a request is sent."""

    _twin: socket.socket | None = None
    """While it connects: a second handle, since TLS takes the first one away until it is agreed
    on."""

    def connect(self) -> None:
        try:
            super().connect()
        finally:
            if self._twin:
                self._twin.close()
                self._twin = None
        _running().note(self.sock)

    def _new_conn(self) -> socket.socket:
        sock = super()._new_conn()
        self._twin = sock.dup()
        try:
            _running().note(self._twin)
        except TimeoutError:
            sock.close()
            raise
        return sock

    def _tunnel(self) -> None:
        super()._tunnel()
        _running().check_time()

    def send(self, data: Any) -> None:
        if self.sock is None:
            self.connect()
        if self._twin is None:  # else it is a proxy that is asked for its tunnel
            _running().note(self.sock)
            _running().arrived = True
        super().send(data)


class _CuttableTLS(_Cuttable, HTTPSConnection):
    pass


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Cuttable


class _PoolTLS(HTTPSConnectionPool):
    ConnectionCls = _CuttableTLS


_POOLS = {"http": _Pool, "https": _PoolTLS}


def _running() -> _Running[Any]:
    running: _Running[Any] = _here.running
    return running
