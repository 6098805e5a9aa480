"""A worker of the limits trial: asks one upstream as often as it is told, as fast as the limiter
lets it."""

from __future__ import annotations

import json
import random
import sys
import time
from datetime import datetime

from include.http.client import Bounds, Client, Upstream
from include.http.service_account import token_source
from include.limits.limiter import Admission, Limiter
from include.ops.session import Session
from include.sources.spec import Get, HeaderKey, QueryKey, ServiceAccount, Window

SCOPES = ("https://www.googleapis.com/auth/drive.readonly",)


# Seconds. Between admission and arrival 2-63 ms were measured on a quiet machine.
MAX_DELAY = 0.06


class SlowNetwork:
    """The limiter behind a network that holds each request up by another bit of time."""

    def __init__(self, limiter: Limiter) -> None:
        self._limiter = limiter

    def admit(self, name: str, *, max_wait: float) -> Admission:
        admission = self._limiter.admit(name, max_wait=max_wait)
        time.sleep(random.uniform(0.0, MAX_DELAY))
        return admission

    def slow_down(self, name: str, seconds: float) -> datetime:
        return self._limiter.slow_down(name, seconds)


def main() -> None:
    """The order is JSON in argv: url of the database, the upstream, its path, params, windows and
    the number of requests."""
    order = json.loads(sys.argv[1])
    auth = {
        "header": HeaderKey(name=order["key_name"]),
        "query": QueryKey(name=order["key_name"]),
        "service account": ServiceAccount(scopes=SCOPES),
    }.get(order["auth"])
    signed_in = isinstance(auth, ServiceAccount)
    upstream = Upstream(
        name=order["name"],
        base_url=order["base"],
        key=None if signed_in else "sandbox-key",
        auth=auth,
        headers=order["headers"],
        token=token_source(order["name"], order["key_file"], SCOPES) if signed_in else None,
    )
    windows = tuple(Window(limit=limit, seconds=seconds) for limit, seconds in order["windows"])
    get = Get(path=order["path"], params=order["params"], accept=order["accept"])
    session = Session(order["database"])
    limiter = Limiter(session, {order["name"]: windows}, request_timeout=5.0)
    with session, Client(SlowNetwork(limiter), bounds=Bounds(read=5.0)) as client:
        for _ in range(order["requests"]):
            client.get(upstream, get, {})


if __name__ == "__main__":
    main()
