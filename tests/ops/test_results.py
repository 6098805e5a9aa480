"""What the ledger's rows tell: what has recovered, and what was corrected upstream."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from include.ops.outcomes import OutcomeRow, latest
from include.ops.results import find_recovered, gather_corrections
from include.outcome import Outcome
from include.results import Correction, DateResult

DAY = date(2025, 1, 15)
BEGAN = datetime(2025, 1, 16, 12, tzinfo=UTC)


def row(outcome: str, *, endpoint: str = "box_scores", day: date = DAY, **more: Any) -> OutcomeRow:
    return OutcomeRow(
        dag_id="bdl",
        endpoint=endpoint,
        day=day,
        run_id=f"backfill__{day}",
        attempt=1,
        phase="audit",
        outcome=Outcome(outcome),
        started_at=BEGAN,
        ended_at=BEGAN + timedelta(seconds=5),
        **more,
    )


def test_recovered_are_dates_that_were_bad_and_are_done_in_all_their_endpoints() -> None:
    days = [DAY + timedelta(days=n) for n in range(4)]
    before = ("failed", "lost", "complete", "partial")
    earlier = latest([row(said, day=day) for day, said in zip(days, before, strict=True)])
    now = [DateResult(day=day, outcome=Outcome.COMPLETE, endpoint="box_scores") for day in days]
    now.append(DateResult(day=days[0], outcome=Outcome.ACCEPTED, endpoint="plays"))
    now.append(DateResult(day=days[3], outcome=Outcome.LOST, endpoint="plays"))
    assert find_recovered(now, earlier) == [days[0], days[1]]


# --- what the upstream has corrected

AST = "GSW@UTA, Stephen Curry, GSW, player_id 115: ast 6 -> 7"
PTS = "GSW@UTA, Stephen Curry, GSW, player_id 115: pts 20 -> 22"


def load(
    *changes: str, day: date = DAY, endpoint: str = "box_scores", total: int | None = None
) -> OutcomeRow:
    count = len(changes) if total is None else total
    counts = {"changes": changes, "changes_total": count}
    return row("complete", day=day, endpoint=endpoint, **counts)


def test_corrections_are_gathered_per_date_and_endpoint() -> None:
    later = DAY + timedelta(days=1)
    rows = [
        load(AST, total=9),
        load(),
        load(PTS, day=later),
        load(PTS, endpoint="plays"),
        load(PTS),
    ]
    assert gather_corrections(rows) == [
        Correction(day=DAY, endpoint="box_scores", changes=(AST, PTS), total=10),
        Correction(day=later, endpoint="box_scores", changes=(PTS,), total=1),
        Correction(day=DAY, endpoint="plays", changes=(PTS,), total=1),
    ]


def test_load_that_was_killed_and_tried_again_tells_its_corrections_once() -> None:
    once = [Correction(day=DAY, endpoint="box_scores", changes=(AST,), total=1)]
    killed = replace(load(AST), phase="load", outcome=Outcome.LOST)
    assert gather_corrections([killed, load(AST)]) == once  # before the rows were replaced
    assert gather_corrections([killed, load()]) == once  # and after
    assert gather_corrections([killed, killed, load(), load()]) == once
    failed = replace(load(), outcome=Outcome.FAILED)
    assert gather_corrections([killed, failed, load()]) == once


def test_load_that_was_killed_and_never_tried_again_has_corrected_nothing() -> None:
    killed = replace(load(AST), phase="load", outcome=Outcome.LOST)
    assert (
        gather_corrections([killed, replace(load(), outcome=Outcome.FAILED)])
        == gather_corrections([killed])
        == []
    )


def test_value_that_is_corrected_back_and_forth_is_told_each_time() -> None:
    (found,) = gather_corrections([load(AST), load(PTS), load(AST)])
    assert (found.changes, found.total) == ((AST, PTS, AST), 3)
