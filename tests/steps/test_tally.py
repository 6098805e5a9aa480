"""What is expected of a date, and where that comes from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from include.checks.completeness import Count
from include.outcome import Outcome
from include.parsing.nbacom import SCHEDULE
from include.sources.spec import Endpoint, Game, GameState
from include.steps.tally import Tally, scheduled
from include.warehouse.local import LocalWarehouse
from tests.steps.line import DAY
from tests.steps.one_date import BOX_SCORES

A, B, C = (
    Game(day=DAY, away=away, home="NYK", state=GameState.FINAL) for away in ("BOS", "LAL", "MIA")
)
OF_SCHEDULE = replace(BOX_SCORES, is_schedule=True, truth=None)
WITHOUT_TRUTH = replace(BOX_SCORES, truth=None)


def tally(
    endpoint: Endpoint, schedule: list[Game] | None, *listed: list[Game]
) -> tuple[str, bool, list[Game] | None, Count]:
    """(expected from, lacks schedule, expected, count) after the pages of ``listed``, one of the
    games being there."""
    found = Tally(endpoint, schedule)
    for page in listed:
        found.add_listed(page)
    found.add_present([A])
    return found.expected_from, found.lacks_schedule, found.expected, found.count()


def complete(games: int) -> Count:
    return Count(outcome=Outcome.COMPLETE, expected=games, found=games)


def test_schedule_that_has_the_date_is_what_is_expected() -> None:
    assert tally(BOX_SCORES, [A]) == ("schedule", False, [A], complete(1))
    assert tally(WITHOUT_TRUTH, [A]) == ("schedule", False, [A], complete(1))


def test_schedule_counts_before_the_sources_own_list() -> None:
    assert tally(BOX_SCORES, [A], [B]) == ("schedule", False, [A], complete(1))


def test_without_the_schedule_all_pages_of_the_sources_own_list_count() -> None:
    expected = Count(
        outcome=Outcome.PARTIAL, expected=2, found=1, missing=("LAL@NYK",), unexpected=()
    )
    assert tally(BOX_SCORES, None, [A], [B]) == ("listing", True, [A, B], expected)


def test_with_neither_nobody_knows() -> None:
    unknown = Count(outcome=Outcome.UNVERIFIED, expected=0, found=1)
    assert tally(WITHOUT_TRUTH, None) == ("", True, None, unknown)
    assert tally(BOX_SCORES, None) == ("listing", True, None, unknown)


def test_bodies_of_the_schedule_are_themselves_what_is_expected() -> None:
    assert tally(OF_SCHEDULE, None) == ("schedule", True, None, complete(1))


def test_bodies_that_come_one_after_another_are_counted_together() -> None:
    found = Tally(BOX_SCORES, [A, B, C])
    for game in (A, B, C):
        found.add_present([game])
    assert found.count() == complete(3)


@pytest.mark.parametrize(
    ("endpoint", "expected"), [(BOX_SCORES, (A,)), (OF_SCHEDULE, None)], ids=["other", "schedule"]
)
def test_schedule_is_read_for_all_endpoints_but_its_own(
    endpoint: Endpoint, expected: tuple[Game, ...] | None, tmp_path: Path
) -> None:
    warehouse = LocalWarehouse(tmp_path)
    assert scheduled(endpoint, DAY, warehouse) is None
    row = {
        "game_date": DAY,
        "game_id": "1",
        "away_tricode": "BOS",
        "home_tricode": "NYK",
        "season_type": "Regular Season",
        "counts": True,
        "postponed": False,
        "source_file": "x",
    }
    warehouse.replace(SCHEDULE, DAY, [row])
    assert scheduled(endpoint, DAY, warehouse) == expected
