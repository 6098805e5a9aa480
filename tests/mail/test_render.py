from __future__ import annotations

import re
from binascii import b2a_qp
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from html import unescape
from html.parser import HTMLParser

from include.mail.render import COLUMNS, MAX_BYTES, render
from include.mail.report import Report
from include.outcome import Outcome
from include.results import DateResult

MakeReport = Callable[..., Report]
START = date(2010, 1, 1)
AT = datetime(2026, 10, 1, 10, 30, tzinfo=UTC)

MIXED_TEXT = """\
2 failed, 1 incomplete and 1 not run of 10 dates
bdl_box_scores 2024-10-22..2024-10-31, backfill

5 dates are complete, 1 is without games, 1 did not run. The 3 failed and
incomplete dates show 2 different errors.


DATES
-----
Complete                      5    50.0 %
Without games                 1    10.0 %
Failed                        2    20.0 %
Incomplete                    1    10.0 %
Lost                          1    10.0 %
Total                        10


RUN AGAIN
---------
Runs the 4 dates that are not complete; the others are left alone.

airflow dags backfill bdl_box_scores -s 2024-10-22 -e 2024-10-31 --rerun-failed-tasks -y


2 ERRORS ON 3 DATES
-------------------

1. blocked: 2 dates failed, box_scores
   Says:  e.g. 2024-10-25: a page for 2024-10-25 (<title>Denied</title>): the
          address is blocked, wait an hour or add another
   Seen:  2026-10-01 10:30 to 10:32 UTC
   Log:   https://airflow.example.com/dags/bdl_box_scores/runs/2024-10-25/tasks/scrape?try_number=1
   Dates: 2024-10-25..2024-10-26

2. incomplete: 1 date, box_scores
   Some games of these dates are missing or not sound.
   Says:  3 of 5 games are final
   Seen:  2026-10-01 10:30 UTC
   Log:   log link left out (19 characters)
   Dates: 2024-10-27


1 INCOMPLETE DATE
-----------------
2024-10-27, 3 of 5 games, missing LAL@GSW, DEN@PHX


1 DATE NOT RUN
--------------

1. Lost: 1 date, box_scores
   Their runs ended without reporting an outcome; the worker was lost.
   Dates: 2024-10-31


PLAN VS ACTUAL
--------------
              Actual           Planned
Duration      2 h 14 min       2 h 5 min        +7 %
Requests      1,318            1,290            +2 %
Credits       340
Credits left  160
Cost          $0.034
Data          48.2 MB
Rows          1,060


BATCH
-----
Batch         42
Started       2026-10-01 10:02 UTC
Ended         2026-10-01 12:16 UTC
Code          3f9c1e2
Airflow       https://airflow.example.com/dags/bdl_box_scores

The one summary of this batch, sent automatically.
"""

CLEAN_TEXT = """\
All 2 dates are done: 1 complete, 1 without games
bdl_box_scores 2024-10-22..2024-10-23, rerun

Every expected game is in the warehouse.

1 date that failed before, complete now:
  2024-10-22


DATES
-----
Complete                      1    50.0 %
Without games                 1    50.0 %
Total                         2


USAGE
-----
Duration      2 h 14 min
Requests      10
Data          0 B
Rows          0


BATCH
-----
Batch         42
Started       2026-10-01 10:02 UTC
Ended         2026-10-01 12:16 UTC

The one summary of this batch, sent automatically.
"""


