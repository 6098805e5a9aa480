"""Every class of error, provoked once per source where it can occur: its outcome, its requests, and
nothing loaded.

That nothing was loaded, and no secret told, is looked at in ``Bench.run`` after every date.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from devstack.sandbox.league import League
from devstack.sandbox.server import Sandbox, running
from include.errors import ErrorClass
from include.guards.plan import plan
from include.http.addresses import addresses
from include.http.service_account import token_source
from include.http.upstream import Upstream
from include.limits.health import SharedHealth
from include.ops.session import Session
from include.outcome import Later
from include.partition import Partition
from include.sources.spec import Credits, Endpoint, Get
from tests.http.local_health import LocalHealth
from tests.steps import credentials
from tests.steps.bench import NOW, Bench, Ended
from tests.steps.credentials import (
    ONE,
    PRIVATE_KEY,
    SCOPES,
    TWO,
    WRONG_KEY,
    broken_proxy,
    key_file,
    proxy,
)
from tests.steps.specs import specs_of_dags

DAY = date(2025, 1, 16)
GAMES = len(League(seed=1).games_on(DAY))
BDL = ("bdl_box_scores", "box_scores")
SCHEDULE = ("nbacom_schedule", "schedule")
LOGS = ("nbacom_box_scores", "box_scores")
PLAYS = ("nbacom_box_scores", "play_by_play")
PROPS = ("odds_api_props", "player_props")
LINES = ("odds_api_props", "game_lines")
DRIVE = ("bigdataball_play_by_play", "play_by_play")

# The requests of a sound date.
SOUND = {BDL: 1, SCHEDULE: 1, LOGS: 1, PLAYS: GAMES, PROPS: 1 + GAMES, LINES: 2, DRIVE: 1 + GAMES}
UPSTREAM = {
    BDL: "balldontlie",
    SCHEDULE: "nba_stats",
    LOGS: "nba_stats",
    PLAYS: "nba_cdn",
    PROPS: "the_odds_api",
    LINES: "the_odds_api",
    DRIVE: "bigdataball",
}
# An endpoint and the sandbox's name of its first request, and of its second.
FIRST = (
    (BDL, "box_scores"),
    (SCHEDULE, "schedule"),
    (LOGS, "leaguegamelog"),
    (PLAYS, "play_by_play"),
    (PROPS, "events"),
    (DRIVE, "list"),
)
SECOND = ((PROPS, "event_odds"), (LINES, "odds"), (DRIVE, "download"))

# What may pass. A CSV has no end that a cut could be seen by before it is parsed.
PASSING = {
    "429": "rate_limited",
    "500": "upstream_down",
    "502": "upstream_down",
    "503": "upstream_down",
    "hang": "hang",
    "block_page_200": "blocked",
    "block_page_403": "blocked",
    "truncated_json": "upstream_down",
    "torn_body": "upstream_down",
}
# What does not pass by asking again: where, the fault, its class, and the requests of the date in
# all.
LASTING: tuple[tuple[tuple[str, str], str, dict[str, Any], str, int], ...] = (
    (BDL, "wrong_tier", {}, "bad_key", 1),  # 401 to both, so the message names both
    (BDL, "schema_drift", {}, "schema_drift", 1),
    (BDL, "empty", {}, "empty_unexpected", 1),
    (BDL, "unplayed", {}, "empty_unexpected", 1),
    (BDL, "missing_game", {}, "incomplete", 1),
    (BDL, "late_game", {}, "incomplete", 1),
    (SCHEDULE, "schema_drift", {}, "schema_drift", 1),
    (SCHEDULE, "empty", {}, "empty_unexpected", 1),
    (SCHEDULE, "late_game", {"day": str(DAY)}, "incomplete", 1),
    (LOGS, "schema_drift", {}, "schema_drift", 1),
    (LOGS, "empty", {}, "empty_unexpected", 1),
    (LOGS, "missing_game", {}, "incomplete", 1),
    (PLAYS, "schema_drift", {}, "schema_drift", 1),
    (PLAYS, "empty", {}, "empty_unexpected", GAMES),
    (PLAYS, "empty", {"times": 1}, "incomplete", GAMES),
    (PLAYS, "missing_game", {}, "blocked", 4),  # the cdn answers as to a blocked address
    (PROPS, "wrong_tier", {}, "not_entitled", 1),
    (PROPS, "out_of_credits", {}, "quota_exhausted", 1),
    (PROPS, "schema_drift", {"endpoint": "events"}, "schema_drift", 1),
    (PROPS, "schema_drift", {"endpoint": "event_odds"}, "schema_drift", 2),
    (PROPS, "empty", {"endpoint": "events"}, "empty_unexpected", 1),
    (PROPS, "empty", {"endpoint": "event_odds"}, "empty_unexpected", 1 + GAMES),
    (PROPS, "missing_game", {"endpoint": "events", "day": str(DAY)}, "incomplete", GAMES),
    (PROPS, "empty", {"endpoint": "event_odds", "times": 1}, "incomplete", 1 + GAMES),
    (LINES, "wrong_tier", {"endpoint": "odds"}, "not_entitled", 2),
    (LINES, "out_of_credits", {"endpoint": "odds"}, "quota_exhausted", 2),
    (LINES, "schema_drift", {"endpoint": "odds"}, "schema_drift", 2),
    (LINES, "empty", {"endpoint": "odds"}, "empty_unexpected", 2),
    (LINES, "missing_game", {"endpoint": "odds", "day": str(DAY)}, "incomplete", 2),
    (DRIVE, "bad_key", {}, "bad_key", 1),
    (DRIVE, "wrong_tier", {}, "not_entitled", 1),
    (DRIVE, "out_of_credits", {"endpoint": "download"}, "quota_exhausted", 2),
    (DRIVE, "missing_game", {"endpoint": "download"}, "not_found", 2),
    (DRIVE, "missing_game", {"endpoint": "list"}, "incomplete", GAMES),
    (DRIVE, "empty", {"endpoint": "list"}, "empty_unexpected", 1),
    (DRIVE, "schema_drift", {"endpoint": "list"}, "schema_drift", 1),
    (DRIVE, "schema_drift", {"endpoint": "download"}, "schema_drift", 2),
    (DRIVE, "truncated_json", {"endpoint": "download"}, "schema_drift", 2),
)


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    limits: dict[str, list[Any]] = {name: [] for name in UPSTREAM.values()}
    settings: dict[str, Any] = {
        "keys": credentials.KEYS,
        "proxies": credentials.PASSWORDS,
        "monthly_credits": 1_000_000,
    }
    with running(tmp_path_factory.mktemp("sandbox"), limits=limits, now=NOW, **settings) as server:
        yield server


@pytest.fixture(scope="module")
def bench(
    sandbox: Sandbox, ops_db: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Bench]:
    """With Airflow's connections in the environment."""
    home = tmp_path_factory.mktemp("airflow")
    with specs_of_dags(home) as sources, pytest.MonkeyPatch.context() as patch:
        for name, connection in credentials.connections(sandbox, ops_db).items():
            patch.setenv(f"AIRFLOW_CONN_{name.upper()}", json.dumps(connection))
        from nba_airflow.connections import upstream
        from nba_airflow.specs import hosts

        bench = Bench(
            sandbox=sandbox,
            ops_db=ops_db,
            sources=sources,
            upstreams={name: upstream(host) for name, host in hosts().items()},
            secrets=credentials.SECRETS,
        )
        folder = tmp_path_factory.mktemp("schedule")
        assert bench.run(SCHEDULE, DAY, folder, requests=1).rows == GAMES
        bench.schedule = folder / "warehouse"
        yield bench


