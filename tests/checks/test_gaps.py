"""Gaps of a window: found date by date, from the data alone."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

from include.checks.gaps import Gap, find_gaps
from include.checks.standing import Fault
from include.outcome import Outcome
from tests.checks.kept import DAY, SOURCE, Kept


def after(days: int) -> date:
    return DAY + timedelta(days=days)


def test_each_date_gives_its_gap_or_nothing(tmp_path: Path) -> None:
    kept = Kept(tmp_path)
    kept.scheduled({}, after(1))
    kept.done({"GSW@UTA": 1})
    kept.fetched(
        {"GSW@UTA": 1}, after(2), outcome="partial", message="1 of 2 games", missing=("MIA@BOS",)
    )
    kept.scheduled({"GSW@UTA": False}, after(3))

    found = find_gaps(SOURCE, [("scores", after(n)) for n in range(4)], kept.store, kept.warehouse)

    assert list(found) == [
        None,
        None,
        Gap(
            endpoint="scores",
            day=after(2),
            outcome=Outcome.PARTIAL,
            message="1 of 2 games",
            missing=("MIA@BOS",),
            fault=Fault.MISSING_GAME,
        ),
        Gap(
            endpoint="scores",
            day=after(3),
            outcome=Outcome.NOT_RUN,
            message="never fetched, 1 games by the schedule",
            fault=Fault.MISSING_DATE,
        ),
    ]