class Visible(HTMLParser):
    """What a reader sees, as words; and everything a mail client would load or follow."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.tags: list[str] = []
        self.addresses: dict[str, str] = {}
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            if name in ("href", "src", "background", "srcset", "action"):
                self.addresses[value or ""] = name

    def handle_data(self, data: str) -> None:
        if self.tags and self.tags[-1] != "style":
            self.words += data.split()

    @property
    def text(self) -> str:
        return " ".join(self.words)


RUN_URL = (
    "https://airflow.example.com/dags/bdl_box_scores/runs/2024-10-25/tasks/scrape?try_number=1"
)


def failed(n: int, **fields: object) -> DateResult:
    """Every other date, so that nothing folds."""
    known = {
        "outcome": Outcome.FAILED,
        "endpoint": "box_scores",
        "error_class": "hang",
        "message": "no answer in 30 s",
    }
    return DateResult(
        day=START + timedelta(days=2 * n), first_at=AT, last_at=AT, **(known | fields)
    )


def days_named(text: str) -> set[date]:
    """The dates that a mail names by month (``2010-01: 1, 3``) or in full."""
    days: set[date] = set()
    for month, spans in re.findall(r"(\d{4}-\d\d): ((?:\d+(?:\.\.\d+)?(?:,\s+)?)+)", text):
        for span in re.split(r",\s+", spans.strip().rstrip(",")):
            first, last = (span.split("..") * 2)[:2]
            days |= {
                date.fromisoformat(f"{month}-{day:02}") for day in range(int(first), int(last) + 1)
            }
    return days | {date.fromisoformat(day) for day in re.findall(r"\d{4}-\d\d-\d\d", text)}


def test_text_of_a_mixed_batch(mixed: Report) -> None:
    assert render(mixed).text == MIXED_TEXT


def test_text_of_a_clean_rerun(make_report: MakeReport) -> None:
    dates = [
        DateResult(day=date(2024, 10, 22), outcome=Outcome.COMPLETE),
        DateResult(day=date(2024, 10, 23), outcome=Outcome.NO_GAMES),
    ]
    assert (
        render(make_report(dates, kind="rerun", recovered=[date(2024, 10, 22)])).text == CLEAN_TEXT
    )


def test_html_says_what_the_text_says(mixed: Report) -> None:
    rendered = render(mixed)
    shown = Visible(rendered.html)
    everything = shown.text + " " + " ".join(shown.addresses)
    labels = {"missing", "Says:", "Seen:", "Log:", "Dates:", "DATES", "BATCH", "Airflow"}
    for line in rendered.text.splitlines():
        for word in line.split():
            if (
                word in labels
                or set(word) == {"-"}
                or re.fullmatch(r"\d\.", word)
                or line.isupper()
            ):
                continue
            assert word.strip(",:") in everything, line


def test_html_loads_nothing_and_links_only_to_the_web(mixed: Report) -> None:
    shown = Visible(render(mixed).html)
    assert shown.addresses == {
        "https://airflow.example.com/dags/bdl_box_scores": "href",
        RUN_URL: "href",
    }
    assert not {"img", "script", "link", "iframe", "object"} & set(shown.tags)
    assert "url(" not in render(mixed).html
    assert "@import" not in render(mixed).html


def test_html_carries_its_style_in_the_elements(mixed: Report) -> None:
    html = render(mixed).html
    assert re.findall(r"<(?:td|th|p|h1|h2|pre|a)(?: [^>]*)?>", html) == re.findall(
        r"<(?:td|th|p|h1|h2|pre|a) [^>]*style=\"[^\"]+\"[^>]*>|<td>(?=<!\[endif\])", html
    )


def test_markup_in_errors_is_text(make_report: MakeReport) -> None:
    evil = '<script>alert(1)</script> & "<img src=x onerror=y>"'
    report = make_report(
        [failed(0, message=evil, endpoint=evil, error_class=evil, log_url='https://x/"onclick="y')],
        dag_id=evil,
        kind=evil,
        code_version=evil,
        rerun_command=f"airflow {evil}",
        batch_id=evil,
    )
    rendered = render(report)
    shown = Visible(rendered.html)
    assert not {"script", "img"} & set(shown.tags)
    assert shown.text.count("<script>alert(1)</script>") == 9
    assert list(shown.addresses) == ['https://x/"onclick="y']
    assert "&lt;" not in rendered.text


def test_the_command_can_be_copied_as_it_is(mixed: Report) -> None:
    rendered = render(mixed)
    assert mixed.rerun_command in rendered.text.splitlines()
    block = re.findall(r"<pre[^>]*>(.*?)</pre>", rendered.html, re.DOTALL)
    assert [unescape(re.sub(r"<[^>]+>", "", found)) for found in block] == [mixed.rerun_command]


def test_the_same_report_gives_the_same_characters_in_any_order_of_its_dates(mixed: Report) -> None:
    assert render(mixed) == render(replace(mixed, dates=list(reversed(mixed.dates))))


def test_lines_of_the_text_are_no_longer_than_78_columns(make_report: MakeReport) -> None:
    report = make_report(
        [failed(n, message="word " * n, error_class=f"class_{n}") for n in range(30)]
    )
    long = [line for line in render(report).text.splitlines() if len(line) > COLUMNS]
    assert long == []


def test_three_thousand_different_failures_fit_and_say_what_was_left_out(
    make_report: MakeReport,
) -> None:
    text = "“é” 🏀 <" * 200  # the widest as sent

    def one(n: int) -> DateResult:
        missing = ["LAL@GSW"] * 40
        if n % 2:
            return failed(
                n,
                outcome=Outcome.PARTIAL,
                fingerprint=f"{n}",
                games_found=3,
                games_expected=9,
                missing=missing,
            )
        return failed(
            n,
            fingerprint=f"{n}",
            message=text,
            error_class="hang",
            log_url=f"https://x/{n}?" + "y" * 900,
        )

    report = make_report([one(n) for n in range(3000)], rerun_command="airflow dags backfill x")
    rendered = render(report)
    assert len(b2a_qp(rendered.html.encode())) + len(b2a_qp(rendered.text.encode())) <= MAX_BYTES
    days = {result.day for result in report.dates}
    words = " ".join(rendered.text.split())
    assert days <= days_named(words)
    assert days <= days_named(rendered.html)
    left_out = re.search(
        r"([\d,]+) more errors not shown one by one\. Dates by class: hang ([\d,]+)", words
    )
    assert left_out is not None
    shown = len(re.findall(r"^\d+\. (?:hang|incomplete|partial)", rendered.text, re.MULTILINE))
    assert int(left_out[1].replace(",", "")) + shown == 3000
    more = re.search(
        r"([\d,]+) more dates not shown one by one, ([\d,]+) of ([\d,]+) games found", words
    )
    assert more is not None
    dates, found, expected = (int(group.replace(",", "")) for group in more.groups())
    assert (found, expected) == (3 * dates, 9 * dates)
    assert (
        dates
        + len(re.findall(r"^\d{4}-\d\d-\d\d, 3 of 9 games, missing", rendered.text, re.MULTILINE))
        == 1500
    )


def test_more_missing_games_than_a_date_can_have_are_counted(make_report: MakeReport) -> None:
    result = DateResult(
        day=START,
        outcome=Outcome.PARTIAL,
        games_found=0,
        games_expected=20,
        missing=[f"G{n}" for n in range(20)],
    )
    named = ", ".join(f"G{n}" for n in range(16))
    lines = " ".join(render(make_report([result])).text.split())
    assert f"2010-01-01, 0 of 20 games, missing {named} and 4 more" in lines


def test_endpoints_are_named_where_the_incomplete_dates_have_several(
    make_report: MakeReport,
) -> None:
    def partial(endpoint: str) -> DateResult:
        return DateResult(
            day=START,
            outcome=Outcome.PARTIAL,
            endpoint=endpoint,
            games_found=1,
            games_expected=2,
            missing=["LAL@GSW"],
        )

    lines = render(make_report([partial("player_props"), partial("game_lines")])).text.splitlines()
    assert [line for line in lines if line.startswith("2010-01-01,")] == [
        "2010-01-01, game_lines, 1 of 2 games, missing LAL@GSW",
        "2010-01-01, player_props, 1 of 2 games, missing LAL@GSW",
    ]


def test_a_date_that_failed_in_one_endpoint_and_did_not_run_in_another_is_in_both_lists(
    make_report: MakeReport,
) -> None:
    report = make_report(
        [
            DateResult(day=START, outcome=Outcome.CANCELLED, endpoint="game_lines"),
            failed(0, endpoint="player_props"),
        ],
        state="cancelled",
    )
    lines = render(report).text.splitlines()
    assert [line for line in lines if re.match(r"\d", line)] == [
        "1 ERROR ON 1 DATE",
        "1. hang: 1 date failed, player_props",
        "1 DATE CANCELLED",
        "1. Cancelled: 1 date, game_lines",
    ]


def test_a_halt_says_that_the_summary_follows_and_compares_nothing_with_the_plan(
    make_report: MakeReport,
) -> None:
    report = make_report([failed(0)], state="halted", planned_minutes=10.0)
    text = render(report).text
    assert "Duration      2 h 14 min       10 min\n" in text
    assert text.endswith(
        "Sent at once because the circuit breaker opened; the summary follows when the\nbatch"
        " ends.\n"
    )