@pytest.fixture(autouse=True)
def _no_faults(sandbox: Sandbox) -> Iterator[None]:
    yield
    sandbox.no_faults()


def strike(sandbox: Sandbox, at: tuple[str, str], kind: str, **more: Any) -> None:
    """Orders a fault that lasts unless ``times`` says how often it strikes."""
    sandbox.faults([{"source": UPSTREAM[at], "kind": kind, "times": None, **more}])


def named(value: Any) -> str:
    """A table's line in a test's name."""
    return "/".join(value) if isinstance(value, tuple) else str(value or "-")


def judged(ended: Ended) -> tuple[str, str, int]:
    """Outcome, class and requests."""
    return ended.outcome, ended.error_class, ended.requests


# What may pass.


@pytest.mark.parametrize("kind", PASSING)
@pytest.mark.parametrize(("at", "asked"), FIRST, ids=named)
def test_what_may_pass_is_asked_four_times_in_all(
    bench: Bench, tmp_path: Path, at: tuple[str, str], asked: str, kind: str
) -> None:
    strike(bench.sandbox, at, kind, endpoint=asked)

    ended = bench.run(at, DAY, tmp_path, requests=4, read=0.3 if kind == "hang" else 10.0)

    assert judged(ended) == ("failed", PASSING[kind], 4)
    by_turns = UPSTREAM[at].startswith("nba_")
    assert ended.by_address == ({ONE: 2, TWO: 2} if by_turns else {"127.0.0.1": 4})
    if (
        kind == "429"
    ):  # 10 + 20 + 40 s, or of two addresses 10 + 10: while the one waits, so does the other
        assert ended.backoffs == (0.0, 0.0, 0.0)
        assert ended.paused > (15 if by_turns else 60)
    else:
        assert ended.backoffs == (1.0, 2.0, 4.0)
        assert ended.paused < 1


