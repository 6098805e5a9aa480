"""Every class of error, provoked once per source where it can occur: its outcome, its requests, and no secret told."""

from __future__ import annotations

import base64
import logging
import shutil
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from include.errors import Problem
from include.http.client import Bounds, Client, Policy, Upstream
from include.http.service_account import token_source
from include.ledger.db import connect
from include.limits.credits import Meter
from include.limits.limiter import Limiter
from include.partition import Partition
from include.pipeline import Stores, Wire, incomplete, load, scrape
from include.sandbox.server import Sandbox, running
from include.sources.spec import Credits, ServiceAccount, Window
from include.storage.local import LocalStore
from include.warehouse.local import LocalWarehouse

if TYPE_CHECKING:
    from include.sources.spec import Source

DAY = date(2025, 1, 15)
KEYS = {
    "balldontlie": "bdl-key-that-nobody-may-see",
    "the_odds_api": "odds-key-that-nobody-may-see",
    "bigdataball": "drive-key-that-nobody-may-see",
}
PROXY = ("proxy-user-that-nobody-may-see", "proxy/password+that nobody may see")
OPEN = (Window(limit=1000, seconds=1.0),)

# Asked again up to four times in all; the rest once. Behind the class: the requests of a date whose first one fails.
AGAIN = {
    "429": "rate_limited",
    "500": "upstream_down",
    "503": "upstream_down",
    "hang": "hang",
    "block_page_200": "blocked",
    "block_page_403": "blocked",
    "truncated_json": "upstream_down",
    "torn_body": "upstream_down",
}
SOURCES = {
    ("bdl_box_scores", "box_scores"): ("balldontlie", "box_scores"),
    ("nbacom_schedule", "schedule"): ("nba_stats", "schedule"),
    ("nbacom_box_scores", "box_scores"): ("nba_stats", "leaguegamelog"),
    ("nbacom_box_scores", "play_by_play"): ("nba_cdn", "play_by_play"),
    ("odds_api_props", "player_props"): ("the_odds_api", "events"),
    ("odds_api_props", "game_lines"): ("the_odds_api", "odds"),
    ("bigdataball_play_by_play", "play_by_play"): ("bigdataball", "list"),
}
BEFORE = {("odds_api_props", "game_lines"): 1}
"""Sound requests before the one that fails: the list of events."""

ONCE = [
    (("bdl_box_scores", "box_scores"), "bad_key", "bad_key"),
    (("bdl_box_scores", "box_scores"), "wrong_tier", "bad_key"),  # 401 too, and its message names both
    (("bdl_box_scores", "box_scores"), "schema_drift", "schema_drift"),
    (("bdl_box_scores", "box_scores"), "empty", "empty_unexpected"),
    (("bdl_box_scores", "box_scores"), "missing_game", "incomplete"),
    (("bdl_box_scores", "box_scores"), "late_game", "incomplete"),
    (("nbacom_schedule", "schedule"), "schema_drift", "schema_drift"),
    (("nbacom_schedule", "schedule"), "late_game", "incomplete"),
    (("nbacom_box_scores", "box_scores"), "schema_drift", "schema_drift"),
    (("nbacom_box_scores", "box_scores"), "empty", "empty_unexpected"),
    (("nbacom_box_scores", "play_by_play"), "schema_drift", "schema_drift"),
    (("odds_api_props", "player_props"), "bad_key", "bad_key"),
    (("odds_api_props", "player_props"), "wrong_tier", "not_entitled"),
    (("odds_api_props", "player_props"), "out_of_credits", "quota_exhausted"),
    (("odds_api_props", "player_props"), "schema_drift", "schema_drift"),
    (("odds_api_props", "player_props"), "empty", "empty_unexpected"),
    (("bigdataball_play_by_play", "play_by_play"), "bad_key", "bad_key"),
    (("bigdataball_play_by_play", "play_by_play"), "schema_drift", "schema_drift"),
    (("bigdataball_play_by_play", "play_by_play"), "empty", "empty_unexpected"),
]


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    unlimited: dict[str, list[Any]] = {name: [] for name in ("balldontlie", "nba_stats", "nba_cdn", "the_odds_api")}
    settings = {"keys": KEYS, "proxies": dict([PROXY]), "monthly_credits": 1_000_000}
    folder = tmp_path_factory.mktemp("sandbox")
    with running(folder, limits=unlimited, now="2026-03-01T20:00:00Z", **settings) as server:
        yield server


