"""The sound games of a partial date are in the warehouse, the others are not, and raw.date_status
says so."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from include.outcome import Outcome
from include.warehouse.local import LocalWarehouse
from tests.checks.kept import Kept
from tests.steps.sound_date import ENDPOINT, Date, date, scripted

__all__ = ["date", "scripted"]


def test_sound_games_of_a_partial_date_are_loaded_and_the_unsound_one_is_not(date: Date) -> None:
    row = date.run({"GSW@POR": 13, "MIA@BOS": 2})
    wrong = "missing LAL@DEN; unsound GSW@POR (points do not add up)"
    assert (row.outcome, row.rows, row.message) == (Outcome.PARTIAL, 2, f"1 of 3 games: {wrong}")
    assert date.loaded() == {"MIA@BOS": 2}
    missing = "LAL@DEN; GSW@POR (points do not add up)"
    assert date.status() == [("raw.scores", "partial", "schedule", 3, 1, 2, 0, missing, None)]


def test_game_that_the_schedule_does_not_know_is_not_loaded_with_a_partial_date(
    date: Date,
) -> None:
    date.run({"POR@GSW": 3, "MIA@BOS": 2})
    assert date.loaded() == {"MIA@BOS": 2}


def test_date_has_never_fewer_sound_games_than_lie_there(date: Date) -> None:
    whole = {"GSW@POR": 1, "MIA@BOS": 2, "LAL@DEN": 3}
    date.run(whole)
    assert date.run({"GSW@POR": 1, "MIA@BOS": 2}, refetch=True).outcome is Outcome.PARTIAL
    assert date.loaded() == whole
    assert date.run({"GSW@POR": 13, "MIA@BOS": 2, "LAL@DEN": 3}).outcome is Outcome.PARTIAL
    assert date.loaded() == whole
    assert date.status()[0][1] == "partial"


def test_partial_date_grows_and_what_has_come_is_no_correction(date: Date) -> None:
    date.run({"MIA@BOS": 2})
    row = date.run({"MIA@BOS": 2, "LAL@DEN": 3})
    assert (date.loaded(), row.changes_total) == ({"MIA@BOS": 2, "LAL@DEN": 3}, 0)
    row = date.run({"GSW@POR": 1, "MIA@BOS": 4, "LAL@DEN": 3})
    assert (row.outcome, row.changes_total) == (Outcome.COMPLETE, 2)
    assert date.status() == [("raw.scores", "complete", "schedule", 3, 3, 0, 0, None, None)]


def test_rerun_of_a_partial_date_changes_no_byte_where_upstream_did_not(date: Date) -> None:
    def files() -> dict[Path, bytes]:
        assert isinstance(date.kept.warehouse, LocalWarehouse)
        return {path: path.read_bytes() for path in date.kept.warehouse.root.rglob("*.parquet")}

    date.run({"GSW@POR": 13, "MIA@BOS": 2})
    before = files()
    date.run({"GSW@POR": 13, "MIA@BOS": 2})
    assert files() == before


def test_partial_schedule_leaves_its_table_as_it_is(date: Date) -> None:
    """Else the dates that are counted against it would be whole by half of it."""
    schedule = replace(date, endpoint=replace(ENDPOINT, is_schedule=True))
    assert schedule.run({"GSW@POR": 13, "MIA@BOS": 2}).outcome is Outcome.PARTIAL
    assert schedule.loaded() == {}
    assert schedule.status()[0][1:4] == ("partial", "schedule", 2)


def test_date_that_nobody_can_verify_is_told_but_not_loaded(tmp_path: Path, date: Date) -> None:
    unknown = replace(date, kept=Kept(tmp_path / "other"))
    assert unknown.run({"MIA@BOS": 2}).outcome is Outcome.UNVERIFIED
    assert unknown.loaded() == {}
    assert unknown.status() == [("raw.scores", "unverified", None, None, 1, 0, 0, None, None)]


def test_status_follows_what_the_schedule_learns_after_the_load(date: Date) -> None:
    whole = {"GSW@POR": 1, "MIA@BOS": 2, "LAL@DEN": 3}
    date.run(whole)
    date.kept.scheduled(dict.fromkeys([*whole, "UTA@PHX"], False))
    assert date.run(whole).outcome is Outcome.PARTIAL
    assert date.status() == [("raw.scores", "partial", "schedule", 4, 3, 1, 0, "UTA@PHX", None)]
