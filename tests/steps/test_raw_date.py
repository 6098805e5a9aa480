"""Which stored bodies of a date count, and which have to be asked for again."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from include.outcome import Outcome
from include.sources.spec import Game, GameState, Get, Truth
from include.steps.raw_date import LISTING, RawDate
from include.storage import raw
from include.storage.local import LocalStore
from tests.steps.line import DAY
from tests.steps.one_date import BOX_SCORES, partition

AT = partition(BOX_SCORES, DAY)


def games_of(body: bytes, day: date) -> list[Game]:
    return [game(name) for name in json.loads(body)]


def game(name: str, state: GameState = GameState.FINAL) -> Game:
    return Game(day=DAY, away=name[:3], home=name[4:], state=state)


# An endpoint whose listing is paid for, and holds the source's own list of games.
LISTED = replace(
    BOX_SCORES,
    listing=Get(path="/list", cost=lambda params: 1),
    truth=Truth(games=games_of),
)


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path)


def put(store: LocalStore, item: str, *games: str) -> raw.RawObject:
    """A stored body that lists these games."""
    body = json.dumps(games).encode()
    facts = {"role": "listing", "url": "u", "status": 200, "suffix": "json"}
    return raw.put_body(store, AT, item=item, body=body, **facts)


def ended(store: LocalStore, *objects: raw.RawObject) -> None:
    """Leaves a manifest of a scrape that came to its end and lacked a game."""
    raw.write_manifest(
        store,
        AT,
        raw.Manifest(
            dag_id=AT.dag_id,
            endpoint=AT.endpoint,
            day=str(DAY),
            outcome=Outcome.PARTIAL,
            message="",
            expected_from="schedule",
            games_expected=2,
            games_found=1,
            missing=(),
            requests=1,
            credits=1,
            objects=objects,
            finished_at="2025-01-16T11:00:00.000+00:00",
        ),
    )


def listing_of(store: LocalStore, *expected: Game) -> list[str] | None:
    """The games in the stored listing that counts."""
    found = RawDate(LISTED, AT, store).listing(expected)
    return json.loads(found[1]) if found else None


def test_listing_that_was_bought_again_for_a_new_game_is_not_bought_a_third_time(
    store: LocalStore,
) -> None:
    ended(store, put(store, LISTING, "BOS@NYK"))
    put(store, LISTING, "BOS@NYK", "LAL@DEN")
    both = ["BOS@NYK", "LAL@DEN"]
    assert listing_of(store, *(game(name) for name in both)) == both