@dataclass(kw_only=True)
class Bench:
    """What a case needs, and everything that it said."""

    sandbox: Sandbox
    sources: dict[str, Source]
    wire: Wire
    base: Path
    said: list[str]

    def stores(self, folder: Path) -> Stores:
        """A store of the case's own that knows the schedule, except for the schedule's own cases."""
        return Stores(raw=LocalStore(folder / "raw"), warehouse=LocalWarehouse(folder / "warehouse"))

    def run(self, at: tuple[str, str], folder: Path) -> tuple[Problem | None, int]:
        """The date's scrape: how it failed, if so, and how many requests it made."""
        if at[0] != "nbacom_schedule":
            shutil.copytree(self.base, folder, dirs_exist_ok=True)
        source = self.sources[at[0]]
        endpoint = source.endpoint(at[1])
        before = len(self.sandbox.log())
        partition = Partition(dag_id=at[0], endpoint=at[1], day=DAY)
        stores = self.stores(folder)
        try:
            found = scrape(source, endpoint, partition, stores, self.wire, refetch=False)
            problem = None if found.manifest.done else incomplete(found.manifest)
            if problem is None:
                load(endpoint, partition, stores)
        except Problem as caught:
            problem = caught
            self.said.append("".join(traceback.format_exception(caught)))
        if problem:
            self.said += [str(problem), repr(problem)]
            assert not stores.warehouse.part(endpoint.table, DAY).exists()
        asked = [entry for entry in self.sandbox.log()[before:] if not entry["path"].endswith("/token")]
        return problem, len(asked)


@pytest.fixture(scope="module")
def said() -> list[str]:
    """All that was logged or raised in this module."""
    return []