@pytest.mark.parametrize(
    "kind", [kind for kind in PASSING if kind not in ("hang", "truncated_json")]
)
@pytest.mark.parametrize(("at", "asked"), SECOND, ids=named)
def test_so_is_the_second_request_of_the_date(
    bench: Bench, tmp_path: Path, at: tuple[str, str], asked: str, kind: str
) -> None:
    strike(bench.sandbox, at, kind, endpoint=asked)
    ended = bench.run(at, DAY, tmp_path, requests=1 + 4)
    assert judged(ended) == ("failed", PASSING[kind], 1 + 4)


@pytest.mark.parametrize(
    ("kind", "more"),
    [
        ("429", {}),
        ("429", {"retry_after": 50}),
        ("503", {"times": 3}),
        *((kind, {}) for kind in PASSING if kind != "429"),
    ],
    ids=named,
)
@pytest.mark.parametrize(("at", "asked"), FIRST, ids=named)
def test_what_passes_costs_a_request_for_every_failure_and_the_date_is_loaded(
    bench: Bench, tmp_path: Path, at: tuple[str, str], asked: str, kind: str, more: dict[str, int]
) -> None:
    failures = more.get("times", 1)
    strike(bench.sandbox, at, kind, endpoint=asked, **{"times": failures, **more})

    ended = bench.run(
        at, DAY, tmp_path, requests=SOUND[at] + failures, read=2.0 if kind == "hang" else 10.0
    )

    assert judged(ended) == ("complete", "", SOUND[at] + failures)
    assert len(ended.backoffs) == failures
    if more.get("retry_after") and not UPSTREAM[at].startswith(
        "nba_"
    ):  # whose other address goes on at once
        assert ended.paused > 40


@pytest.mark.parametrize("at", SOUND, ids=named)
def test_a_date_without_faults_makes_the_requests_that_were_planned_and_signs_in_once(
    bench: Bench, tmp_path: Path, at: tuple[str, str]
) -> None:
    token = token_source("bigdataball", key_file(bench.sandbox), SCOPES)
    ended = bench.run(
        at, DAY, tmp_path, requests=SOUND[at], upstreams=changed(bench, "bigdataball", token=token)
    )
    assert judged(ended) == ("complete", "", SOUND[at])
    source = bench.sources[at[0]]
    alone = replace(source, endpoints=(source.endpoint(at[1]),))
    assert plan(alone, {DAY: GAMES}, scheduled={DAY}).requests == SOUND[at]
    assert ended.signed_in == (at == DRIVE)
    assert ended.rows


def test_a_retry_after_of_an_hour_is_not_waited_for(bench: Bench, tmp_path: Path) -> None:
    strike(bench.sandbox, BDL, "429", retry_after=3600)
    ended = bench.run(BDL, DAY, tmp_path, requests=1)
    assert judged(ended) == ("failed", "rate_limited", 1)
    assert ended.retry_at is not None


# What lasts.


