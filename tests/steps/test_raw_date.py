"""Which stored bodies of a date count, and which have to be asked for again."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Literal

import pytest

from include.checks.completeness import Count
from include.errors import ErrorClass, Problem
from include.outcome import Outcome
from include.sources.spec import Cursor, Endpoint, Game, GameState, Get, Truth
from include.steps.raw_date import LISTING, Fetched, RawDate, Role
from include.storage import raw, shared
from include.storage.local import LocalStore
from include.storage.refetch import progress
from tests.steps.line import DAY
from tests.steps.one_date import BOX_SCORES, partition

AT = partition(BOX_SCORES, DAY)
PLACE = {"dag_id": AT.dag_id, "endpoint": AT.endpoint, "day": str(DAY)}


NOW = datetime(2026, 3, 1, 20, tzinfo=UTC)
ENDED = "2025-01-16T11:00:00.000+00:00"
PAGES = Cursor(path="next", param="cursor")


def games_of(body: bytes, day: date) -> list[Game]:
    return [game(name) for name in json.loads(body)]


def refuse(body: bytes, day: date) -> list[Game]:
    raise Problem(error_class=ErrorClass.SCHEMA_DRIFT, message="no games in it")


def of_a_game(body: bytes, day: date) -> list[Game]:
    """Their first letters say in which state they are."""
    names = json.loads(body)
    if any(name.startswith("???") for name in names):
        return refuse(body, day)
    states = {"LIV": GameState.LIVE, "UNP": GameState.UNPLAYED, "LST": GameState.LISTED}
    problems = {"BAD": "too few players"}
    return [
        replace(
            game(name, states.get(name[:3], GameState.FINAL)), problem=problems.get(name[:3], "")
        )
        for name in names
    ]


def game(name: str, state: GameState = GameState.FINAL) -> Game:
    return Game(day=DAY, away=name[:3], home=name[4:], state=state)


FREE = replace(BOX_SCORES, games=of_a_game, rows=lambda body, day: (), truth=None)
PAID = replace(FREE, request=replace(FREE.request, cost=lambda params: 1))
PER_GAME = replace(FREE, per_game=True)
SEASON = replace(FREE, shared=lambda day: "2024-25")
# An endpoint whose listing is paid for, and holds the source's own list of games.
LISTED = replace(
    FREE, listing=Get(path="/list", cost=lambda params: 1), truth=Truth(games=games_of)
)


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path)


def put(store: LocalStore, item: str, *games: str, role: str = "data") -> raw.RawObject:
    """A stored body that holds these games."""
    body = json.dumps(games).encode()
    return raw.put_body(
        store, AT, item=item, role=role, body=body, url="u", status=200, suffix="json"
    )


def ended(
    store: LocalStore, *objects: raw.RawObject, outcome: Outcome = Outcome.PARTIAL, at: str = ENDED
) -> raw.Manifest:
    """Leaves the manifest of a scrape that came to its end."""
    manifest = raw.Manifest(
        **PLACE,
        outcome=outcome,
        message="",
        expected_from="schedule",
        games_expected=2,
        games_found=1,
        missing=(),
        requests=1,
        credits=1,
        objects=objects,
        finished_at=at,
    )
    raw.write_manifest(store, AT, manifest, over=raw.read_manifest(store, AT))
    return manifest


# --- a listing that was paid for


def listing_of(
    store: LocalStore, *expected: Game, endpoint: Endpoint = LISTED, order: datetime | None = None
) -> list[str] | None:
    """The games in the stored listing that counts."""
    found = RawDate(endpoint, AT, store, ordered_at=order).listing(expected)
    if found is None:
        return None
    assert (found[0].item, found[0].role) == (LISTING, "listing")
    return list(json.loads(found[1]))


def test_listing_that_was_paid_for_is_taken_as_it_is_while_the_scrape_is_unfinished(
    store: LocalStore,
) -> None:
    assert listing_of(store, game("BOS@NYK")) is None
    put(store, LISTING, "BOS@NYK")
    put(store, "all", "BOS@NYK", "LAL@DEN")
    assert listing_of(store) == ["BOS@NYK"]
    assert RawDate(LISTED, AT, store).listing(None)
    assert listing_of(store, game("BOS@NYK"), game("LAL@DEN")) == ["BOS@NYK"]
    put(store, LISTING, "BOS@NYK", "BOS@NYK")  # nothing tells which is the better
    assert listing_of(store)


def test_listing_of_a_finished_scrape_counts_while_it_has_every_game_that_is_due(
    store: LocalStore,
) -> None:
    ended(store, put(store, LISTING, "BOS@NYK"))
    assert listing_of(store, game("BOS@NYK")) == ["BOS@NYK"]
    assert listing_of(store, game("LAL@DEN", GameState.POSTPONED)) == ["BOS@NYK"]
    assert listing_of(store, game("BOS@NYK"), game("LAL@DEN")) is None
    assert listing_of(store, game("BOS@NYK"), order=NOW) is None


def test_listing_that_was_bought_again_for_a_new_game_is_not_bought_a_third_time(
    store: LocalStore,
) -> None:
    ended(store, put(store, LISTING, "BOS@NYK"))
    put(store, LISTING, "BOS@NYK", "LAL@DEN")
    both = ["BOS@NYK", "LAL@DEN"]
    assert listing_of(store, *(game(name) for name in both)) == both
    assert listing_of(store, game("BOS@NYK")) == ["BOS@NYK"]  # the manifest's


@pytest.mark.parametrize("named", [0, 1])
def test_of_two_listings_that_have_every_game_the_manifests_counts(
    store: LocalStore, named: int
) -> None:
    bodies = (["BOS@NYK"], ["BOS@NYK", "BOS@NYK"])
    bought = [put(store, LISTING, *games) for games in bodies]
    ended(store, bought[named])
    assert listing_of(store, game("BOS@NYK")) == bodies[named]


@pytest.mark.parametrize(
    "endpoint",
    [
        replace(LISTED, listing=Get(path="/list")),
        replace(LISTED, listing=Get(path="/list", cost=lambda params: 1, pages=PAGES)),
        replace(LISTED, truth=None),
        replace(LISTED, listing=None),
        replace(LISTED, truth=Truth(games=refuse)),
    ],
    ids=["free", "paged", "no truth", "none", "of another form"],
)
def test_listing_is_asked_for_again_where_nothing_is_saved_or_known_by_it(
    store: LocalStore, endpoint: Endpoint
) -> None:
    put(store, LISTING, "BOS@NYK")
    assert listing_of(store, endpoint=replace(endpoint, per_game=True)) is None


# --- bodies of games


def reused(
    store: LocalStore, endpoint: Endpoint, *items: str, order: datetime | None = None
) -> list[str | None]:
    """Of each item the path of the stored body that counts."""
    date = RawDate(endpoint, AT, store, ordered_at=order)
    found = [date.body(item) for item in items]
    return [each.object.path if each else None for each in found]


def test_body_of_a_game_counts_once_it_is_final_and_sound(store: LocalStore) -> None:
    final, listed = put(store, "final", "BOS@NYK"), put(store, "listed", "LST@NYK")
    for item, name in (("live", "LIV@NYK"), ("unsound", "BAD@NYK"), ("unplayed", "UNP@NYK")):
        put(store, item, name)
    put(store, "mixed", "BOS@NYK", "LIV@NYK")
    put(store, "empty")
    put(store, "drifted", "???@NYK")
    put(store, LISTING, "BOS@NYK")
    items = ("final", "listed", "live", "unsound", "unplayed", "mixed", "empty", "drifted", LISTING)
    expected = [final.path, listed.path, *([None] * 7)]
    assert reused(store, PER_GAME, *items) == expected
    ended(store)
    assert reused(store, PER_GAME, *items) == expected
    date = RawDate(PER_GAME, AT, store)
    body = date.body("final")
    assert body
    assert (list(body.games), body.object.sha256) == ([game("BOS@NYK")], final.sha256)


def test_body_of_a_whole_date_counts_only_where_it_was_paid_and_the_scrape_is_unfinished(
    store: LocalStore,
) -> None:
    path = put(store, "all", "BOS@NYK").path
    assert reused(store, FREE, "all") == [None]
    assert reused(store, PAID, "all") == [path]
    assert reused(store, replace(PAID, request=replace(PAID.request, pages=PAGES)), "all") == [None]
    ended(store)
    assert reused(store, PAID, "all") == [None]


def test_of_several_bodies_of_a_game_the_manifests_counts_or_none_unless_it_was_paid(
    store: LocalStore,
) -> None:
    bodies = [put(store, "a", "BOS@NYK"), put(store, "a", "BOS@NYK", "BOS@NYK")]
    paths = sorted(body.path for body in bodies)
    paid = replace(PER_GAME, request=PAID.request)
    assert reused(store, PER_GAME, "a") == [None]
    assert reused(store, paid, "a") == [paths[0]]
    for body in bodies:
        ended(store, body)
        assert reused(store, PER_GAME, "a") == [body.path]
        assert reused(store, paid, "a") == [body.path]
    assert reused(store, PER_GAME, "a", order=NOW) == [None]


# --- a body that serves many dates


@pytest.mark.parametrize(
    ("late", "ended_at", "ordered_at", "counts"),
    [
        (timedelta(0), None, None, True),
        (timedelta(milliseconds=-1), None, None, False),
        (timedelta(days=9), timedelta(0), None, True),
        (timedelta(days=9), timedelta(milliseconds=1), None, False),
        (timedelta(days=9), None, timedelta(0), True),
        (timedelta(days=9), None, timedelta(milliseconds=1), False),
    ],
)
def test_body_of_a_season_counts_if_it_is_newer_than_lateness_order_and_incomplete_end(
    store: LocalStore,
    monkeypatch: pytest.MonkeyPatch,
    late: timedelta,
    ended_at: timedelta | None,
    ordered_at: timedelta | None,
    counts: bool,
) -> None:
    fetched = replace(put(store, "all", "BOS@NYK"), fetched_at=NOW.isoformat())
    shared.remember(store, AT.dag_id, AT.endpoint, "2024-25", [fetched])
    monkeypatch.setattr(Endpoint, "late_at", lambda self, day: NOW - late)
    if ended_at is not None:
        ended(store, at=(NOW + ended_at).isoformat())
    order = None if ordered_at is None else NOW + ordered_at
    assert reused(store, SEASON, "all", order=order) == [fetched.path if counts else None]


def test_end_of_a_whole_date_says_nothing_of_the_seasons_body(store: LocalStore) -> None:
    late = SEASON.late_at(DAY)
    fetched = replace(put(store, "all", "BOS@NYK"), fetched_at=late.isoformat())
    shared.remember(store, AT.dag_id, AT.endpoint, "2024-25", [fetched])
    ended(store, outcome=Outcome.COMPLETE, at=(late + timedelta(days=1)).isoformat())
    assert reused(store, SEASON, "all") == [fetched.path]


# --- what is put, and the end


def fetched(item: str, *games: str, role: Role = "data") -> Fetched:
    body = json.dumps(games).encode()
    return Fetched(item=item, role=role, body=body, url="u", status=206, requests=2, credits=3)


def test_manifest_says_what_the_date_is_made_of_and_what_it_took(store: LocalStore) -> None:
    kept = put(store, "a", "BOS@NYK")
    date = RawDate(PER_GAME, AT, store)
    date.keep(kept)
    date.put(fetched("b", "LAL@DEN"))
    date.put(fetched("games", role="truth"))
    counted = Count(
        outcome=Outcome.PARTIAL, expected=4, found=2, missing=("C@D",), unsound=("E@F (short)",)
    )

    manifest = date.close(counted, expected_from="schedule")

    written = raw.read_manifest(store, AT)
    assert written
    assert manifest == written
    assert [(o.item, o.role, o.status, o.url) for o in manifest.objects] == [
        ("a", "data", 200, "u"),
        ("b", "data", 206, "u"),
        ("games", "truth", 206, "u"),
    ]
    assert [raw.get_body(store, o) for o in manifest.objects[1:]] == [b'["LAL@DEN"]', b"[]"]
    assert manifest == raw.Manifest(
        **PLACE,
        outcome=Outcome.PARTIAL,
        message="2 of 4 games: missing C@D; unsound E@F (short)",
        expected_from="schedule",
        games_expected=4,
        games_found=2,
        missing=("C@D", "E@F (short)"),
        requests=4,
        credits=6,
        objects=manifest.objects,
        finished_at=manifest.finished_at,
    )
    finished = datetime.fromisoformat(manifest.finished_at)
    assert (finished.utcoffset(), finished.microsecond % 1000) == (timedelta(0), 0)


@pytest.mark.parametrize(
    ("accept", "role", "suffix"),
    [("csv", "data", "csv"), ("csv", "listing", "json"), ("json", "data", "json")],
)
def test_body_is_named_by_what_it_holds(
    store: LocalStore, accept: Literal["json", "csv"], role: Role, suffix: str
) -> None:
    date = RawDate(replace(FREE, request=replace(FREE.request, accept=accept)), AT, store)
    date.put(fetched("a", "BOS@NYK", role=role))
    assert [o.path.split(".")[-2:] for o in date.objects] == [[suffix, "gz"]]


COMPLETE = Count(outcome=Outcome.COMPLETE, expected=1, found=1)
PARTIAL = Count(outcome=Outcome.PARTIAL, expected=2, found=1)


def scraped(store: LocalStore, counted: Count, order: datetime | None, *items: str) -> RawDate:
    """A scrape of these items, closed with the count."""
    date = RawDate(PER_GAME, AT, store, ordered_at=order)
    for item in items:
        date.put(fetched(item, "BOS@NYK"))
    date.close(counted, expected_from="schedule")
    return date


def test_whole_date_keeps_its_first_manifest_only_while_bodies_and_outcome_are_the_same(
    store: LocalStore,
) -> None:
    scraped(store, COMPLETE, None, "a")
    first = ended(store, *scraped(store, COMPLETE, None, "a").objects, outcome=Outcome.COMPLETE)
    scraped(store, COMPLETE, NOW, "a")
    assert raw.read_manifest(store, AT) == first
    for counted, items in ((replace(COMPLETE, outcome=Outcome.ACCEPTED), "a"), (COMPLETE, "ab")):
        ended(store, *first.objects, outcome=Outcome.COMPLETE)
        scraped(store, counted, NOW, *items)
        assert raw.read_manifest(store, AT) != first


def test_date_is_whole_when_it_is_done_and_no_order_is_open(store: LocalStore) -> None:
    assert not RawDate(PER_GAME, AT, store).whole
    scraped(store, PARTIAL, None, "a")
    assert not RawDate(PER_GAME, AT, store).whole
    scraped(store, COMPLETE, None, "a")
    assert RawDate(PER_GAME, AT, store).whole
    assert not RawDate(PER_GAME, AT, store, ordered_at=NOW).whole
    scraped(store, COMPLETE, NOW, "a")
    assert RawDate(PER_GAME, AT, store, ordered_at=NOW).whole


def test_order_that_ends_incomplete_keeps_the_games_that_it_has(store: LocalStore) -> None:
    date = RawDate(PER_GAME, AT, store, ordered_at=NOW)
    date.put(fetched("games", role="truth"))
    date.put(fetched("a", "BOS@NYK"))
    date.close(PARTIAL, expected_from="listing")
    found = progress(store, AT, NOW)
    assert (found.done, [o.item for o in found.objects]) == (False, ["a"])
    free = RawDate(FREE, AT, store, ordered_at=NOW)
    free.put(fetched("b", "BOS@NYK"))
    assert [o.item for o in progress(store, AT, NOW).objects] == ["a", "b"]
    free.close(PARTIAL, expected_from="listing")
    assert progress(store, AT, NOW).objects == ()


def test_body_that_many_dates_share_is_remembered_where_it_was_asked_for(
    store: LocalStore,
) -> None:
    def known() -> list[str]:
        since = datetime(2000, 1, 1, tzinfo=UTC)
        found = shared.newest(store, AT.dag_id, AT.endpoint, "2024-25", since=since)
        return [o.item for o in found]

    kept = RawDate(SEASON, AT, store)
    kept.keep(put(store, "kept", "BOS@NYK"))
    kept.close(COMPLETE, expected_from="schedule")
    assert known() == []
    asked = RawDate(SEASON, AT, store)
    asked.put(fetched("asked", "BOS@NYK"))
    asked.close(COMPLETE, expected_from="schedule")
    assert known() == ["asked"]
