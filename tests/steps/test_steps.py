"""A date from the upstream to its counted rows, and every way in which it is not whole."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from include.checks.rows import incomplete
from include.errors import ErrorClass, Problem
from include.steps.audit import Audited
from include.steps.scrape import Scraped
from include.storage import raw
from tests.steps.line import DAY, NO_GAMES, Line, refused, said
from tests.steps.one_date import BOX_SCORES

# --- whole dates


def test_date_is_fetched_loaded_and_counted(line: Line) -> None:
    games = line.listed()
    before = len(line.asked())

    scraped = line.scrape()

    manifest = scraped.manifest
    assert (scraped.requests, scraped.credits, line.asked()[before:]) == (
        2,
        0,
        ["/v1/games", "/v1/box_scores"],
    )
    assert said(manifest) == ("complete", "listing", ())
    assert (manifest.games_expected, manifest.games_found) == (len(games), len(games))
    assert manifest.message == f"{len(games)} of {len(games)} games"
    assert [(o.item, o.role, o.status, o.url.partition("?")[2]) for o in manifest.objects] == [
        ("games", "truth", 200, "dates%5B%5D=2025-01-15&per_page=100"),
        ("all", "data", 200, "date=2025-01-15"),
    ]
    assert line.objects() == ["all", "games"]
    assert not line.part.exists()

    loaded, audited = line.load(), line.audit()

    (data,) = manifest.data()
    expected = [
        {**row, "source_file": data.path}
        for row in BOX_SCORES.rows(raw.get_body(line.stores.raw, data), DAY)
    ]
    assert line.rows() == sorted(
        expected, key=lambda row: [row[name] for name in BOX_SCORES.table.key]
    )
    assert (loaded.rows, loaded.changed) == (len(expected), True)
    assert audited == Audited(manifest=manifest, rows=len(expected))
    assert {f"{row['away_tricode']}@{row['home_tricode']}" for row in expected} == set(games)


def test_date_without_games_is_an_empty_partition_and_no_failure(line: Line) -> None:
    line = replace(line, day=NO_GAMES)
    assert line.run() == ("no_games", 0)
    assert line.rows() == []
    found = line.manifest()
    assert (found.message, found.games_expected, found.requests) == (
        "no games on this date, by the source's own word",
        0,
        2,
    )


def test_rerun_of_a_whole_date_asks_nothing_and_changes_no_byte(line: Line) -> None:
    first = line.run()
    before = (
        len(line.asked()),
        line.part.read_bytes(),
        line.part.stat().st_mtime_ns,
        line.manifest_file.read_bytes(),
    )
    objects = line.objects()

    again = line.scrape()

    assert again == Scraped(manifest=line.manifest(), requests=0, credits=0)
    assert again.manifest.requests == 2
    assert line.load().changed is False
    assert line.run() == first
    assert (len(line.asked()), line.part.read_bytes(), line.part.stat().st_mtime_ns) == before[:3]
    assert (line.manifest_file.read_bytes(), line.objects()) == (before[3], objects)


# --- dates that are not whole


def test_missing_game_is_partial_and_the_warehouse_is_not_touched(line: Line) -> None:
    line.run()
    before = line.part.read_bytes()
    line.fault("missing_game")

    manifest = line.scrape(refetch=True).manifest

    missing, total = line.listed()[0], len(line.listed())
    message = f"{total - 1} of {total} games: missing {missing}"
    assert said(manifest) == ("partial", "listing", (missing,))
    assert (incomplete(manifest).error_class, incomplete(manifest).message) == (
        ErrorClass.INCOMPLETE,
        message,
    )
    problem = refused(line.load)
    assert (problem.error_class, problem.message) == (
        ErrorClass.STORAGE,
        f"the raw layer does not have the whole date ({message}): clear its task",
    )
    assert refused(line.audit).error_class is ErrorClass.STORAGE
    assert line.part.read_bytes() == before


def test_partial_date_is_asked_again_and_healed(line: Line) -> None:
    line.fault("missing_game", endpoint="box_scores", times=1)
    assert line.scrape().manifest.outcome == "partial"
    assert not line.part.exists()
    assert line.run()[0] == "complete"
    assert line.objects() == ["all", "all", "games"]
    assert len({row["source_file"] for row in line.rows()}) == 1


def test_late_game_is_missing_until_it_is_over(line: Line) -> None:
    line.fault("late_game")
    late = f"{line.listed()[0]} (unplayed)"
    assert said(line.scrape().manifest) == ("partial", "listing", (late,))
    line.sandbox.no_faults()
    assert line.run()[0] == "complete"


def test_unplayed_date_with_status_200_is_not_data(line: Line) -> None:
    line.fault("unplayed")
    manifest = line.scrape().manifest
    games = sorted(line.listed())
    assert said(manifest) == ("partial", "listing", tuple(f"{game} (unplayed)" for game in games))
    assert (manifest.games_found, incomplete(manifest).error_class) == (
        0,
        ErrorClass.EMPTY_UNEXPECTED,
    )


def test_postponed_game_is_not_waited_for(line: Line) -> None:
    line.fault("postponed")
    _, *others = line.listed()
    assert line.run()[0] == "complete"
    found = line.manifest()
    assert (found.games_expected, found.games_found) == (len(others), len(others))
    assert {f"{row['away_tricode']}@{row['home_tricode']}" for row in line.rows()} == set(others)


def test_empty_body_though_games_are_listed_is_not_an_empty_date(line: Line) -> None:
    line.fault("empty", endpoint="box_scores")
    manifest = line.scrape().manifest
    assert said(manifest) == ("partial", "listing", tuple(sorted(line.listed())))
    assert incomplete(manifest).error_class is ErrorClass.EMPTY_UNEXPECTED


def test_played_game_that_is_not_listed_makes_the_date_unverified(line: Line) -> None:
    line.fault("empty", endpoint="games")
    manifest = line.scrape().manifest
    assert (manifest.outcome, manifest.games_expected) == ("unverified", 0)
    assert incomplete(manifest).error_class is ErrorClass.INCOMPLETE
    line.sandbox.no_faults()
    assert (
        manifest.message == f"0 of 0 games: not in the schedule: {', '.join(sorted(line.listed()))}"
    )
    assert refused(line.load).error_class is ErrorClass.STORAGE


@pytest.mark.parametrize(
    ("kind", "error_class", "requests_sent"),
    [
        ("block_page_200", ErrorClass.BLOCKED, 4),
        ("truncated_json", ErrorClass.UPSTREAM_DOWN, 4),
        ("bad_key", ErrorClass.BAD_KEY, 1),
        ("schema_drift", ErrorClass.SCHEMA_DRIFT, 1),
    ],
)
def test_body_that_is_no_answer_fails_the_date_and_leaves_no_manifest(
    line: Line, kind: str, error_class: ErrorClass, requests_sent: int
) -> None:
    line.fault(kind, endpoint="box_scores")
    before = len(line.asked())
    problem = refused(line.scrape)
    assert (problem.error_class, len(line.asked()) - before) == (error_class, 1 + requests_sent)
    assert not line.manifest_file.exists()
    assert refused(line.load) == Problem(
        error_class=ErrorClass.STORAGE,
        message="the raw layer does not have the whole date (no manifest): clear its task",
        endpoint="box_scores",
        day=DAY,
    )
    line.sandbox.no_faults()
    assert line.run()[0] == "complete"


# --- when a date can be final


def test_moments_from_which_a_date_is_final_and_late_are_eastern() -> None:
    assert [BOX_SCORES.available_at(date(2025, 3, 8)), BOX_SCORES.late_at(date(2025, 3, 8))] == [
        datetime(2025, 3, 9, 10, tzinfo=UTC),
        datetime(2025, 3, 9, 19, tzinfo=UTC),
    ]