@pytest.mark.parametrize(("at", "kind", "more", "error_class", "requests"), LASTING, ids=named)
def test_what_lasts_is_never_asked_again(
    bench: Bench,
    tmp_path: Path,
    at: tuple[str, str],
    kind: str,
    more: dict[str, Any],
    error_class: str,
    requests: int,
) -> None:
    strike(bench.sandbox, at, kind, **more)
    ended = bench.run(at, DAY, tmp_path, requests=requests)
    outcome = "partial" if error_class in ("incomplete", "empty_unexpected") else "failed"
    assert judged(ended) == (outcome, error_class, requests)


# A game that is missing at first: the fault, and what the rerun asks for.
HEALING: tuple[tuple[tuple[str, str], str, dict[str, Any], int], ...] = (
    (BDL, "missing_game", {"endpoint": "box_scores"}, 1),
    (SCHEDULE, "late_game", {"day": str(DAY)}, 1),
    (LOGS, "missing_game", {}, 1),
    (PLAYS, "empty", {"times": 1}, 1),
    (
        PROPS,
        "missing_game",
        {"endpoint": "events", "day": str(DAY)},
        2,
    ),  # the list, and that game's odds
    (
        PROPS,
        "empty",
        {"endpoint": "event_odds", "times": 1},
        1,
    ),  # the list has all games: it is not bought again
    (LINES, "missing_game", {"endpoint": "odds", "day": str(DAY)}, 1),
    (DRIVE, "missing_game", {"endpoint": "list"}, 2),
)


@pytest.mark.parametrize(("at", "kind", "more", "requests"), HEALING, ids=named)
def test_partial_date_heals_with_a_rerun_that_asks_for_what_is_missing(
    bench: Bench,
    tmp_path: Path,
    at: tuple[str, str],
    kind: str,
    more: dict[str, Any],
    requests: int,
) -> None:
    strike(bench.sandbox, at, kind, **more)
    assert bench.run(at, DAY, tmp_path, requests=1).outcome == "partial"
    bench.sandbox.no_faults()
    assert judged(bench.run(at, DAY, tmp_path, requests=requests)) == ("complete", "", requests)


@pytest.mark.parametrize("at", [LOGS, DRIVE], ids=named)
def test_without_the_schedule_a_date_is_unverified(
    bench: Bench, tmp_path: Path, at: tuple[str, str]
) -> None:
    ended = bench.run(at, DAY, tmp_path, requests=SOUND[at], scheduled=False)
    assert judged(ended) == ("unverified", "incomplete", SOUND[at])
    assert (
        ended.message
        == f"{GAMES} games found, but which were to be played is not known: load nbacom_schedule"
        " first"
    )


@pytest.mark.parametrize("at", [BDL, PROPS, LINES], ids=named)
@pytest.mark.parametrize(
    ("key", "requests"),
    [(WRONG_KEY, 1), (f"{WRONG_KEY}\n", 0), (None, 0)],
    ids=["wrong", "torn", "no"],
)
def test_a_bad_key_is_refused_once_or_not_sent_at_all(
    bench: Bench, tmp_path: Path, at: tuple[str, str], key: str | None, requests: int
) -> None:
    ended = bench.run(
        at, DAY, tmp_path, requests=requests, upstreams=changed(bench, UPSTREAM[at], key=key)
    )
    assert judged(ended) == ("failed", "bad_key", requests)


@pytest.mark.parametrize("at", [at for at in SOUND if at != PLAYS], ids=named)
def test_a_wrong_path_in_the_connection_is_not_found(
    bench: Bench, tmp_path: Path, at: tuple[str, str]
) -> None:
    gone = changed(bench, UPSTREAM[at], base_url=f"{bench.sandbox.base(UPSTREAM[at])}/gone")
    ended = bench.run(at, DAY, tmp_path, requests=1, upstreams=gone)
    assert judged(ended) == ("failed", "not_found", 1)


