"""From runs and the ledger's rows to how each date stands: what was not counted is never called
well."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.ops.batches import DELETED, BatchRun
from include.ops.db import connect
from include.ops.judgment import judge, judge_dates
from include.ops.outcomes import OutcomeRow, latest, record
from include.outcome import Outcome
from include.results import DateResult
from tests.ops.written import DAY, QUEUED, batch_run, write

BEGAN = datetime(2025, 1, 16, 12, tzinfo=UTC)
SILENT = "ended without a word: cancelled, or its worker was lost"
BY_HAND = "not counted: marked success by hand"
BOTH = ("box_scores", "plays")
GOOD = ("complete", "")


def row(outcome: str, endpoint: str = "box_scores", *, day: date = DAY, **more: Any) -> OutcomeRow:
    return OutcomeRow(
        **{
            "dag_id": "bdl",
            "endpoint": endpoint,
            "day": day,
            "run_id": "backfill__0",
            "attempt": 1,
            "phase": "audit",
            "outcome": Outcome(outcome),
            "started_at": BEGAN,
            "ended_at": BEGAN + timedelta(seconds=5),
            **more,
        }
    )


def standing(
    run: BatchRun, *rows: OutcomeRow, before: Sequence[OutcomeRow] = ()
) -> dict[str, tuple[str, str]]:
    """Endpoint -> outcome and message of the run that wrote these rows, after those ``before``."""
    heard = {(each.day, each.endpoint) for each in rows}
    found = judge_dates([run], latest([*before, *rows]), heard, BOTH)
    return {each.endpoint: (str(each.outcome), each.message) for each in found}


def test_result_carries_what_the_last_row_says() -> None:
    facts = {
        "error_class": "incomplete",
        "fingerprint": "0" * 12,
        "message": "9 of 11 games",
        "log_url": "http://log",
    }
    counts = {"games_found": 9, "games_expected": 11, "missing": ("GSW@UTA", "MIA@BOS"), "rows": 0}
    said = row("partial", **facts, **counts)
    (found,) = judge_dates(
        [batch_run(0, "failed")], latest([said]), {(DAY, "box_scores")}, ["box_scores"]
    )
    assert found == DateResult(
        day=DAY,
        outcome=Outcome.PARTIAL,
        endpoint="box_scores",
        first_at=BEGAN,
        last_at=BEGAN + timedelta(seconds=5),
        **facts,
        **counts,
    )


@pytest.mark.parametrize(
    ("run", "rows", "stands"),
    [
        # Every endpoint of the source has said so, whatever colour the run was given by hand.
        ("success", ("complete", "no_games"), (GOOD, ("no_games", ""))),
        ("failed", ("complete", "complete"), (GOOD, GOOD)),
        ("failed", ("complete", "partial"), (GOOD, ("partial", ""))),
        ("success", ("complete", "partial"), (GOOD, ("partial", ""))),
        # One that has not is not counted.
        ("success", ("complete", ""), (GOOD, ("not_run", BY_HAND))),
        ("failed", ("complete", ""), (GOOD, ("lost", SILENT))),
        ("failed", ("complete", "lost"), (GOOD, ("lost", ""))),
        ("success", ("", ""), ("not_run", BY_HAND)),
        ("failed", ("", ""), ("lost", SILENT)),
        (DELETED, ("", ""), ("not_run", "the date has no run")),
        (DELETED, ("complete", "failed"), (GOOD, ("failed", ""))),
    ],
)
def test_date_stands_by_what_each_endpoint_of_its_source_has_said(
    run: str, rows: tuple[str, str], stands: Any
) -> None:
    said = [row(each, endpoint) for each, endpoint in zip(rows, BOTH, strict=True) if each]
    expected = dict(zip(BOTH, stands, strict=True)) if any(rows) else {"": stands}
    assert standing(batch_run(0, run), *said) == expected


@pytest.mark.parametrize("by_hand", ["success", "failed"])
@pytest.mark.parametrize("wait", ["quota_wait", "not_yet"])
def test_date_that_was_ended_by_hand_while_it_waited_waits_no_more(wait: str, by_hand: str) -> None:
    waiting = row(wait, message="for credits until tomorrow")
    assert standing(batch_run(0, by_hand), waiting, row("complete", "plays")) == {
        "box_scores": (
            "not_run",
            f"not counted: marked {by_hand} by hand while it waited: for credits until tomorrow",
        ),
        "plays": GOOD,
    }
    running = standing(batch_run(0, "running"), waiting, row("complete", "plays"))
    assert running["box_scores"] == (wait, "for credits until tomorrow")


def test_date_that_another_run_waits_for_is_not_called_marked_by_hand() -> None:
    other = replace(row("not_yet", message="another run is at work"), run_id="another")
    assert standing(batch_run(0, "failed"), other, row("complete", "plays")) == {
        "box_scores": ("lost", SILENT),
        "plays": GOOD,
    }


def test_run_that_was_cancelled_before_it_began_has_one_word() -> None:
    assert standing(batch_run(0, "failed", started=False)) == {
        "": ("cancelled", "cancelled before it ran")
    }


@pytest.mark.parametrize(
    ("run", "stands"),
    [
        ("failed", {"": ("lost", SILENT)}),
        ("success", {"box_scores": GOOD, "plays": GOOD}),
        (DELETED, {"box_scores": GOOD, "plays": GOOD}),
    ],
)
def test_rerun_that_said_nothing_is_lost_where_all_was_well_before(run: str, stands: Any) -> None:
    before = [row("complete"), row("complete", "plays")]
    assert standing(batch_run(0, run), before=before) == stands


def test_rerun_that_said_nothing_of_what_had_failed_is_lost_there_alone() -> None:
    before = [row("failed", message="blocked"), row("complete", "plays")]
    assert standing(batch_run(0, "failed"), before=before) == {
        "box_scores": ("lost", SILENT),
        "plays": GOOD,
    }
    assert standing(batch_run(0, "success"), before=before) == {
        "box_scores": ("not_run", BY_HAND),
        "plays": GOOD,
    }
    assert standing(batch_run(0, DELETED), before=before) == {
        "box_scores": ("failed", "blocked"),
        "plays": GOOD,
    }
    assert standing(batch_run(0, "failed"), row("complete"), before=before[1:]) == {
        "box_scores": GOOD,
        "plays": ("lost", SILENT),
    }


# --- from the ledger


@pytest.fixture
def db(ops_db: str) -> Iterator[psycopg.Connection[Any]]:
    with connect(ops_db) as connection:
        connection.execute("TRUNCATE ops.batches, ops.outcomes CASCADE")
        connection.commit()
        yield connection


def test_ledger_is_read_as_it_was_at_a_moment(db: psycopg.Connection[Any]) -> None:
    record(db, row("failed", message="blocked"))
    first = write(db, "bdl:1:0", batch_run(0, "failed"))
    again = batch_run(0, queued=QUEUED + timedelta(days=1))
    record(db, row("complete", attempt=2))
    record(db, row("complete", day=DAY + timedelta(days=1), run_id="another"))

    then = judge(db, "bdl", [batch_run(0, "failed")], [], until=first.closed_at)
    now = judge(db, "bdl", [again], [])

    assert [(each.outcome, each.message) for each in then.results] == [("failed", "blocked")]
    assert [each.outcome for each in now.results] == ["complete"]
    assert [len(each) for each in (then.before, then.mine, now.before, now.mine)] == [0, 1, 1, 1]


def test_date_without_a_run_of_its_own_stands_by_whatever_run_has_made_it(
    db: psycopg.Connection[Any],
) -> None:
    record(db, row("complete"))
    gone = replace(batch_run(0, DELETED, started=False), run_id="deleted__1")
    (found,) = judge(db, "bdl", [gone], ["box_scores"]).results
    assert found.outcome is Outcome.COMPLETE


# --- whatever runs and rows say

SAID = ("complete", "no_games", "accepted", "lost", "failed", "partial", "not_yet")
DAYS = st.integers(0, 9).map(lambda n: DAY + timedelta(days=n))
RUN_LISTS = st.lists(
    st.builds(
        batch_run,
        st.integers(0, 9),
        st.sampled_from(["running", "success", "failed", DELETED]),
        started=st.booleans(),
    ),
    unique_by=lambda run: run.day,
)
ROWS = st.lists(st.builds(row, st.sampled_from(SAID), st.sampled_from(BOTH), day=DAYS))


@given(RUN_LISTS, ROWS, ROWS)
def test_every_date_of_a_batch_has_a_result_and_only_those_that_said_so_are_good(
    runs: list[BatchRun], before: list[OutcomeRow], mine: list[OutcomeRow]
) -> None:
    newest = latest([*before, *mine])
    heard = {(each.day, each.endpoint) for each in mine}
    results = judge_dates(runs, newest, heard, BOTH)
    assert {r.day for r in results} == {run.day for run in runs}
    assert len({(r.day, r.endpoint) for r in results}) == len(results)
    for run in runs:
        of_day = [each for each in results if each.day == run.day]
        said = [newest.get((run.day, endpoint)) for endpoint in BOTH]
        all_good = all(each is not None and each.outcome.done for each in said)
        own = all((run.day, endpoint) in heard for endpoint in BOTH)
        done = all(each.outcome.done for each in of_day)
        assert done == (all_good and (own or run.state != "failed"))
        assert run.state == "running" or not any(each.outcome.waits for each in of_day)
