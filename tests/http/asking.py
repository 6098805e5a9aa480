"""The request of the client's tests, and the problem that comes of it."""

from __future__ import annotations

from datetime import date

import pytest

from include.errors import Problem
from include.http.client import Client
from include.http.upstream import Upstream
from include.sources.spec import Get

DAY = date(2025, 1, 15)
EVENTS = Get(path="/v4/events", params={"date": "{day}"})
SHOWN = "/v4/events?date=2025-01-15&apiKey=***"
PAGE = b"\n<HTML><HEAD>\n<TITLE>Access Denied</TITLE>"


def problem_of(client: Client, upstream: Upstream, get: Get = EVENTS) -> Problem:
    with pytest.raises(Problem) as caught:
        client.get(upstream, get, {"day": str(DAY)}, endpoint="events", day=DAY)
    return caught.value