WRONG: dict[tuple[str, str], tuple[Callable[[Endpoint], Endpoint], int]] = {
    BDL: (lambda e: replace(e, request=with_params(e.request, date="on {day}")), 1),
    SCHEDULE: (lambda e: replace(e, request=with_params(e.request, Season="{season}!")), 1),
    LOGS: (lambda e: replace(e, request=with_params(e.request, Sorter="")), 1),
    PROPS: (lambda e: replace(e, request=with_params(e.request, markets="player_luck")), 2),
    LINES: (lambda e: replace(e, request=with_params(e.request, markets="luck")), 2),
    DRIVE: (lambda e: replace(e, listing=with_params(e.listing, q="today's")), 1),
}


@pytest.mark.parametrize("at", WRONG, ids=named)
def test_a_request_that_the_upstream_calls_wrong_is_internal(
    bench: Bench, tmp_path: Path, at: tuple[str, str]
) -> None:
    wrong, requests = WRONG[at]
    ended = bench.run(
        at, DAY, tmp_path, requests=requests, endpoint=wrong(bench.sources[at[0]].endpoint(at[1]))
    )
    assert judged(ended) == ("failed", "internal", requests)


def test_three_401s_of_the_odds_api_are_told_apart(bench: Bench, tmp_path: Path) -> None:
    told = {}
    for kind in ("bad_key", "wrong_tier", "out_of_credits"):
        strike(bench.sandbox, PROPS, kind, times=1)
        ended = bench.run(PROPS, DAY, tmp_path, requests=1)
        told[ended.error_class] = (ended.requests, ended.message)
    assert told == {
        "bad_key": (
            1,
            "the_odds_api: INVALID_KEY: the key is not valid: put a valid one into the connection",
        ),
        "not_entitled": (
            1,
            (
                "the_odds_api: HISTORICAL_UNAVAILABLE_ON_FREE_USAGE_PLAN: the key's plan has no"
                " historical data: historical endpoints need a paid plan"
            ),
        ),
        "quota_exhausted": (
            1,
            (
                "the_odds_api: OUT_OF_USAGE_CREDITS: the month's credits are used up: wait for the"
                ' reset on the 1st; or, after buying a larger plan, raise {"credits": {"monthly":'
                ' ..., "live_reserve": ...}} in the connection\'s extra'
            ),
        ),
    }


def test_after_out_of_credits_the_other_dates_wait_without_asking(
    bench: Bench, tmp_path: Path
) -> None:
    strike(bench.sandbox, PROPS, "out_of_credits")
    bench.run(PROPS, DAY, tmp_path, requests=1)
    before = len(bench.sandbox.log())
    with pytest.raises(Later) as caught:
        bench.run(LINES, DAY, tmp_path, requests=0, fresh=False)
    assert caught.value.until == datetime(2026, 4, 1, tzinfo=UTC)
    assert len(bench.sandbox.log()) == before


def test_a_request_that_no_month_can_pay_is_not_sent(bench: Bench, tmp_path: Path) -> None:
    ended = bench.run(PROPS, DAY, tmp_path, requests=1, credits=Credits(monthly=9, live_reserve=0))
    assert judged(ended) == ("failed", "quota_exhausted", 1)
    assert (
        ended.message
        == "one request can cost 10 credits of the_odds_api, and live runs have 9 in a whole month:"
        " ask for fewer markets or regions at a time; or, after buying a larger plan, raise"
        ' {"credits": {"monthly": ..., "live_reserve": ...}} in the connection\'s extra'
    )


@pytest.mark.parametrize(("at", "cost"), [(PROPS, 20), (LINES, 60)], ids=named)
def test_a_second_region_doubles_what_is_reserved(
    bench: Bench, tmp_path: Path, at: tuple[str, str], cost: int
) -> None:
    endpoint = bench.sources[at[0]].endpoint(at[1])
    both = replace(endpoint, request=with_params(endpoint.request, regions="us,eu"))
    short = Credits(monthly=cost - 1, live_reserve=0)
    ended = bench.run(at, DAY, tmp_path, requests=1, endpoint=both, credits=short)
    assert judged(ended) == ("failed", "quota_exhausted", 1)
    assert ended.message.startswith(f"one request can cost {cost} credits of the_odds_api,")


# The service account.


