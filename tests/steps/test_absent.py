"""One item that the upstream does not have: the others are fetched and loaded, the absent one is
named; refused everything, the date ends as before."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import nullcontext, suppress
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from include.checks.acceptance import list_wrong
from include.errors import Problem
from include.http.client import Client, Policy
from include.http.upstream import Upstream
from include.ops.outcomes import OutcomeRow
from include.sources.spec import Game, Get, Item, Listing
from include.steps.attempt import attempt
from include.steps.entry import Entry
from include.steps.job import Job, Stores, Wire
from include.storage import raw
from include.storage.accepted import Acceptance, change_accepted
from tests.checks.kept import DAY, SCORES, SOURCE, Kept, partition
from tests.http.conftest import scripted
from tests.http.scripted import Scripted, Step, reply
from tests.steps.one_date import OpenGate

__all__ = ["scripted"]

GAMES = ("GSW@POR", "LAL@DEN", "MIA@BOS")
DENIED = b"<HTML><HEAD><TITLE>Access Denied</TITLE></HEAD></HTML>"
ALONE = (
    "status 403 for it alone: the upstream does not have it; rerun the date later, or"
    " `airflow nba accept` the game"
)
EVENT = json.dumps({"message": "Event not found", "error_code": "EVENT_NOT_FOUND"}).encode()


def items(listing: Listing) -> list[Item]:
    return [Item(name=str(game), values={"game": str(game)}) for game in listing.expected or ()]


def item_of(game: Game) -> str:
    return str(game)


ENDPOINT = replace(
    SCORES,
    request=Get(path="/game/{game}"),
    items=items,
    item_of=item_of,
    per_game=True,
)


def box(game: str) -> Step:
    return reply(200, json.dumps({game: 2}).encode())


def run(kept: Kept, scripted: Scripted, answers: Sequence[Step]) -> OutcomeRow:
    """One try of the date; the upstream answers so, in order, and the client asks once."""
    scripted.steps[:] = answers
    told: list[OutcomeRow] = []
    entry = Entry(partition(), told.append, run_id="r")
    with Client(OpenGate(), policy=Policy(max_requests=1, backoff=0.01)) as client:
        upstream = Upstream(name="kept", base_url=scripted.url, key="key")
        wire = Wire(client=client, upstreams={"kept": upstream})
        job = Job(
            source=SOURCE,
            endpoint=ENDPOINT,
            partition=partition(),
            stores=Stores(raw=kept.store, warehouse=kept.warehouse),
            reach=lambda: nullcontext(wire),
        )
        with suppress(Problem), entry.recorded():
            attempt(job, entry)
    return told[-1]


def again(kept: Kept, scripted: Scripted, *answers: Step) -> OutcomeRow:
    """Another try; whatever else it asks for has no answer."""
    return run(kept, scripted, answers)


def manifest(kept: Kept) -> raw.Manifest:
    found = raw.read_manifest(kept.store, partition())
    assert found
    return found


def accept_missing(kept: Kept) -> None:
    """As the command leaves it."""
    found = [
        Acceptance(wrong=each, reason="for ever", by="ann", at="2026-01-01")
        for each in list_wrong(manifest(kept))
    ]
    change_accepted(kept.store, partition(), lambda there: found)


def loaded(kept: Kept, day: date = DAY) -> set[str]:
    return {row["game_id"] for row in kept.warehouse.rows(ENDPOINT.table, day) or ()}


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    found = Kept(tmp_path)
    found.scheduled(dict.fromkeys(GAMES, False))
    return found


@pytest.mark.parametrize("at", [0, 1, 2])
@pytest.mark.parametrize(
    ("refusal", "said"),
    [
        (reply(404, EVENT), "kept: EVENT_NOT_FOUND: the event is not in that snapshot"),
        (reply(404, b"{}"), "kept: the upstream does not have it"),
        (reply(403, DENIED), f"{ALONE})"),
        (reply(403, b"{}"), f"{ALONE})"),
    ],
    ids=["event", "404", "403 page", "403"],
)
def test_one_absent_item_does_not_end_the_date(
    kept: Kept, scripted: Scripted, refusal: Step, said: str, at: int
) -> None:
    answers = [box(game) for game in GAMES]
    answers[at] = refusal
    row = run(kept, scripted, answers)
    others = {*GAMES} - {GAMES[at]}
    assert (row.outcome, row.requests, loaded(kept)) == ("partial", 3, others)
    assert row.message.startswith(f"2 of 3 games: missing {GAMES[at]} ({said}")


def test_address_that_is_refused_everything_is_blocked_after_two_items(
    kept: Kept, scripted: Scripted
) -> None:
    row = run(kept, scripted, [reply(403, DENIED)] * 3)
    assert (row.outcome, row.error_class, row.requests) == ("failed", "blocked", 2)


def test_address_that_is_refused_all_that_is_left_is_blocked(
    kept: Kept, scripted: Scripted
) -> None:
    run(kept, scripted, [box(GAMES[0]), reply(404, EVENT), reply(404, EVENT)])
    row = again(kept, scripted, reply(403, DENIED), reply(403, DENIED))
    assert (row.outcome, row.error_class, row.requests) == ("failed", "blocked", 2)


def test_one_item_that_stays_absent_does_not_block_the_address(
    kept: Kept, scripted: Scripted
) -> None:
    first = run(kept, scripted, [box(GAMES[0]), reply(403, DENIED), box(GAMES[2])])
    row = again(kept, scripted, reply(403, DENIED))
    assert (row.outcome, row.message, row.requests) == ("partial", first.message, 1)


def test_block_page_of_status_200_is_about_the_address(kept: Kept, scripted: Scripted) -> None:
    row = run(kept, scripted, [box(GAMES[0]), reply(200, DENIED), box(GAMES[2])])
    assert (row.outcome, row.error_class, row.requests) == ("failed", "blocked", 2)


def test_events_that_are_all_gone_are_all_named(kept: Kept, scripted: Scripted) -> None:
    row = run(kept, scripted, [reply(404, EVENT)] * 3)
    assert (row.outcome, row.error_class, row.games_found) == ("partial", "empty_unexpected", 0)
    assert row.message.count("EVENT_NOT_FOUND") == 3


def drifted(game: str) -> Step:
    return reply(200, json.dumps([game]).encode())


@pytest.mark.parametrize("at", [0, 1, 2])
def test_body_of_another_form_is_named_and_the_others_are_loaded(
    kept: Kept, scripted: Scripted, at: int
) -> None:
    answers = [box(game) for game in GAMES]
    answers[at] = drifted(GAMES[at])
    row = run(kept, scripted, answers)
    others = {*GAMES} - {GAMES[at]}
    assert (row.outcome, row.error_class, row.requests) == ("partial", "schema_drift", 3)
    assert row.message == f"2 of 3 games: missing {GAMES[at]} (body is a list)"
    assert loaded(kept) == others
    roles = {each.item: each.role for each in manifest(kept).objects}
    assert roles == {**dict.fromkeys(others, "data"), GAMES[at]: "drifted"}


def test_date_with_a_body_of_another_form_can_be_accepted(kept: Kept, scripted: Scripted) -> None:
    run(kept, scripted, [box(GAMES[0]), drifted(GAMES[1]), box(GAMES[2])])
    accept_missing(kept)
    row = again(kept, scripted)
    assert (row.outcome, row.requests) == ("accepted", 0)
    assert loaded(kept) == {GAMES[0], GAMES[2]}


def test_body_of_another_form_counts_once_it_can_be_read(kept: Kept, scripted: Scripted) -> None:
    run(kept, scripted, [box(GAMES[0]), drifted(GAMES[1]), box(GAMES[2])])
    row = again(kept, scripted, box(GAMES[1]))
    assert (row.outcome, row.requests, loaded(kept)) == ("complete", 1, {*GAMES})


def test_source_whose_form_has_changed_for_all_is_asked_twice(
    kept: Kept, scripted: Scripted
) -> None:
    row = run(kept, scripted, list(map(drifted, GAMES)))
    assert (row.outcome, row.error_class, row.requests) == ("failed", "schema_drift", 2)


@pytest.mark.parametrize(
    ("answers", "named"),
    [
        ([reply(403, DENIED)], ["GSW@POR (kept: an HTML page instead of data"]),
        ([drifted("GSW@POR")], ["GSW@POR (body is a list)"]),
    ],
    ids=["403", "another form"],
)
def test_date_whose_only_game_cannot_be_had_can_be_accepted(
    tmp_path: Path, scripted: Scripted, answers: list[Step], named: list[str]
) -> None:
    kept = Kept(tmp_path)
    kept.scheduled({"GSW@POR": False})
    assert run(kept, scripted, answers).outcome == "failed"
    (missing,) = manifest(kept).missing
    assert missing.startswith(named[0])
    assert [each.item for each in manifest(kept).data()] == []
    accept_missing(kept)
    row = again(kept, scripted)
    assert (row.outcome, row.requests, loaded(kept)) == ("accepted", 0, set())


def test_refusals_of_everything_leave_a_manifest_as_it_is(kept: Kept, scripted: Scripted) -> None:
    run(kept, scripted, [box(GAMES[0]), reply(404, EVENT), box(GAMES[2])])
    before = manifest(kept)
    for path in (kept.store.root / partition().prefix).glob("*.gz"):
        path.unlink()
    assert run(kept, scripted, [reply(403, DENIED)] * 3).outcome == "failed"
    assert manifest(kept) == before
