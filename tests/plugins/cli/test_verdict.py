"""The command's verdict: every date of the window by its count, and what to do about it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

from include.ops.batches import DELETED
from include.outcome import Outcome
from include.partition import DateRange
from include.results import Correction, DateResult
from nba_airflow.cli.verdict import Verdict, list_runs
from nba_airflow.metadata.runs import Run

DAY = date(2025, 1, 15)
BEGAN = datetime(2025, 1, 16, 12, tzinfo=UTC)
AST = "GSW@UTA, Stephen Curry, GSW, player_id 115: ast 6 -> 7"


def after(days: int) -> date:
    return DAY + timedelta(days=days)


def run(state: str, *, started: bool = True) -> Run:
    at = BEGAN if started else None
    return Run(day=DAY, run_id="b", state=state, backfill_id=1, queued_at=BEGAN, started_at=at)


def result(days: int, outcome: Outcome, message: str = "", **more: Any) -> DateResult:
    return DateResult(day=after(days), outcome=outcome, message=message, **more)


def test_every_date_of_the_window_has_a_run_or_a_stand_in() -> None:
    there = {DAY: run("success")}
    found = list_runs(DateRange(DAY, after(1)), there)
    assert [(each.day, each.state) for each in found] == [(DAY, "success"), (after(1), DELETED)]
    assert found[0] == there[DAY]


def test_verdict_is_done_only_when_every_endpoint_of_every_date_is() -> None:
    good = [result(n, each) for n, each in enumerate(Outcome) if each.done]
    assert Verdict(dag_id="bdl", results=good, mail="").all_done is True
    for outcome in (each for each in Outcome if not each.done):
        bad = result(9, outcome, endpoint="plays")
        assert Verdict(dag_id="bdl", results=[*good, bad], mail="").all_done is False


def test_verdict_groups_the_dates_that_failed_alike_and_says_how_to_heal_them() -> None:
    results = [result(n, Outcome.COMPLETE) for n in (0, 3)]
    for n in (1, 2, 4):
        message = f"a page instead of JSON for {after(n)}"
        results.append(result(n, Outcome.FAILED, message, error_class="blocked"))
    results.append(result(5, Outcome.PARTIAL, "9 of 11 games", endpoint="plays"))
    verdict = Verdict(dag_id="bdl", results=results, mail="/srv/outbox/1.eml")
    assert verdict.lines() == [
        "2 complete, 3 failed, 1 partial",
        (
            "  failed (blocked): 2025-01-16..2025-01-17, 2025-01-19:"
            " e.g. 2025-01-16: a page instead of JSON for 2025-01-16"
        ),
        "  partial plays: 2025-01-20: 9 of 11 games",
        (
            "Run them again: airflow dags backfill bdl -s 2025-01-16 -e 2025-01-20"
            " --rerun-failed-tasks -y"
        ),
        "Summary mail: /srv/outbox/1.eml",
    ]
    assert verdict.facts()["dates"]["2025-01-20"] == {
        "outcome": Outcome.PARTIAL,
        "message": "9 of 11 games",
    }


def test_verdict_tells_done_dates_apart_as_its_mail_does() -> None:
    outcomes = [Outcome.NO_GAMES, *[Outcome.COMPLETE] * 2, Outcome.NOT_RUN]
    results = [result(n, each) for n, each in enumerate(outcomes)]
    totals = Verdict(dag_id="bdl", results=results, mail="").lines()[0]
    assert totals == "2 complete, 1 without games, 1 not_run"


def test_verdict_says_of_each_incomplete_date_what_it_lacks() -> None:
    results = [result(n, Outcome.PARTIAL, f"{n} of 9 games: missing GSW@UTA") for n in range(23)]
    lines = Verdict(dag_id="bdl", results=results, mail="").lines()
    assert lines[1:3] == [
        "  partial: 2025-01-15..2025-02-06",
        "    2025-01-15: 0 of 9 games: missing GSW@UTA",
    ]
    assert lines[21:23] == [
        "    2025-02-03: 19 of 9 games: missing GSW@UTA",
        "    and 3 more dates, which -o json names",
    ]


def test_verdict_names_twenty_corrections_and_counts_the_rest() -> None:
    many = tuple(f"GSW@UTA: ast {n} -> 0" for n in range(30))
    verdict = Verdict(
        dag_id="bdl",
        results=[DateResult(day=DAY, outcome=Outcome.COMPLETE)],
        mail="/srv/outbox/1.eml",
        corrections=[
            Correction(day=DAY, endpoint="box_scores", changes=(AST,), total=1),
            Correction(day=DAY, endpoint="plays", changes=many, total=250),
        ],
    )
    assert verdict.lines() == [
        "1 complete",
        "Corrected upstream: 251 changes on 1 date",
        f"  2025-01-15 box_scores: {AST}",
        *(f"  2025-01-15 plays: GSW@UTA: ast {n} -> 0" for n in range(19)),
        "  and 231 more: see the tasks' logs",
        "Summary mail: /srv/outbox/1.eml",
    ]
    assert verdict.all_done is True
    first, second = verdict.facts()["corrections"]
    assert first == {"day": DAY, "endpoint": "box_scores", "changes": (AST,), "total": 1}
    assert (len(second["changes"]), second["total"]) == (30, 250)
