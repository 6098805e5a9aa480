"""What a person has accepted of a date turns it green, without a request, and nothing else does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from include.checks.acceptance import accept
from include.checks.gaps import find_gaps
from include.checks.standing import standing
from include.outcome import Outcome
from include.sources.spec import Game, Row
from include.storage import raw
from include.storage.accepted import Acceptance, change_accepted
from tests.checks.kept import DAY, SCORES, SOURCE, partition, rows
from tests.steps.sound_date import Date, date, scripted

__all__ = ["date", "scripted"]

UNSOUND = {"GSW@POR": 13, "MIA@BOS": 2, "LAL@DEN": 3}
WRONG = "GSW@POR (points do not add up)"


def accepted(date: Date, *wrong: str, until: str = "") -> None:
    """As the command leaves it."""
    found = [
        Acceptance(wrong=each, reason="for ever", by="ann", at="2026-01-01", until=until)
        for each in wrong
    ]
    change_accepted(date.kept.store, partition(), lambda there: found)


def requests(date: Date) -> int:
    return len(date.scripted.seen)


def test_accepted_date_is_green_without_a_request_and_its_game_is_loaded(date: Date) -> None:
    assert date.run(UNSOUND).outcome is Outcome.PARTIAL
    asked = requests(date)
    accepted(date, WRONG)
    row = date.run(UNSOUND)
    assert (row.outcome, row.requests, requests(date)) == (Outcome.ACCEPTED, 0, asked)
    assert row.message == f"2 of 3 games; accepted: {WRONG}: for ever (ann)"
    assert date.loaded() == UNSOUND
    assert date.status() == [("raw.scores", "accepted", "schedule", 3, 2, 0, 1, None, WRONG)]
    found = standing(date.endpoint, partition(), date.kept.store, date.kept.warehouse)
    assert (found.outcome, found.problem) == (Outcome.ACCEPTED, None)


def test_accepted_game_that_is_not_there_has_no_rows(date: Date) -> None:
    date.run({"GSW@POR": 1, "MIA@BOS": 2})
    accepted(date, "LAL@DEN missing")
    assert date.run({}).outcome is Outcome.ACCEPTED
    assert date.loaded() == {"GSW@POR": 1, "MIA@BOS": 2}


def test_date_with_something_else_wrong_is_red(date: Date) -> None:
    date.run({"GSW@POR": 13, "MIA@BOS": 2})
    accepted(date, WRONG)
    assert date.run({"GSW@POR": 13, "MIA@BOS": 2}).outcome is Outcome.PARTIAL
    accepted(date, WRONG, "LAL@DEN missing")
    assert date.run({}).outcome is Outcome.ACCEPTED
    row = date.run({"MIA@BOS": 2, "LAL@DEN": 3}, refetch=True)
    assert (row.outcome, row.message) == (Outcome.PARTIAL, "2 of 3 games: missing GSW@POR")


def test_date_that_upstream_has_repaired_is_complete_whatever_was_accepted(date: Date) -> None:
    date.run(UNSOUND)
    accepted(date, WRONG)
    sound = {**UNSOUND, "GSW@POR": 4}
    assert date.run(sound, refetch=True).outcome is Outcome.COMPLETE
    assert date.loaded() == sound


def test_game_that_the_schedule_learns_of_after_the_acceptance_is_red(date: Date) -> None:
    date.run(UNSOUND)
    accepted(date, WRONG)
    date.run(UNSOUND)
    date.kept.scheduled(dict.fromkeys([*UNSOUND, "UTA@PHX"], False))
    (gap,) = find_gaps(SOURCE, [("scores", DAY)], date.kept.store, date.kept.warehouse)
    assert gap
    assert gap.outcome is Outcome.PARTIAL
    assert date.run(UNSOUND).outcome is Outcome.PARTIAL


def test_acceptance_ends_when_it_was_said_to(date: Date) -> None:
    date.run(UNSOUND)
    today = datetime.now(UTC).date()
    accepted(date, WRONG, until=str(today + timedelta(days=2)))
    assert date.run(UNSOUND).outcome is Outcome.ACCEPTED
    accepted(date, WRONG, until=str(today - timedelta(days=2)))
    assert date.run(UNSOUND).outcome is Outcome.PARTIAL


def test_game_that_the_schedule_does_not_know_can_be_accepted(date: Date) -> None:
    played = {"GSW@POR": 1, "MIA@BOS": 2, "LAL@DEN": 3, "UTA@PHX": 4}
    assert date.run(played).outcome is Outcome.UNVERIFIED
    accepted(date, "UTA@PHX not in the schedule")
    assert date.run(played).outcome is Outcome.ACCEPTED
    assert date.loaded() == played


def test_date_of_which_nobody_knows_the_games_is_not_green_by_acceptance(date: Date) -> None:
    date.run(UNSOUND)
    accepted(date, WRONG)
    manifest = raw.read_manifest(date.kept.store, partition())
    assert manifest
    given = [Acceptance(wrong=WRONG, reason="for ever", by="ann", at="2026-01-01", until="")]
    known = accept(manifest, given, datetime.now(UTC).date())
    unknown = replace(manifest, outcome=Outcome.UNVERIFIED, expected_from="")
    assert known.outcome is Outcome.ACCEPTED
    assert accept(unknown, given, datetime.now(UTC).date()).outcome is Outcome.UNVERIFIED


def one_row_twice(body: bytes, day: Any) -> Iterator[Row]:
    """As of a player who is listed twice in one game."""
    for row in rows(body, day):
        yield row
        if (row["game_id"], row["number"]) == ("GSW@POR", 0):
            yield row


def test_accepted_game_whose_rows_no_partition_can_hold_leaves_the_others_loaded(
    date: Date,
) -> None:
    date = replace(date, endpoint=replace(SCORES, rows=one_row_twice))
    others = {"MIA@BOS": 2, "LAL@DEN": 3}
    assert (date.run(UNSOUND).outcome, date.loaded()) == (Outcome.PARTIAL, others)
    manifest = raw.read_manifest(date.kept.store, partition())
    assert manifest
    accepted(date, *manifest.unsound)
    assert (date.run(UNSOUND).outcome, date.loaded()) == (Outcome.ACCEPTED, others)


def item_of(game: Game) -> str:
    """GSW@POR came in a body that is not its own."""
    return {"GSW@POR": "another"}.get(str(game), "all")


def test_accepted_game_that_came_in_the_body_of_another_has_no_rows(date: Date) -> None:
    date = replace(date, endpoint=replace(SCORES, item_of=item_of))
    row = date.run(UNSOUND)
    said = "2 of 3 games: missing GSW@POR (GSW@POR came in the body of all)"
    assert (row.outcome, row.message) == (Outcome.PARTIAL, said)
    accepted(date, "GSW@POR missing")
    assert date.run(UNSOUND).outcome is Outcome.ACCEPTED
    assert date.loaded() == {"MIA@BOS": 2, "LAL@DEN": 3}


def test_date_whose_rows_are_of_older_bodies_is_a_gap(date: Date) -> None:
    sound = {**UNSOUND, "GSW@POR": 4}
    date.run(sound)
    before = date.kept.warehouse.rows(date.endpoint.table, DAY)
    assert before
    date.kept.warehouse.replace(
        date.endpoint.table, DAY, [{**row, "source_file": "older"} for row in before]
    )
    found = standing(date.endpoint, partition(), date.kept.store, date.kept.warehouse)
    assert (found.outcome, found.message) == (
        Outcome.PARTIAL,
        f"{date.endpoint.table} has rows of older bodies than raw: run the date again",
    )
