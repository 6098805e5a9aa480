"""A worker of the sandbox trial: asks one upstream as fast as the limiter lets it, until it is told
to stop."""

from __future__ import annotations

import json
import sys

from include.http.client import Bounds, Client, Upstream
from include.http.service_account import token_source
from include.limits.limiter import Limiter
from include.ops.session import Session
from include.sources.spec import Get, HeaderKey, QueryKey, ServiceAccount, Window

SCOPES = ("https://www.googleapis.com/auth/drive.readonly",)


def main() -> None:
    """The order is JSON in argv: url of the database, the upstream, its path, params and windows;
    ends with stdin."""
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
    with session, Client(limiter, bounds=Bounds(read=5.0)) as client:
        for _ in range(order["requests"]):
            client.get(upstream, get, {})


if __name__ == "__main__":
    main()
