"""From runs and the ledger's rows to how each date stands: nothing that was not heard of is called
well."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from include.ops.batches import BatchRun
from include.ops.outcomes import OutcomeRow, latest
from include.ops.results import find_recovered, gather_corrections, judge_dates
from include.outcome import Outcome
from include.results import Correction, DateResult

DAY = date(2025, 1, 15)
BEGAN = datetime(2025, 1, 16, 12, tzinfo=UTC)
SILENT = "ended without a word: cancelled, or its worker was lost"


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


def batch_run(state: str = "success", *, day: date = DAY, started: bool = True) -> BatchRun:
    return BatchRun(
        run_id=f"backfill__{day}",
        day=day,
        state=state,
        queued_at=BEGAN,
        started_at=BEGAN if started else None,
        ended_at=BEGAN,
    )


def results(runs: Sequence[BatchRun], rows: Sequence[OutcomeRow]) -> list[Any]:
    """(day, endpoint, outcome, message) of each result."""
    found = judge_dates(runs, latest(rows))
    return [(r.day, r.endpoint, r.outcome, r.message) for r in found]


def test_result_carries_what_the_last_row_says() -> None:
    facts = {
        "error_class": "incomplete",
        "fingerprint": "0" * 12,
        "message": "9 of 11 games",
        "log_url": "http://log",
    }
    counts = {"games_found": 9, "games_expected": 11, "missing": ("GSW@UTA", "MIA@BOS"), "rows": 0}
    (found,) = judge_dates([batch_run("failed")], latest([row("partial", **facts, **counts)]))
    assert found == DateResult(
        day=DAY,
        outcome=Outcome.PARTIAL,
        endpoint="box_scores",
        first_at=BEGAN,
        last_at=BEGAN + timedelta(seconds=5),
        **facts,
        **counts,
    )


def test_newest_row_of_each_endpoint_counts() -> None:
    rows = [
        row("lost"),
        row("failed", endpoint="plays", message="blocked"),
        row("complete"),
        row("lost", endpoint="plays"),
        row("no_games", endpoint="plays"),
    ]
    assert results([batch_run()], rows) == [
        (DAY, "box_scores", "complete", ""),
        (DAY, "plays", "no_games", ""),
    ]


def test_worker_that_was_killed_in_its_load_is_lost_as_its_row_says() -> None:
    killed = row("lost", message="nothing was heard after the load had begun")
    assert results([batch_run("failed")], [killed]) == [
        (DAY, "box_scores", "lost", "nothing was heard after the load had begun")
    ]


def test_run_that_failed_without_a_word_is_lost() -> None:
    assert results([batch_run("failed")], []) == [(DAY, "", "lost", SILENT)]


def test_failed_rerun_is_lost_although_an_earlier_try_had_completed() -> None:
    assert results([batch_run("failed")], [row("complete")]) == [(DAY, "", "lost", SILENT)]


def test_run_that_failed_in_the_endpoint_that_said_nothing_is_lost() -> None:
    rows = [row("complete", endpoint="box_scores")]
    assert results([batch_run("failed")], rows) == [(DAY, "", "lost", SILENT)]


def test_run_whose_end_nobody_noted_is_believed_its_audit() -> None:
    """A scheduler that was killed has not marked the run's end."""
    assert results([batch_run("running")], [row("complete")]) == [
        (DAY, "box_scores", "complete", "")
    ]


def test_cancelled_backfill_tells_dates_that_never_ran_from_those_that_were_stopped() -> None:
    later, last = DAY + timedelta(days=1), DAY + timedelta(days=2)
    runs = [
        batch_run(),
        batch_run("failed", day=later),
        batch_run("failed", day=last, started=False),
    ]
    assert results(runs, [row("complete")]) == [
        (DAY, "box_scores", "complete", ""),
        (later, "", "lost", SILENT),
        (last, "", "cancelled", "cancelled before it ran"),
    ]


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


# --- whatever runs and rows say

GREEN = ("complete", "no_games", "accepted")
SAID = (*GREEN, "lost", "failed", "partial", "not_yet")
DAYS = st.integers(0, 9).map(lambda n: DAY + timedelta(days=n))


RUN_LISTS = st.lists(
    st.builds(
        batch_run,
        st.sampled_from(["queued", "running", "success", "failed"]),
        day=DAYS,
        started=st.booleans(),
    ),
    unique_by=lambda run: run.day,
)
ROWS = st.lists(
    st.builds(
        row, st.sampled_from(SAID), day=DAYS, endpoint=st.sampled_from(["box_scores", "plays"])
    )
)


@given(RUN_LISTS, ROWS)
def test_every_date_of_a_batch_has_a_result_and_only_those_that_said_so_are_good(
    runs: list[BatchRun], rows: list[OutcomeRow]
) -> None:
    newest = latest(rows)
    results = judge_dates(runs, newest)
    assert {r.day for r in results} == {run.day for run in runs}
    assert len({(r.day, r.endpoint) for r in results}) == len(results)
    failed = {run.day for run in runs if run.state == "failed"}
    for result in results:
        said = newest.get((result.day, result.endpoint))
        assert result.outcome.done == (said is not None and said.outcome in GREEN), result
    assert failed <= {r.day for r in results if not r.outcome.done}