@pytest.mark.parametrize(
    ("key", "message"),
    [
        (None, "has no service account: put its key file's JSON into the extra as keyfile_dict"),
        (PRIVATE_KEY, "holds a key file that is not a service account's JSON: paste it again"),
        (
            {"private_key": PRIVATE_KEY},
            "holds a key file that is not a service account's JSON: paste it again",
        ),
    ],
    ids=["none", "no JSON", "not whole"],
)
def test_a_service_account_that_is_none_is_a_bad_key(
    bench: Bench, tmp_path: Path, key: Any, message: str
) -> None:
    token = token_source("bigdataball", key, SCOPES)
    ended = bench.run(
        DRIVE, DAY, tmp_path, requests=0, upstreams=changed(bench, "bigdataball", token=token)
    )
    assert judged(ended) == ("failed", "bad_key", 0)
    assert (ended.signed_in, ended.message) == (0, f"connection bigdataball {message}")


@pytest.mark.parametrize(
    ("kind", "error_class", "signed_in"),
    [
        ("bad_key", "bad_key", 1),
        *(
            (kind, "upstream_down", 4)
            for kind in ("429", "500", "503", "hang", "block_page_200", "torn_body")
        ),
    ],
)
def test_a_refused_sign_in_is_no_bad_key_while_it_may_pass(
    bench: Bench, tmp_path: Path, kind: str, error_class: str, signed_in: int
) -> None:
    strike(bench.sandbox, DRIVE, kind, endpoint="token")
    token = token_source(
        "bigdataball", key_file(bench.sandbox), SCOPES, timeout=0.3 if kind == "hang" else 10.0
    )
    ended = bench.run(
        DRIVE, DAY, tmp_path, requests=0, upstreams=changed(bench, "bigdataball", token=token)
    )
    assert (judged(ended), ended.signed_in) == (("failed", error_class, 0), signed_in)
    assert ended.backoffs == ((1.0, 2.0, 4.0) if signed_in == 4 else ())


def test_a_sign_in_that_passes_lets_the_date_be_loaded(bench: Bench, tmp_path: Path) -> None:
    strike(bench.sandbox, DRIVE, "503", endpoint="token", times=3)
    token = token_source("bigdataball", key_file(bench.sandbox), SCOPES)
    ended = bench.run(
        DRIVE,
        DAY,
        tmp_path,
        requests=SOUND[DRIVE],
        upstreams=changed(bench, "bigdataball", token=token),
    )
    assert (judged(ended), ended.signed_in) == (("complete", "", SOUND[DRIVE]), 4)


# Proxies.


def test_of_two_proxies_the_blocked_one_cools_down_and_the_other_goes_on(
    bench: Bench, tmp_path: Path
) -> None:
    strike(bench.sandbox, PLAYS, "block_page_403", address=ONE)
    health = LocalHealth(lambda: NOW)
    ended = bench.run(PLAYS, DAY, tmp_path, requests=GAMES + 3, health=health)
    assert judged(ended) == ("complete", "", GAMES + 3)
    assert ended.by_address == {ONE: 3, TWO: GAMES}
    assert in_cooldown(health, bench.upstreams["nba_cdn"].proxies) == [True, False]


def test_what_one_task_met_at_a_proxy_the_next_one_knows(bench: Bench, tmp_path: Path) -> None:
    strike(bench.sandbox, PLAYS, "block_page_403", address=ONE)
    with Session(bench.ops_db) as session:
        health = SharedHealth(session)
        first = bench.run(PLAYS, DAY, tmp_path / "first", requests=GAMES + 3, health=health)
    with Session(bench.ops_db) as session:
        health = SharedHealth(session)
        second = bench.run(
            PLAYS, DAY, tmp_path / "second", requests=GAMES, fresh=False, health=health
        )
    assert (judged(first), first.by_address) == (("complete", "", GAMES + 3), {ONE: 3, TWO: GAMES})
    assert (judged(second), second.by_address) == (("complete", "", GAMES), {TWO: GAMES})


