"""What lasts is not asked again; a game that is missing at first heals with a rerun."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from include.errors import ErrorClass
from tests.steps.bench import Bench
from tests.steps.errors.cases import (
    BDL,
    DAY,
    DRIVE,
    GAMES,
    LASTING,
    LINES,
    LOGS,
    PASSING,
    PLAYS,
    PROPS,
    SCHEDULE,
    SOUND,
    judged,
    named,
    strike,
)


@pytest.mark.parametrize(("at", "kind", "more", "error_class", "requests"), LASTING, ids=named)
def test_what_lasts_is_never_asked_again(
    bench: Bench,
    tmp_path: Path,
    at: tuple[str, str],
    kind: str,
    more: dict[str, Any],
    error_class: str,
    requests: int,
) -> None:
    strike(bench.sandbox, at, kind, **more)
    ended = bench.run(at, DAY, tmp_path, requests=requests)
    outcome = "partial" if error_class in ("incomplete", "empty_unexpected") else "failed"
    assert judged(ended) == (outcome, error_class, requests)
    if at != SCHEDULE:  # its table has the date already, and is never replaced by half of one
        assert len(ended.sound) == _games_found(ended.message)


def _games_found(message: str) -> int:
    """``3 of 4 games: ...`` -> 3: so many are loaded."""
    found = re.match(r"(\d+) of \d+ games", message)
    return int(found[1]) if found else 0


# A game that is missing at first: the fault, and what the rerun asks for.
HEALING: tuple[tuple[tuple[str, str], str, dict[str, Any], int], ...] = (
    (BDL, "missing_game", {"endpoint": "box_scores"}, 1),
    (SCHEDULE, "late_game", {"day": str(DAY)}, 1),
    (LOGS, "missing_game", {}, 1),
    (PLAYS, "empty", {"times": 1}, 1),
    (
        PROPS,
        "missing_game",
        {"endpoint": "events", "day": str(DAY)},
        2,
    ),  # the list, and that game's odds
    (
        PROPS,
        "empty",
        {"endpoint": "event_odds", "times": 1},
        1,
    ),  # the list has all games: it is not bought again
    (LINES, "missing_game", {"endpoint": "odds", "day": str(DAY)}, 1),
    (DRIVE, "missing_game", {"endpoint": "list"}, 2),
)


@pytest.mark.parametrize(("at", "kind", "more", "requests"), HEALING, ids=named)
def test_partial_date_heals_with_a_rerun_that_asks_for_what_is_missing(
    bench: Bench,
    tmp_path: Path,
    at: tuple[str, str],
    kind: str,
    more: dict[str, Any],
    requests: int,
) -> None:
    strike(bench.sandbox, at, kind, **more)
    assert bench.run(at, DAY, tmp_path, requests=1).outcome == "partial"
    bench.sandbox.no_faults()
    assert judged(bench.run(at, DAY, tmp_path, requests=requests)) == ("complete", "", requests)


@pytest.mark.parametrize("at", [LOGS, DRIVE], ids=named)
def test_without_the_schedule_a_date_is_unverified(
    bench: Bench, tmp_path: Path, at: tuple[str, str]
) -> None:
    ended = bench.run(at, DAY, tmp_path, requests=SOUND[at], scheduled=False)
    assert judged(ended) == ("unverified", "incomplete", SOUND[at])
    assert (
        ended.message
        == f"{GAMES} games found, but which were to be played is not known: load nbacom_schedule"
        " first"
    )


def test_every_class_is_provoked() -> None:
    here = {"bad_key", "internal", "not_found", "rate_limited", "storage"}
    assert here | set(PASSING.values()) | {line[3] for line in LASTING} == {
        str(each) for each in ErrorClass
    }
