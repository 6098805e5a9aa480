"""What a batch amounts to, in a phrase."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, timedelta

import pytest

from include.mail.headline import word_headline, word_lede, word_subject
from include.mail.render import render
from include.mail.report import Report
from include.outcome import Outcome
from include.results import DateResult

MakeReport = Callable[..., Report]
START = date(2010, 1, 1)


@pytest.mark.parametrize(
    ("outcomes", "fields", "wanted", "line"),
    [
        ([Outcome.COMPLETE] * 3, {}, "[OK] {}: 3 dates complete", "All 3 dates are complete"),
        ([Outcome.COMPLETE], {}, "[OK] {}: 1 date complete", "The date is complete"),
        (
            [Outcome.COMPLETE, Outcome.NO_GAMES],
            {"recovered": [START]},
            "[OK] {}: 2 dates complete, 1 recovered",
            "All 2 dates are done: 1 complete, 1 without games",
        ),
        (
            [Outcome.NO_GAMES] * 2,
            {},
            "[OK] {}: 2 dates complete",
            "All 2 dates are without games",
        ),
        (
            [Outcome.COMPLETE, Outcome.NO_GAMES, Outcome.ACCEPTED],
            {},
            "[OK] {}: 2 of 3 dates complete, 1 accepted",
            "All 3 dates are done: 1 complete, 1 without games, 1 accepted",
        ),
        (
            [Outcome.COMPLETE, Outcome.FAILED],
            {},
            "[1 failed] {}: 1 of 2 dates complete",
            "1 of 2 dates failed",
        ),
        ([Outcome.FAILED] * 2, {}, "[2 failed] {}: 0 of 2 dates complete", "All 2 dates failed"),
        (
            [Outcome.COMPLETE, Outcome.PARTIAL],
            {},
            "[1 incomplete] {}: 1 of 2 dates complete",
            "1 of 2 dates is incomplete",
        ),
        (
            [Outcome.UNVERIFIED],
            {},
            "[1 unverified] {}: 0 of 1 date complete",
            "The date is unverified",
        ),
        (
            [Outcome.COMPLETE, Outcome.LOST, Outcome.NOT_YET],
            {},
            "[2 not run] {}: 1 of 3 dates complete",
            "2 of 3 dates did not run",
        ),
        (
            [Outcome.CANCELLED] * 2,
            {},
            "[2 cancelled] {}: 0 of 2 dates complete",
            "All 2 dates are cancelled",
        ),
        (
            [Outcome.CANCELLED] * 2 + [Outcome.NOT_RUN],
            {},
            "[2 cancelled, 1 not run] {}: 0 of 3 dates complete",
            "2 cancelled and 1 not run of 3 dates",
        ),
        (
            [Outcome.FAILED, Outcome.PARTIAL, Outcome.COMPLETE],
            {},
            "[1 failed, 1 incomplete] {}: 1 of 3 dates complete",
            "1 failed and 1 incomplete of 3 dates",
        ),
        (
            [Outcome.COMPLETE, Outcome.FAILED, Outcome.CANCELLED],
            {"state": "cancelled"},
            "[Cancelled] {}: 1 of 3 dates complete, 1 failed, 1 cancelled",
            "Cancelled after 2 of 3 dates",
        ),
        (
            [Outcome.FAILED, Outcome.HALTED],
            {"state": "halted"},
            "[Halted] {}: 0 of 2 dates complete, 1 failed, 1 not run",
            "Halted by the circuit breaker after 1 of 2 dates",
        ),
        (
            [Outcome.COMPLETE, Outcome.ACCEPTED],
            {"recovered": [START]},
            "[OK] {}: 1 of 2 dates complete, 1 accepted, 1 recovered",
            "1 of 2 dates is complete, 1 is accepted",
        ),
        (
            [Outcome.ACCEPTED] * 2,
            {},
            "[OK] {}: 0 of 2 dates complete, 2 accepted",
            "All 2 dates are accepted",
        ),
        (
            [Outcome.ACCEPTED, Outcome.FAILED],
            {},
            "[1 failed] {}: 0 of 2 dates complete, 1 accepted",
            "1 of 2 dates failed",
        ),
        ([], {}, "[Nothing ran] {}: no dates ran", "No dates ran"),
    ],
)
def test_subject_and_headline_say_how_it_went(
    make_report: MakeReport,
    outcomes: list[Outcome],
    fields: dict[str, object],
    wanted: str,
    line: str,
) -> None:
    dates = [
        DateResult(day=START + timedelta(days=n), outcome=outcome)
        for n, outcome in enumerate(outcomes)
    ]
    report = make_report(dates, first_day=START, last_day=date(2010, 1, 9), **fields)
    assert word_subject(report) == wanted.format("bdl_box_scores 2010-01-01..2010-01-09")
    assert word_headline(report) == line


@pytest.mark.parametrize(
    ("outcomes", "said"),
    [
        (
            [Outcome.COMPLETE, Outcome.NO_GAMES, Outcome.ACCEPTED],
            "Every expected game is in the warehouse, except for what was accepted on 1 date.",
        ),
        (
            [Outcome.COMPLETE, Outcome.NO_GAMES, Outcome.ACCEPTED, Outcome.FAILED, Outcome.LOST],
            "1 date is complete, 1 is without games, 1 is accepted, 1 did not run.",
        ),
    ],
)
def test_accepted_dates_are_named_and_never_called_complete(
    make_report: MakeReport, outcomes: list[Outcome], said: str
) -> None:
    report = make_report(
        [DateResult(day=START + timedelta(n), outcome=each) for n, each in enumerate(outcomes)]
    )
    assert word_lede(report, errors=1) == said
    assert re.findall(r"^Accepted +1 ", render(report).text, re.MULTILINE)


def test_cancelled_dates_are_not_among_those_that_did_not_run(make_report: MakeReport) -> None:
    outcomes = [Outcome.COMPLETE, Outcome.CANCELLED, Outcome.CANCELLED, Outcome.LOST]
    report = make_report(
        [DateResult(day=START + timedelta(n), outcome=each) for n, each in enumerate(outcomes)]
    )
    assert word_lede(report, errors=0) == "1 date is complete, 2 are cancelled, 1 did not run."
    assert "\n3 DATES NOT RUN\n" in render(report).text


def test_mail_names_what_was_accepted_in_both_parts(make_report: MakeReport) -> None:
    said = "9 of 10 games; accepted: GSW@POR (140 points, the team 139): for ever (ann)"
    report = make_report(
        [DateResult(day=date(2024, 10, 23), outcome=Outcome.ACCEPTED, message=said)]
    )
    mail = render(report)
    for part in (mail.text, mail.html):
        assert "own word: 1 date" in part.lower()
        assert "GSW@POR (140 points, the team 139): for ever (ann)" in " ".join(part.split())


def test_mail_says_what_a_date_lacks_that_is_done(make_report: MakeReport) -> None:
    said = "made, but 3 of 500 bets not settled, 2 players not in the box scores"
    dates = [(date(2025, 1, 15), said), (date(2025, 1, 16), "")]
    report = make_report(
        [DateResult(day=day, outcome=Outcome.COMPLETE, message=told) for day, told in dates]
    )
    text = " ".join(render(report).text.split())
    assert "own word: 1 date" in text.lower()
    assert f"2025-01-15, {said}" in text


def test_mail_marks_a_date_that_is_empty_by_the_sources_own_word(make_report: MakeReport) -> None:
    said = "no games on this date, by the source's own word"
    report = make_report(
        [DateResult(day=date(2021, 1, 12), outcome=Outcome.NO_GAMES, message=said)]
    )
    assert "2021-01-12, no games on this date, by the source's own word" in render(report).text