@pytest.mark.parametrize("kind", ["", "block_page_403", "hang", "429"])
def test_of_a_direct_address_the_shared_health_is_neither_asked_nor_told(
    bench: Bench, tmp_path: Path, kind: str
) -> None:
    def unwanted(url: str, application_name: str) -> Any:
        raise AssertionError("a direct address was looked up")

    if kind:
        strike(bench.sandbox, LOGS, kind)
    ended = bench.run(
        LOGS,
        DAY,
        tmp_path,
        requests=4 if kind else SOUND[LOGS],
        upstreams=changed(bench, "nba_stats", proxies=()),
        read=0.3 if kind == "hang" else 10.0,
        health=SharedHealth(Session(bench.ops_db, connect=unwanted)),
    )
    assert (ended.error_class, ended.requests) == (
        PASSING.get(kind, ""),
        4 if kind else SOUND[LOGS],
    )


@pytest.mark.parametrize("how", ["refuses", "is dead"])
def test_of_two_proxies_a_broken_one_costs_no_request(
    bench: Bench, tmp_path: Path, how: str
) -> None:
    proxies = (broken_proxy(bench.sandbox, how), proxy(bench.sandbox, TWO))
    health = LocalHealth(lambda: NOW)
    ended = bench.run(
        PLAYS,
        DAY,
        tmp_path,
        requests=GAMES,
        upstreams=changed(bench, "nba_cdn", proxies=proxies),
        health=health,
    )
    assert judged(ended) == ("complete", "", GAMES)
    assert ended.by_address == {TWO: GAMES}
    assert in_cooldown(health, proxies) == [True, False]


@pytest.mark.parametrize("at", [SCHEDULE, LOGS, PLAYS], ids=named)
@pytest.mark.parametrize(
    ("how", "why"),
    [
        (
            "refuses",
            "the proxy refuses its credentials: check the proxies in the connection's extra",
        ),
        (
            "is dead",
            (
                "the proxy fails (ConnectionRefusedError: [Errno 111] Connection refused): check"
                " the proxies in the extra"
            ),
        ),
    ],
)
def test_with_broken_proxies_only_the_upstream_is_down(
    bench: Bench, tmp_path: Path, at: tuple[str, str], how: str, why: str
) -> None:
    name, one = UPSTREAM[at], broken_proxy(bench.sandbox, how)
    ended = bench.run(at, DAY, tmp_path, requests=0, upstreams=changed(bench, name, proxies=(one,)))
    assert judged(ended) == ("failed", "upstream_down", 0)
    assert ended.message == f"{name} through proxy {addresses(name, (one,))[0].name}: {why}"
    assert ended.retry_at is not None


@pytest.mark.parametrize(
    ("proxies", "requests"), [((), 4), ((ONE,), 3)], ids=["none", "one, in cooldown then"]
)
def test_a_block_is_met_with_no_or_one_proxy_too(
    bench: Bench, tmp_path: Path, proxies: tuple[str, ...], requests: int
) -> None:
    strike(bench.sandbox, LOGS, "block_page_200")
    found = tuple(proxy(bench.sandbox, user) for user in proxies)
    ended = bench.run(
        LOGS, DAY, tmp_path, requests=requests, upstreams=changed(bench, "nba_stats", proxies=found)
    )
    assert judged(ended) == ("failed", "blocked", requests)


def in_cooldown(health: LocalHealth, proxies: tuple[str, ...]) -> list[bool]:
    return [
        health.cooldown_until(address.name) is not None for address in addresses("nba_cdn", proxies)
    ]


# Storage.


@pytest.mark.parametrize("at", SOUND, ids=named)
def test_a_raw_folder_that_cannot_be_read_costs_no_request(
    bench: Bench, tmp_path: Path, at: tuple[str, str]
) -> None:
    (tmp_path / "raw").write_text("a file where the folder should be")
    ended = bench.run(at, DAY, tmp_path, requests=0)
    assert judged(ended) == ("failed", "storage", 0)
    assert ended.message == f"cannot read FOLDER/raw/{prefix(at)}/_manifest.json: Not a directory"


@pytest.mark.parametrize("at", SOUND, ids=named)
def test_a_raw_folder_that_cannot_be_written_ends_the_date_at_its_first_body(
    bench: Bench, tmp_path: Path, at: tuple[str, str]
) -> None:
    folder = tmp_path / "raw" / prefix(at)
    folder.parent.mkdir(parents=True)
    folder.symlink_to(tmp_path / "a disk that is not mounted")
    ended = bench.run(at, DAY, tmp_path, requests=1)
    assert judged(ended) == ("failed", "storage", 1)


