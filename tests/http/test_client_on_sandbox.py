"""The client with the real limiter against the sandbox, whose own log counts the requests."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from devstack.sandbox.server import Sandbox, running
from include.errors import Problem
from include.http.client import Client, Policy
from include.http.transport import Bounds
from include.http.upstream import Upstream
from include.limits.limiter import Limiter
from include.ops.session import Session
from include.outcome import Later
from include.sources.spec import Get, HeaderKey, Window

BOX_SCORES = Get(path="/v1/box_scores", params={"date": "{day}"})
DAY = {"day": "2025-01-15"}


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with running(tmp_path_factory.mktemp("sandbox"), now="2026-03-01T20:00:00Z") as server:
        yield server


@pytest.fixture
def upstream(sandbox: Sandbox) -> Upstream:
    return Upstream(
        name="balldontlie",
        base_url=sandbox.base("balldontlie"),
        key="sandbox-key",
        auth=HeaderKey(name="Authorization"),
    )


@pytest.fixture
def limited(ops_db: str) -> Iterator[Client]:
    policy = Policy(backoff=0.01, slow_down=0.05, max_wait=5.0)
    with Session(ops_db) as session:
        limiter = Limiter(session, {"balldontlie": (Window(limit=100, seconds=1.0),)})
        with Client(limiter, policy=policy, bounds=Bounds(read=0.5)) as client:
            yield client


def requests(sandbox: Sandbox) -> int:
    return len(sandbox.log())


@pytest.mark.parametrize(
    ("kind", "error_class", "sent"),
    [
        ("bad_key", "bad_key", 1),
        ("block_page_403", "blocked", 4),
        ("block_page_200", "blocked", 4),
        ("truncated_json", "upstream_down", 4),
        ("torn_body", "upstream_down", 4),
        ("503", "upstream_down", 4),
    ],
)
def test_fault_of_the_sandbox_has_its_class_and_its_number_of_requests(
    sandbox: Sandbox, upstream: Upstream, limited: Client, kind: str, error_class: str, sent: int
) -> None:
    before = requests(sandbox)
    sandbox.faults([{"source": "balldontlie", "kind": kind}])
    try:
        with pytest.raises(Problem) as caught:
            limited.get(upstream, BOX_SCORES, DAY)
    finally:
        sandbox.no_faults()
    assert (caught.value.error_class, requests(sandbox) - before) == (error_class, sent)


def test_429_pauses_the_limiter_and_is_healed(
    sandbox: Sandbox, upstream: Upstream, limited: Client
) -> None:
    before = requests(sandbox)
    sandbox.faults([{"source": "balldontlie", "kind": "429", "times": 1}])
    answer = limited.get(upstream, BOX_SCORES, DAY)
    assert (answer.status, answer.requests_made, requests(sandbox) - before) == (200, 2, 2)


def test_full_limiter_defers_without_a_request(
    sandbox: Sandbox, upstream: Upstream, ops_db: str
) -> None:
    session = Session(ops_db)
    limiter = Limiter(session, {"hourly": (Window(limit=1, seconds=3600.0),)})
    before = requests(sandbox)
    with session, Client(limiter, policy=Policy(max_wait=0.0)) as client:
        client.get(replace(upstream, name="hourly"), BOX_SCORES, DAY)
        with pytest.raises(Later):
            client.get(replace(upstream, name="hourly"), BOX_SCORES, DAY)
    assert requests(sandbox) - before == 1