@pytest.fixture(scope="module")
def bench(
    sandbox: Sandbox,
    sources: dict[str, Source],
    ops_db: str,
    said: list[str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Bench]:
    hosts = {host.connection: host for source in sources.values() for host in source.hosts}
    upstreams = {}
    for name, host in hosts.items():
        token = None
        if isinstance(host.auth, ServiceAccount):
            token = token_source(name, key_file(f"{sandbox.base(name)}/token"), host.auth.scopes)
        upstreams[name] = Upstream(
            name=name,
            base_url=sandbox.base(name),
            key=KEYS.get(name),
            auth=host.auth,
            headers=host.headers,
            proxies=proxies(sandbox) if name == "nba_stats" else (),
            token=token,
        )
    from include.http.addresses import addresses

    rules = {a.name: OPEN for name, u in upstreams.items() for a in addresses(name, u.proxies)}
    limiter = Limiter(lambda: connect(ops_db), rules)
    allowance = {"the_odds_api": Credits(monthly=1_000_000, live_reserve=0)}
    meter = ForgivingMeter(lambda: connect(ops_db), allowance, purpose="live")
    policy = Policy(backoff=0.001, slow_down=0.001, max_wait=20.0)
    base = tmp_path_factory.mktemp("base")
    with Client(
        PatientGate(limiter), meter=meter, policy=policy, bounds=Bounds(connect=2.0, read=0.5), health=NeverResting()
    ) as client:
        wire = Wire(client=client, upstreams=upstreams)
        bench = Bench(sandbox=sandbox, sources=sources, wire=wire, base=base, said=said)
        assert bench.run(("nbacom_schedule", "schedule"), base) == (None, 1)
        yield bench
    limiter.close()
    meter.close()


class PatientGate:
    """The real limiter without the pause that a 429 sets for everybody: these cases follow each other at once."""

    def __init__(self, limiter: Limiter) -> None:
        self._limiter = limiter
        self.admit = limiter.admit

    def slow_down(self, name: str, seconds: float) -> Any:
        from datetime import UTC, datetime

        return datetime.now(UTC)


class ForgivingMeter(Meter):
    """The real ledger, which forgets that the upstream has said it is used up."""

    def exhausted(self, name: str) -> None:
        return


class NeverResting:
    """Health of proxies that never rest, so that every case counts its own requests."""

    def rests_until(self, name: str) -> None:
        return None

    def claim(self, name: str) -> bool:
        return True

    def failed(self, name: str) -> None:
        return

    def succeeded(self, name: str) -> None:
        return

    def unused(self, name: str) -> None:
        return


def proxies(sandbox: Sandbox) -> tuple[str, ...]:
    """The sandbox as a proxy of itself."""
    user, password = PROXY
    return (f"http://{user}:{quote(password, safe='')}@127.0.0.1:{sandbox.port}",)


def key_file(token_uri: str) -> dict[str, str]:
    """A service account's key file, its key made here."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    pem = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(*form).decode()
    return {"type": "service_account", "private_key": pem, "client_email": "a@b.example", "token_uri": token_uri}


@pytest.fixture(autouse=True)
def _everything_logged(caplog: pytest.LogCaptureFixture, said: list[str]) -> Iterator[None]:
    with caplog.at_level(logging.DEBUG):
        yield
    said += [record.getMessage() for record in caplog.records]


def order(bench: Bench, at: tuple[str, str], kind: str) -> None:
    source, endpoint = SOURCES[at]
    rule = {"source": source, "endpoint": endpoint, "kind": kind, "times": None}
    bench.sandbox.no_faults()
    more = {"hang": {"seconds": 3}, **{dated: {"day": str(DAY)} for dated in DATED}}
    bench.sandbox.faults([rule | more.get(kind, {})])


DATED = ("late_game", "missing_game", "empty")


@pytest.mark.parametrize("kind", AGAIN)
@pytest.mark.parametrize("at", SOURCES, ids=lambda at: f"{at[0]}.{at[1]}")
def test_what_may_pass_is_asked_four_times_in_all(bench: Bench, tmp_path: Path, at: tuple[str, str], kind: str) -> None:
    order(bench, at, kind)

    problem, requests = bench.run(at, tmp_path)

    assert problem is not None
    assert (str(problem.error_class), requests) == (AGAIN[kind], 4 + BEFORE.get(at, 0))


@pytest.mark.parametrize(("at", "kind", "error_class"), ONCE, ids=lambda value: str(value))
def test_what_cannot_pass_is_asked_once(
    bench: Bench, tmp_path: Path, at: tuple[str, str], kind: str, error_class: str
) -> None:
    order(bench, at, kind)

    problem, requests = bench.run(at, tmp_path)

    assert problem is not None
    assert (str(problem.error_class), requests) == (error_class, 1)


@pytest.mark.parametrize("at", SOURCES, ids=lambda at: f"{at[0]}.{at[1]}")
def test_without_a_fault_the_date_is_loaded(bench: Bench, tmp_path: Path, at: tuple[str, str]) -> None:
    bench.sandbox.no_faults()
    assert bench.run(at, tmp_path)[0] is None


def test_no_key_token_or_proxy_credential_was_told_to_anybody(
    bench: Bench, said: list[str], ops_db: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with connect(ops_db) as connection:
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'ops'").fetchall()
        for (table,) in tables:
            said += [str(row) for row in connection.execute(f"SELECT t::text FROM ops.{table} t").fetchall()]
    files = [
        p for p in tmp_path_factory.getbasetemp().rglob("*") if p.is_file() and "sandbox" not in str(p.parent.name)
    ]
    text = "\n".join(said).encode() + b"".join(path.read_bytes() for path in files)
    secrets = [*KEYS.values(), *PROXY]
    forms = {form for s in secrets for form in (s, quote(s, safe=""), base64.b64encode(s.encode()).decode())}
    forms.add(base64.b64encode(":".join(PROXY).encode()).decode())

    assert len(said) > 100
    assert [form for form in sorted(forms) if form.encode() in text] == []
    assert b"PRIVATE KEY" not in text
    assert b"ya29." not in text
