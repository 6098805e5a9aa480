"""From runs and the ledger's rows to how each date stands: nothing that was not heard of is called
well."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from include.mail.batch_report import date_results, rerun_command
from include.mail.report import DateResult
from include.ops.batches import BatchRun
from include.ops.outcomes import OutcomeRow, latest
from include.outcome import Outcome
from nba_airflow.cli.verdict import Verdict, standing
from nba_airflow.metadata.runs import Run

DAY = date(2025, 1, 15)
BEGAN = datetime(2025, 1, 16, 12, tzinfo=UTC)
SILENT = "ended without a word: cancelled, or its worker was lost"


def row(
    outcome: str, *, endpoint: str = "box_scores", day: date = DAY, task: str = "audit", **more: Any
) -> OutcomeRow:
    return OutcomeRow(
        dag_id="bdl",
        endpoint=endpoint,
        day=day,
        run_id=f"backfill__{day}",
        task=task,
        attempt=1,
        outcome=outcome,
        started_at=BEGAN,
        ended_at=BEGAN + timedelta(seconds=5),
        **more,
    )


def batch_run(state: str = "success", *, day: date = DAY, started: bool = True) -> BatchRun:
    return BatchRun(
        run_id=f"backfill__{day}",
        day=day,
        state=state,
        started_at=BEGAN if started else None,
        ended_at=BEGAN,
    )


def results(
    runs: Sequence[BatchRun], rows: Sequence[OutcomeRow], *, cancelled: bool = False
) -> list[Any]:
    """(day, endpoint, outcome, message) of each result."""
    found = date_results(runs, latest(rows), cancelled=cancelled)
    return [(r.day, r.endpoint, r.outcome, r.message) for r in found]


# --- the mail's results


def test_result_carries_what_the_last_row_says() -> None:
    facts = {
        "error_class": "incomplete",
        "fingerprint": "0" * 12,
        "message": "9 of 11 games",
        "log_url": "http://log",
    }
    counts = {"games_found": 9, "games_expected": 11, "missing": ("GSW@UTA", "MIA@BOS"), "rows": 0}
    (found,) = date_results(
        [batch_run("failed")], latest([row("partial", **facts, **counts)]), cancelled=False
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


def test_newest_row_of_each_endpoint_counts() -> None:
    rows = [
        row("fetched", task="scrape"),
        row("failed", endpoint="plays", message="blocked"),
        row("loaded", task="load"),
        row("complete"),
        row("fetched", endpoint="plays", task="scrape"),
        row("no_games", endpoint="plays"),
    ]
    assert results([batch_run()], rows) == [
        (DAY, "box_scores", "complete", ""),
        (DAY, "plays", "no_games", ""),
    ]


@pytest.mark.parametrize(("outcome", "task"), [("fetched", "scrape"), ("loaded", "load")])
def test_worker_that_was_killed_after_a_step_is_lost_not_well(outcome: str, task: str) -> None:
    message = f"nothing was heard after `{task}`: the worker was killed or lost"
    assert results([batch_run("failed")], [row(outcome, task=task, message="384 rows")]) == [
        (DAY, "box_scores", "lost", message)
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
    assert results(runs, [row("complete")], cancelled=True) == [
        (DAY, "box_scores", "complete", ""),
        (later, "", "lost", SILENT),
        (last, "", "cancelled", "cancelled before it ran"),
    ]


def test_rerun_command_spans_the_bad_dates_and_is_empty_without_any() -> None:
    days = [date(2025, 1, 15), date(2025, 1, 3), date(2025, 1, 4)]
    assert (
        rerun_command("bdl", days)
        == "airflow dags backfill bdl -s 2025-01-03 -e 2025-01-15 --rerun-failed-tasks -y"
    )
    assert rerun_command("bdl", []) == ""


# --- the command's verdict


def run(state: str) -> Run:
    return Run(day=DAY, run_id="backfill__2025-01-15", state=state, backfill_id=1)


LOST = "it was cancelled, or its worker was lost"


@pytest.mark.parametrize(
    ("state", "rows", "stands"),
    [
        ("success", [row("complete")], (Outcome.COMPLETE, "")),
        (
            "success",
            [row("accepted", message="GSW@UTA"), row("complete", endpoint="plays")],
            (Outcome.ACCEPTED, ""),
        ),
        ("success", [row("no_games", message="no games on this date")], (Outcome.NO_GAMES, "")),
        ("success", [row("no_games"), row("complete", endpoint="plays")], (Outcome.COMPLETE, "")),
        ("failed", [row("partial", message="9 of 11 games")], (Outcome.PARTIAL, "9 of 11 games")),
        (
            "failed",
            [row("complete"), row("failed", endpoint="plays", message="blocked")],
            (Outcome.FAILED, "blocked"),
        ),
        (
            "failed",
            [
                row("unverified", message="no schedule"),
                row("failed", endpoint="plays", message="blocked"),
            ],
            (Outcome.FAILED, "blocked"),
        ),
        (
            "failed",
            [row("fetched", task="scrape")],
            (Outcome.LOST, "nothing was heard after `scrape`: the worker was killed or lost"),
        ),
        (
            "failed",
            [row("loaded", task="load"), row("partial", endpoint="plays", message="9 of 11 games")],
            (Outcome.PARTIAL, "9 of 11 games"),
        ),
        (
            "failed",
            [row("complete")],
            (Outcome.LOST, f"the run is failed without an outcome: {LOST}"),
        ),
        ("failed", [], (Outcome.LOST, f"the run is failed without an outcome: {LOST}")),
        ("success", [], (Outcome.LOST, f"the run is success without an outcome: {LOST}")),
        (
            "running",
            [row("complete")],
            (Outcome.LOST, f"the run is running without an outcome: {LOST}"),
        ),
    ],
)
def test_date_stands_as_its_worst_endpoint_and_never_better_than_its_run(
    state: str, rows: list[OutcomeRow], stands: tuple[Outcome, str]
) -> None:
    assert standing(run(state), rows) == stands


def test_date_without_a_run_is_not_run() -> None:
    assert standing(None, []) == (Outcome.NOT_RUN, "the date has no run")


def test_verdict_is_done_only_when_every_date_is() -> None:
    good = {
        DAY + timedelta(days=n): (outcome, "")
        for n, outcome in enumerate(each for each in Outcome if each.done)
    }
    assert Verdict(dag_id="bdl", days=good, mail="").all_done is True
    for outcome in (each for each in Outcome if not each.done):
        days = {**good, DAY + timedelta(days=3): (outcome, "why")}
        assert Verdict(dag_id="bdl", days=days, mail="").all_done is False


def test_verdict_groups_the_dates_that_failed_alike_and_says_how_to_heal_them() -> None:
    def blocked(day: date) -> tuple[Outcome, str]:
        return Outcome.FAILED, f"a page instead of JSON for {day}"

    days = {day: (Outcome.COMPLETE, "") for day in (DAY + timedelta(days=n) for n in range(6))}
    days |= {day: blocked(day) for day in (DAY + timedelta(days=n) for n in (1, 2, 4))}
    days[DAY + timedelta(days=5)] = (Outcome.PARTIAL, "9 of 11 games")
    verdict = Verdict(dag_id="bdl", days=days, mail="/srv/outbox/1.eml")
    assert verdict.text().splitlines() == [
        "2 complete, 3 failed, 1 partial",
        "  failed: 2025-01-16..2025-01-17, 2025-01-19: a page instead of JSON for 2025-01-16",
        "  partial: 2025-01-20: 9 of 11 games",
        (
            "Run them again: airflow dags backfill bdl -s 2025-01-16 -e 2025-01-20"
            " --rerun-failed-tasks"
        ),
        "Summary mail: /srv/outbox/1.eml",
    ]
