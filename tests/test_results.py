"""Results of dates: a date is as good as its worst table, and no time is without its zone."""

from __future__ import annotations

from datetime import date, datetime

import pytest

from include.outcome import Outcome
from include.results import DateResult, find_worst


def test_a_date_is_only_as_good_as_its_worst_endpoint() -> None:
    first, second = date(2024, 11, 3), date(2024, 11, 4)
    results = [
        DateResult(day=second, outcome=Outcome.NO_GAMES, endpoint="player_props"),
        DateResult(day=second, outcome=Outcome.COMPLETE, endpoint="game_lines"),
        DateResult(day=first, outcome=Outcome.COMPLETE, endpoint="player_props"),
        DateResult(day=first, outcome=Outcome.PARTIAL, endpoint="game_lines"),
    ]
    worst = find_worst(results)
    assert list(worst.items()) == [(first, results[3]), (second, results[1])]


def test_time_without_zone_is_refused() -> None:
    naive = datetime(2026, 10, 1, 10)  # noqa: DTZ001  what is tested
    said = r"^box_scores 2024-11-03: 2026-10-01 10:00:00 has no time zone$"
    for field in ("first_at", "last_at"):
        with pytest.raises(ValueError, match=said):
            DateResult(
                day=date(2024, 11, 3),
                outcome=Outcome.FAILED,
                endpoint="box_scores",
                **{field: naive},
            )
