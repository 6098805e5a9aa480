"""A date is judged by its manifest, its bodies, its rows and the schedule together; looking at it
changes nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from include.checks.standing import standing
from include.errors import ErrorClass
from include.outcome import Outcome
from include.storage.raw import MANIFEST
from tests.checks.kept import DAY, SCORES, TABLE, Kept, partition

TWO = {"GSW@UTA": 2, "MIA@BOS": 3}
BOTH = {"GSW@UTA": False, "MIA@BOS": False}


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    return Kept(tmp_path)


def judged(kept: Kept, endpoint=SCORES) -> tuple[str, str, str]:
    """Outcome, message and error class; and nothing may have been written."""
    before = {path: path.stat().st_mtime_ns for path in kept.folder.rglob("*")}
    found = standing(endpoint, partition(), kept.store, kept.warehouse)
    assert {path: path.stat().st_mtime_ns for path in kept.folder.rglob("*")} == before
    assert (found.problem is None) == (found.done or found.outcome == Outcome.NOT_RUN)
    return found.outcome, found.message, str(found.problem.error_class) if found.problem else ""


def test_fetched_and_loaded_date_is_complete_with_its_rows_counted(kept: Kept) -> None:
    kept.scheduled(BOTH)
    kept.done(TWO)
    assert judged(kept) == ("complete", "2 of 2 games", "")
    assert standing(SCORES, partition(), kept.store, kept.warehouse).rows == 5


def test_source_that_knows_its_games_itself_needs_no_schedule(kept: Kept) -> None:
    kept.done(TWO)
    assert judged(kept) == ("complete", "2 of 2 games", "")


@pytest.mark.parametrize("load", [True, False])
def test_day_without_games_is_done_whether_loaded_or_not(kept: Kept, load: bool) -> None:
    kept.fetched({})
    if load:
        kept.loaded({})
    assert judged(kept) == ("no_games", "no games on this date", "")


@pytest.mark.parametrize("games", [{}, {"GSW@UTA": True}])
def test_off_day_of_the_schedule_need_not_be_fetched(kept: Kept, games: dict[str, bool]) -> None:
    kept.scheduled(games)
    assert judged(kept) == ("no_games", "no games on this date", "")


def test_day_that_nobody_knows_is_not_taken_for_an_off_day(kept: Kept) -> None:
    message = (
        "never fetched, and the schedule does not have the date either: `airflow dags backfill"
        " nbacom_schedule -s DATE -e DATE` gets it"
    )
    assert judged(kept) == (Outcome.NOT_RUN, message, "")


def test_day_with_games_that_was_never_fetched_says_how_many(kept: Kept) -> None:
    kept.scheduled({**BOTH, "LAL@DEN": True})
    assert judged(kept) == (Outcome.NOT_RUN, "never fetched, 2 games by the schedule", "")


def test_schedule_itself_is_not_excused_by_the_schedule(kept: Kept) -> None:
    kept.scheduled({})
    assert judged(kept, replace(SCORES, is_schedule=True)) == (Outcome.NOT_RUN, "never fetched", "")


@pytest.mark.parametrize(
    ("outcome", "found", "judged_as", "error_class"),
    [
        ("partial", 1, "partial", "incomplete"),
        ("partial", 0, "partial", "empty_unexpected"),
        ("unverified", 0, "unverified", "incomplete"),
        ("not_yet", 1, "partial", "incomplete"),
    ],
)
def test_incomplete_manifest_is_what_its_audit_would_call_it(
    kept: Kept, outcome: str, found: int, judged_as: str, error_class: str
) -> None:
    message = f"{found} of 2 games: missing MIA@BOS"
    kept.fetched(TWO, outcome=outcome, message=message, games_found=found, missing=("MIA@BOS",))
    assert judged(kept) == (judged_as, message, error_class)


def test_rows_that_were_never_loaded_are_missing(kept: Kept) -> None:
    kept.fetched(TWO)
    message = "raw.scores has other rows than raw: the partition is not there"
    assert judged(kept) == ("partial", message, "incomplete")


def test_rows_that_were_lost_are_named_game_by_game(kept: Kept) -> None:
    kept.fetched(TWO)
    kept.loaded({"GSW@UTA": 2, "MIA@BOS": 1, "LAL@DEN": 1})
    message = "raw.scores has other rows than raw: LAL@DEN 1 of 0 rows, MIA@BOS 1 of 3 rows"
    assert judged(kept) == ("partial", message, "incomplete")


def test_torn_partition_is_missing(kept: Kept) -> None:
    kept.done(TWO)
    kept.warehouse.part(TABLE, DAY).write_bytes(b"PAR1")
    message = "raw.scores has other rows than raw: the partition is not there"
    assert judged(kept) == ("partial", message, "incomplete")


def test_game_that_the_schedule_has_learnt_of_since_is_missing(kept: Kept) -> None:
    kept.done(TWO)
    kept.scheduled({**BOTH, "LAL@DEN": False})
    message = "the schedule changed since the fetch: 2 of 3 games: missing LAL@DEN"
    assert judged(kept) == ("partial", message, "incomplete")
    found = standing(SCORES, partition(), kept.store, kept.warehouse)
    assert found.manifest
    assert found.manifest.missing == ("LAL@DEN",)


def test_damaged_body_has_failed(kept: Kept) -> None:
    kept.done(TWO)
    kept.body().write_bytes(b"")
    assert judged(kept)[::2] == ("failed", str(ErrorClass.STORAGE))


def test_torn_manifest_has_failed(kept: Kept) -> None:
    kept.done(TWO)
    (kept.store.root / partition().prefix / MANIFEST).write_text("{")
    assert judged(kept)[::2] == ("failed", str(ErrorClass.STORAGE))
