"""What may pass by asking again: four requests in all, and the date is loaded if it passes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from include.guards.needs import list_needs
from include.http.service_account import token_source
from tests.steps.bench import Bench
from tests.steps.credentials import (
    ONE,
    SCOPES,
    TWO,
    key_file,
)
from tests.steps.errors.cases import (
    BDL,
    DAY,
    DRIVE,
    FIRST,
    GAMES,
    PASSING,
    PLAYS,
    PROPS,
    SECOND,
    SOUND,
    UPSTREAM,
    changed,
    judged,
    named,
    strike,
)

ITEM = pytest.mark.parametrize(
    ("at", "asked", "requests"),
    [(PLAYS, "play_by_play", 6), (PROPS, "event_odds", 1 + 8), (DRIVE, "download", 1 + 8)],
    ids=named,
)
"""What is asked game by game; requests until a second game was refused. Of two addresses each is
asked twice for the first game, and once for the second."""


@ITEM
def test_block_page_is_about_the_address_when_a_second_game_gets_it(
    bench: Bench, tmp_path: Path, at: tuple[str, str], asked: str, requests: int
) -> None:
    strike(bench.sandbox, at, "block_page_403", endpoint=asked)
    ended = bench.run(at, DAY, tmp_path, requests=requests)
    assert judged(ended) == ("failed", "blocked", requests)


@pytest.mark.parametrize(
    ("at", "asked", "kind"),
    [
        (at, asked, kind)
        for at, asked in FIRST
        for kind in PASSING
        if (at, kind) != (PLAYS, "block_page_403")
    ],
    ids=named,
)
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
    "kind",
    [kind for kind in PASSING if kind not in ("hang", "truncated_json", "block_page_403")],
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
    assert list_needs(alone, {DAY: GAMES}).requests == SOUND[at]
    assert ended.signed_in == (at == DRIVE)
    assert ended.rows


def test_a_retry_after_of_an_hour_is_not_waited_for(bench: Bench, tmp_path: Path) -> None:
    strike(bench.sandbox, BDL, "429", retry_after=3600)
    ended = bench.run(BDL, DAY, tmp_path, requests=1)
    assert judged(ended) == ("failed", "rate_limited", 1)
    assert ended.retry_at is not None
