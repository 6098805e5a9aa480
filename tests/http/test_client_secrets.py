"""No secret in anything that a client says."""

from __future__ import annotations

import logging
import pickle
import traceback
from dataclasses import replace
from urllib.parse import quote

import pytest

from include.errors import Problem
from include.http.client import Client
from include.http.upstream import Upstream
from include.redact import proxy_secrets
from tests.http.asking import EVENTS
from tests.http.scripted import KEY, Scripted, Step, cut, drop, hang, reply


def secrets_of(upstream: Upstream) -> list[str]:
    userinfo = [part for proxy in upstream.proxies for part in proxy_secrets(proxy)]
    return [KEY, quote(KEY, safe=""), *userinfo]


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize(
    "step",
    [
        reply(),
        reply(401, f"no such key {KEY} (apiKey={quote(KEY, safe='')})".encode()),
        reply(302, b"", Location=f"https://login.test/?key={quote(KEY, safe='')}"),
        reply(407, b"who are you"),
        reply(500, b"Authorization: Basic dXNlcjpwdw=="),
        reply(502, b"session-one-1 may not in with pr0xy/p@ss"),
        reply(200, b"{"),
        cut,
        drop,
        hang,
    ],
)
@pytest.mark.parametrize("way", ["direct", "proxied", "dead proxy"])
def test_no_secret_in_problems_tracebacks_and_logs(
    client: Client,
    upstream: Upstream,
    proxied: Upstream,
    scripted: Scripted,
    caplog: pytest.LogCaptureFixture,
    closed_port: int,
    way: str,
    step: Step,
    scheme: str,
) -> None:
    asked = replace(upstream, base_url=scripted.url.replace("http:", f"{scheme}:"))
    if way != "direct":
        asked = replace(upstream, base_url=f"{scheme}://upstream.test", proxies=proxied.proxies)
    if way == "dead proxy":
        dead = tuple(proxy.rpartition(":")[0] + f":{closed_port}" for proxy in proxied.proxies)
        asked = replace(asked, proxies=dead)
    scripted.steps = [step] * 4
    caplog.set_level(logging.DEBUG)
    told: list[str] = []
    chained: list[BaseException | None] = []
    try:
        told.append(repr(client.get(asked, EVENTS, {"day": "2025-01-15"})))
    except Problem as problem:
        told += [str(problem), repr(problem), "".join(traceback.format_exception(problem))]
        told.append(pickle.dumps(problem).decode("latin-1"))
        chained = [problem.__cause__, problem.__context__]
    assert [error for error in chained if error] == []
    told += [record.getMessage() for record in caplog.records] + [caplog.text]
    assert len(caplog.records) > 0
    assert [secret for secret in secrets_of(asked) for text in told if secret in text] == []
