"""A report: its totals, its incomplete dates, and what it refuses."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import pytest

from include.mail.render import LIMITS, render
from include.mail.report import Report, count_dates, list_incomplete
from include.mail.usage import Usage, list_usage
from include.mail.view import make_view
from include.outcome import Outcome
from include.results import DateResult

MakeReport = Callable[..., Report]
DAY = date(2024, 11, 3)
START = datetime(2026, 10, 1, 10, tzinfo=UTC)


def test_totals_count_each_date_once_good_ones_first(make_report: MakeReport) -> None:
    outcomes = [*Outcome, Outcome.FAILED]
    report = make_report(
        [DateResult(day=DAY + timedelta(n), outcome=each) for n, each in enumerate(outcomes)]
        + [DateResult(day=DAY, outcome=Outcome.COMPLETE, endpoint="game_lines")]
    )
    found = count_dates(report)
    assert list(found) == [
        Outcome.COMPLETE,
        Outcome.NO_GAMES,
        Outcome.ACCEPTED,
        *(each for each in Outcome if not each.done),
    ]
    assert found == {**dict.fromkeys(Outcome, 1), Outcome.FAILED: 2}


def test_incomplete_lists_partial_dates_that_know_their_games(make_report: MakeReport) -> None:
    partial = {"outcome": Outcome.PARTIAL, "games_found": 3}
    known = DateResult(day=DAY, games_expected=5, **partial)
    report = make_report(
        [
            DateResult(day=DAY + timedelta(2), **partial),
            known,
            DateResult(
                day=DAY + timedelta(1), outcome=Outcome.FAILED, games_found=0, games_expected=5
            ),
        ]
    )
    assert list_incomplete(report) == [known]


def test_two_results_of_one_date_and_endpoint_are_refused(make_report: MakeReport) -> None:
    twice = DateResult(day=DAY, outcome=Outcome.COMPLETE, endpoint="box_scores")
    with pytest.raises(
        ValueError,
        match=r"^batch 42: box_scores 2024-11-03 is reported twice; give the last attempt$",
    ):
        make_report([twice, twice])


def test_end_without_zone_is_refused(make_report: MakeReport) -> None:
    naive = datetime(2026, 10, 1, 10)  # noqa: DTZ001  refused for that
    with pytest.raises(ValueError, match=r"^batch 42: 2026-10-01 10:00:00 has no time zone$"):
        make_report([], ended_at=naive)


def test_usage_names_what_bigquery_bills_and_nothing_of_another_warehouse(
    make_report: MakeReport,
) -> None:
    dates = [DateResult(day=DAY, outcome=Outcome.COMPLETE)]
    (line,) = [
        each
        for each in list_usage(make_report(dates, warehouse_jobs=1200, bytes_billed=2**37))
        if each.label == "BigQuery"
    ]
    assert line == Usage(label="BigQuery", actual="1,200 jobs, 137.4 GB billed, $0.7812")
    assert "BigQuery" not in {each.label for each in list_usage(make_report(dates))}


def test_usage_names_the_operations_on_a_bucket_against_those_planned(
    make_report: MakeReport,
) -> None:
    dates = [DateResult(day=DAY, outcome=Outcome.COMPLETE)]
    taken = make_report(dates, bucket_writes=2000, bucket_reads=1, planned_operations=1600)
    (line,) = [each for each in list_usage(taken) if each.label == "Bucket"]
    assert line == Usage(
        label="Bucket",
        actual="2,000 writes, 1 read, $0.01",
        planned="1,600",
        deviation="+25 %",
    )
    assert "Bucket" not in {each.label for each in list_usage(make_report(dates))}


@pytest.mark.parametrize(
    ("counts", "shares"),
    [
        ((151, 9), ["94.4 %", "5.6 %"]),
        ((5, 1, 1), ["71.4 %", "14.3 %", "14.3 %"]),
        ((107, 6, 4), ["91.5 %", "5.1 %", "3.4 %"]),
    ],
)
def test_shares_of_the_mails_dates_add_up_to_all_of_them(
    make_report: MakeReport, counts: tuple[int, ...], shares: list[str]
) -> None:
    kinds = (Outcome.COMPLETE, Outcome.NO_GAMES, Outcome.FAILED)
    outcomes = [kind for kind, count in zip(kinds, counts, strict=False) for _ in range(count)]
    dates = [DateResult(day=DAY + timedelta(n), outcome=each) for n, each in enumerate(outcomes)]
    assert [each.share for each in make_view(make_report(dates), LIMITS[0]).totals] == shares


@pytest.mark.parametrize(
    ("took", "planned", "words"),
    [
        (341.0, 355.0, ("5 min 41 s", "5 min 55 s", "-4 %")),
        (300.4, 360.0, ("5 min", "6 min", "-17 %")),
        (8070.0, 7470.0, ("2 h 14 min", "2 h 4 min", "+8 %")),
        (200.0, 100.0, ("3 min 20 s", "1 min 40 s", "")),
    ],
)
def test_how_far_off_the_plan_follows_from_what_is_read(
    make_report: MakeReport, took: float, planned: float, words: tuple[str, str, str]
) -> None:
    report = make_report(
        [DateResult(day=DAY, outcome=Outcome.COMPLETE)],
        ended_at=START + timedelta(seconds=took),
        started_at=START,
        planned_minutes=planned / 60,
    )
    line = next(each for each in list_usage(report) if each.label == "Duration")
    assert (line.actual, line.planned, line.deviation) == words


def test_each_of_several_commands_has_a_line_of_its_own(make_report: MakeReport) -> None:
    commands = ["airflow dags backfill kept -s 2025-01-15", "airflow dags backfill kept -s 2025-02"]
    bad = [DateResult(day=DAY, outcome=Outcome.FAILED)]
    rendered = render(make_report(bad, rerun_command="\n".join(commands)))
    assert [line for line in rendered.text.splitlines() if line in commands] == commands
    block = re.findall(r"<pre[^>]*>(.*?)</pre>", rendered.html, re.DOTALL)[0]
    assert re.sub(r"<[^>]+>", "", block).splitlines() == commands
    assert "\n" not in "".join(re.findall(r"<span[^>]*>([^<]*)</span>", block))
