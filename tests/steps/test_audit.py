"""The schedule table as the truth, and the audit that counts the warehouse against it and against
raw."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from include.checks.standing import standing
from include.errors import ErrorClass
from include.outcome import Outcome
from include.steps.audit import Audited
from tests.steps.line import DAY, NO_GAMES, Line, refused, said
from tests.steps.one_date import BOX_SCORES, partition

# --- the schedule table


def test_schedule_that_has_the_date_saves_the_request_for_the_list_of_games(line: Line) -> None:
    line.schedule(line.listed())
    before = len(line.asked())
    assert said(line.scrape().manifest) == ("complete", "schedule", ())
    assert line.asked()[before:] == ["/v1/box_scores"]
    assert line.objects() == ["all"]


def test_schedule_without_games_on_the_date_is_believed(line: Line) -> None:
    line = replace(line, day=NO_GAMES)
    line.schedule([])
    assert line.run() == ("no_games", 0)


def test_game_that_the_schedule_does_not_know_makes_the_date_unverified(line: Line) -> None:
    first, *others = line.listed()
    line.schedule(others)
    manifest = line.scrape().manifest
    assert (manifest.outcome, manifest.message) == (
        "unverified",
        f"{len(others)} of {len(others)} games: not in the schedule: {first}",
    )


def test_game_that_the_schedule_has_postponed_is_not_waited_for(line: Line) -> None:
    line.schedule(line.listed(), postponed=["AAA@BBB"])
    assert line.run()[0] == "complete"


def test_date_is_not_done_any_more_when_the_schedule_learns_of_a_game_and_is_asked_for_again(
    line: Line,
) -> None:
    before_that = line.scrape().manifest
    line.load()
    games = line.listed()
    line.schedule([*games, "AAA@BBB"])

    audited = line.audit()

    total = len(games)
    stale = replace(
        before_that,
        outcome=Outcome.PARTIAL,
        message=f"the schedule changed since the fetch: {total} of {total + 1} games: missing"
        " AAA@BBB",
        games_expected=total + 1,
        missing=("AAA@BBB",),
    )
    assert audited == Audited(manifest=stale, rows=len(line.rows()))
    assert line.manifest() == stale
    before = len(line.asked())
    assert said(line.scrape().manifest) == ("partial", "schedule", ("AAA@BBB",))
    assert line.asked()[before:] == ["/v1/box_scores"]
    line.schedule(games)
    assert line.run()[0] == "complete"


# --- the audit


@pytest.mark.parametrize("damage", ["deleted", "torn", "other rows"])
def test_audit_heals_a_partition_that_is_not_what_raw_holds(
    line: Line, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    rows = line.run()[1]
    whole = line.part.read_bytes()
    before = len(line.asked())
    match damage:
        case "deleted":
            line.part.unlink()
        case "torn":
            line.part.write_bytes(whole[: len(whole) // 2])
        case "other rows":
            line.stores.warehouse.replace(BOX_SCORES.table, DAY, line.rows()[1:])
    with caplog.at_level(logging.WARNING, logger="include.steps.audit"):
        assert line.audit().rows == rows
    (warning,) = caplog.messages
    at = partition(line.endpoint, line.day)
    assert warning.startswith(f"{at}: {line.endpoint.table} is not what raw holds (")
    assert warning.endswith("); loading it again")
    assert line.part.read_bytes() == whole
    assert len(line.asked()) == before


def test_audit_heals_an_empty_date_too(line: Line) -> None:
    line = replace(line, day=NO_GAMES)
    line.run()
    line.part.unlink()
    line.audit()
    assert line.rows() == []


def test_audit_and_load_name_a_raw_object_that_is_gone(line: Line) -> None:
    line.run()
    (lost,) = line.folder.glob("all-*.gz")
    lost.unlink()
    for step in (line.load, line.audit):
        problem = refused(step)
        assert problem.error_class is ErrorClass.STORAGE
        assert f"{lost.name} is missing" in problem.message
    assert line.scrape(refetch=True).manifest.outcome == "complete"
    assert line.run()[0] == "complete"


def test_endpoint_that_gives_fewer_rows_than_its_games_have_is_not_called_complete(
    line: Line,
) -> None:
    def short(body: bytes, day: date) -> list[Any]:
        return list(BOX_SCORES.rows(body, day))[2:]

    line = replace(line, endpoint=replace(BOX_SCORES, rows=short))
    line.scrape()
    line.load()
    problem = refused(line.audit)
    assert problem.error_class is ErrorClass.INCOMPLETE
    assert problem.message.startswith("raw.bdl_box_scores has other rows than raw: ")


def test_empty_date_by_the_sources_own_word_is_marked_and_a_gap_once_the_schedule_has_games(
    line: Line,
) -> None:
    line = replace(line, day=NO_GAMES)
    line.run()
    found = line.manifest()
    marked = "no games on this date, by the source's own word"
    assert (found.outcome, found.message) == ("no_games", marked)
    line.schedule(["GSW@UTA"])
    said = standing(
        line.endpoint,
        partition(line.endpoint, NO_GAMES),
        line.stores.raw,
        line.stores.warehouse,
    )
    message = "the schedule changed since the fetch: 0 of 1 games: missing GSW@UTA"
    assert (said.outcome, said.message) == (Outcome.PARTIAL, message)