@pytest.mark.parametrize("at", SOUND, ids=named)
def test_a_warehouse_that_cannot_be_written_costs_its_requests_only_once(
    bench: Bench, tmp_path: Path, at: tuple[str, str]
) -> None:
    table = bench.sources[at[0]].endpoint(at[1]).table
    in_the_way = tmp_path / "warehouse" / table.dataset / table.name
    in_the_way.parent.mkdir(parents=True)
    in_the_way.write_text("a file where the folder should be")
    ended = bench.run(at, DAY, tmp_path, requests=SOUND[at], scheduled=at != SCHEDULE)
    assert judged(ended) == ("failed", "storage", SOUND[at])

    in_the_way.unlink()
    assert judged(bench.run(at, DAY, tmp_path, requests=0)) == ("complete", "", 0)


def prefix(at: tuple[str, str]) -> str:
    return Partition(dag_id=at[0], endpoint=at[1], day=DAY).prefix


def with_params(get: Get | None, **params: str) -> Get:
    assert get is not None
    return replace(get, params={**get.params, **params})


def changed(bench: Bench, name: str, **changes: Any) -> dict[str, Upstream]:
    """One upstream with another key, address or token."""
    return {name: replace(bench.upstreams[name], **changes)}


MESSAGES: dict[tuple[tuple[str, str], str, str], str] = {
    (
        BDL,
        "429",
        "box_scores",
    ): "balldontlie: too many requests: lower the limit in the source's file if this goes on",
    (BDL, "500", "box_scores"): (
        "balldontlie: the upstream fails with status 500: rerun the date when the upstream is well"
        " again"
    ),
    (
        BDL,
        "hang",
        "box_scores",
    ): "balldontlie: connected, but nothing came before the read time-out: rerun the date later",
    (
        BDL,
        "truncated_json",
        "box_scores",
    ): "balldontlie: the JSON is torn: rerun the date when the upstream is well again",
    (PROPS, "block_page_200", "events"): (
        "the_odds_api: an HTML page instead of data: this address is being blocked; wait, or use"
        " other proxies"
    ),
    (BDL, "wrong_tier", "box_scores"): (
        "balldontlie: key refused, or its tier lacks this endpoint: check the connection's key and"
        " the account's plan"
    ),
    (
        DRIVE,
        "wrong_tier",
        "list",
    ): "bigdataball: accessNotConfigured: the API is not enabled in the service account's project",
    (
        DRIVE,
        "out_of_credits",
        "list",
    ): "bigdataball: downloadQuotaExceeded: the file's download quota is used up: wait a day",
    (DRIVE, "missing_game", "download"): (
        "bigdataball: the upstream does not have it: check the connection's host, or rerun the date"
        " later"
    ),
    (DRIVE, "schema_drift", "download"): (
        "header lacks points; the upstream changed its format: compare the raw object with the"
        " parser and adapt it, then reprocess"
    ),
    (
        SCHEDULE,
        "empty",
        "schedule",
    ): "the schedule of 2024-25 has no dates at all: ask again, or wait until it is published",
    (BDL, "empty", "box_scores"): "0 of 4 games: missing BOS@TOR, CLE@SAS, PHX@IND, UTA@MEM",
    (BDL, "late_game", "box_scores"): "3 of 4 games: missing PHX@IND (unplayed)",
}


@pytest.mark.parametrize(("at", "kind", "asked"), MESSAGES, ids=named)
def test_the_message_names_the_thing_and_the_repair(
    bench: Bench, tmp_path: Path, at: tuple[str, str], kind: str, asked: str
) -> None:
    strike(bench.sandbox, at, kind, endpoint=asked)
    ended = bench.run(at, DAY, tmp_path, requests=1, read=0.3 if kind == "hang" else 10.0)
    assert ended.message == MESSAGES[at, kind, asked]


def test_every_class_is_provoked() -> None:
    here = {"bad_key", "internal", "not_found", "rate_limited", "storage"}
    assert here | set(PASSING.values()) | {line[3] for line in LASTING} == {
        str(each) for each in ErrorClass
    }
