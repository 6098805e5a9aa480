"""The mail's list of what the upstream has corrected: each change in words, and none lost where
there are many."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from html import unescape

import pytest

from include.mail.render import COLUMNS, Rendered, render
from include.mail.report import Report
from include.outcome import Outcome
from include.results import Correction, DateResult

MakeReport = Callable[..., Report]
DAY = date(2024, 10, 22)
ASSIST = "GSW@UTA, Stephen Curry, GSW, player_id 115: ast 6 -> 7"


def correction(
    days: int = 0, *changes: str, total: int = 0, endpoint: str = "box_scores"
) -> Correction:
    lines = changes or (ASSIST,)
    return Correction(
        day=DAY + timedelta(days), endpoint=endpoint, changes=lines, total=total or len(lines)
    )


def section(rendered: Rendered) -> str:
    """The list in the text part, up to the next heading."""
    found = re.search(r"\n\n\n(CORRECTED UPSTREAM.*?)\n\n\nUSAGE", rendered.text, re.DOTALL)
    return found[1] if found else ""


def words(html: str) -> str:
    """The list in the HTML part, as words."""
    found = re.search(r"<h2[^>]*>(Corrected upstream.*?)<h2", html, re.DOTALL)
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", found[1])).split()) if found else ""


@pytest.fixture
def complete(make_report: MakeReport) -> Report:
    """Two complete dates, of which nothing was corrected."""
    return make_report(
        [DateResult(day=DAY + timedelta(n), outcome=Outcome.COMPLETE, rows=200) for n in range(2)]
    )


def test_mail_without_corrections_does_not_speak_of_them(complete: Report) -> None:
    rendered = render(complete)
    assert (section(rendered), words(rendered.html)) == ("", "")


def test_each_change_is_a_line_below_its_date(complete: Report) -> None:
    added = 'LAL@BOS, Jaylen "JB" Brown, BOS, player_id 70: row added'
    rendered = render(replace(complete, corrections=[correction(1, added, ASSIST), correction()]))
    says = "The upstream has other values than when these dates were loaded before; the"
    assert section(rendered).splitlines() == [
        "CORRECTED UPSTREAM: 3 CHANGES ON 2 DATES",
        "----------------------------------------",
        says,
        "warehouse has the new ones.",
        "",
        "2024-10-22",
        f"   {ASSIST}",
        "",
        "2024-10-23",
        f"   {added}",
        f"   {ASSIST}",
    ]
    assert words(rendered.html) == (
        f"Corrected upstream: 3 changes on 2 dates {says} warehouse has the new ones. Date Changes"
        f" 2024-10-22 {ASSIST} 2024-10-23 {added} {ASSIST}"
    )


def test_endpoints_are_named_where_there_are_several(complete: Report) -> None:
    rendered = render(
        replace(complete, corrections=[correction(), correction(endpoint="play_by_play")])
    )
    lines = section(rendered).splitlines()
    assert [line for line in lines if line.startswith("2024")] == [
        "2024-10-22, box_scores",
        "2024-10-22, play_by_play",
    ]
    assert lines[0] == "CORRECTED UPSTREAM: 2 CHANGES ON 1 DATE"
    assert f"2024-10-22 box_scores {ASSIST} 2024-10-22 play_by_play {ASSIST}" in words(
        rendered.html
    )


def test_change_that_is_not_named_is_counted(complete: Report) -> None:
    rendered = render(
        replace(complete, corrections=[correction(0, ASSIST, total=4), correction(1)])
    )
    rest = "3 more changes not shown one by one; see their tasks' logs. Dates:"
    assert section(rendered).splitlines()[-2:] == [rest, "   2024-10-22"]
    assert words(rendered.html).endswith(f"{rest} 2024-10-22")
    assert section(rendered).startswith("CORRECTED UPSTREAM: 5 CHANGES ON 2 DATES\n")


def test_markup_in_a_value_is_text_and_long_lines_wrap(complete: Report) -> None:
    change = f'GSW@UTA: note "<b>{"word " * 30}</b>" -> null'
    rendered = render(replace(complete, corrections=[correction(0, change)]))
    assert change in words(rendered.html)
    assert "<b>word" not in rendered.html
    assert [line for line in rendered.text.splitlines() if len(line) > COLUMNS] == []
