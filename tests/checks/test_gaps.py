"""Gaps of a window: found date by date, folded by likeness, with the commands that fill them."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

from include.checks.gaps import Gap, GapGroup, filling, find_gaps, folded
from include.outcome import Outcome
from tests.checks.kept import DAY, SOURCE, Kept


def after(days: int) -> date:
    return DAY + timedelta(days=days)


def gap(
    days: int,
    message: str = "never fetched",
    *,
    endpoint: str = "scores",
    outcome: Outcome = Outcome.NOT_RUN,
) -> Gap:
    return Gap(endpoint=endpoint, day=after(days), outcome=outcome, message=message)


def test_each_date_gives_its_gap_or_nothing(tmp_path: Path) -> None:
    kept = Kept(tmp_path)
    kept.scheduled({}, after(1))
    kept.done({"GSW@UTA": 1})
    kept.fetched(
        {"GSW@UTA": 1},
        after(2),
        outcome=Outcome.PARTIAL,
        message="1 of 2 games",
        missing=("MIA@BOS",),
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
        ),
        gap(3, "never fetched, 1 games by the schedule"),
    ]


def test_gaps_that_differ_in_numbers_only_are_one_group_and_the_largest_comes_first() -> None:
    found = [
        gap(3, "1 of 9 games: missing MIA@BOS", outcome=Outcome.PARTIAL),
        gap(2, "never fetched, 11 games by the schedule"),
        gap(0, "never fetched, 2 games by the schedule"),
        gap(0, "never fetched, 2 games by the schedule", endpoint="plays"),
    ]
    assert folded(found) == [
        GapGroup(
            endpoint="scores",
            outcome=Outcome.NOT_RUN,
            message="never fetched, 2 games by the schedule",
            days=(after(0), after(2)),
        ),
        GapGroup(
            endpoint="plays",
            outcome=Outcome.NOT_RUN,
            message="never fetched, 2 games by the schedule",
            days=(after(0),),
        ),
        GapGroup(
            endpoint="scores",
            outcome=Outcome.PARTIAL,
            message="1 of 9 games: missing MIA@BOS",
            days=(after(3),),
        ),
    ]


def test_each_range_has_its_command_until_there_are_too_many() -> None:
    command = "airflow dags backfill kept -s {} -e {} --reset-dagruns -y"
    assert filling("kept", []) == []
    assert filling("kept", [after(0), after(1), after(4)]) == [
        command.format("2025-01-15", "2025-01-16"),
        command.format("2025-01-19", "2025-01-19"),
    ]
    assert filling("kept", [after(2 * n) for n in range(6)]) == [
        command.format("2025-01-15", "2025-01-25")
    ]


def test_dates_that_lack_different_games_are_told_apart() -> None:
    found = [
        Gap(
            endpoint="scores",
            day=after(n),
            outcome=Outcome.PARTIAL,
            message=f"1 of 2 games: missing {game}",
            missing=(game,),
        )
        for n, game in enumerate(("GSW@UTA", "MIA@BOS"))
    ]
    assert [(group.message, group.days) for group in folded(found)] == [
        ("1 of 2 games: missing GSW@UTA", (after(0),)),
        ("1 of 2 games: missing MIA@BOS", (after(1),)),
    ]
