"""Keys, paths, requests and credits that the upstream refuses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from include.outcome import Later
from include.sources.spec import Credits, Endpoint
from tests.steps.bench import Bench
from tests.steps.credentials import (
    WRONG_KEY,
)
from tests.steps.errors.cases import (
    BDL,
    DAY,
    DRIVE,
    LINES,
    LOGS,
    PLAYS,
    PROPS,
    SCHEDULE,
    SOUND,
    UPSTREAM,
    changed,
    judged,
    named,
    strike,
    with_params,
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
