"""The report in words: every phrase of the mail, made once, so that the text part says what the
HTML part says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from include import wording as say
from include.fold import fold
from include.mail import headline
from include.mail.by_date import (
    Corrected,
    Incomplete,
    word_corrected,
    word_incomplete,
    word_noted,
)
from include.mail.causes import Cause, is_link, word_failures, word_not_run
from include.mail.labels import LABELS, TONES, Tone
from include.mail.report import Report, count_dates
from include.mail.section import Limits, Section
from include.mail.usage import Usage, list_usage
from include.outcome import Outcome

CORRECTED = (
    "The upstream has other values than when these dates were loaded before; the warehouse has the"
    " new ones."
)


@dataclass(frozen=True, kw_only=True)
class TotalLine:
    """The dates of one outcome. ``percent`` is its width in the bar; at least 1, so that one failed
    date in 3,000 can be seen."""

    label: str
    count: str
    share: str
    tone: Tone
    percent: float


@dataclass(frozen=True, kw_only=True)
class View:
    """The context of both templates; strings, all of them ready to print."""

    subject: str
    badge: str
    tone: Tone
    headline: str
    lede: str
    dag_id: str
    scope: str
    totals: Sequence[TotalLine]
    total: str
    command: str
    command_says: str
    ui_url: str
    recovered_says: str
    recovered: Sequence[str]
    failures: Section[Cause]
    incomplete: Section[Incomplete]
    noted: Section[Corrected]
    not_run: Section[Cause]
    corrected: Section[Corrected]
    corrected_says: str
    usage: Sequence[Usage]
    usage_title: str
    planned: bool
    facts: Sequence[tuple[str, str]]
    closing: str


def make_view(report: Report, limits: Limits) -> View:
    """All phrases of the mail. Pure; raises nothing that a valid Report can cause."""
    dates = headline.count(report)
    groups = fold(report.dates)
    errors = sum(group.outcome.wrong for group in groups)
    usage = list_usage(report)
    planned = any(line.planned for line in usage)
    return View(
        subject=headline.word_subject(report),
        badge=headline.word_badge(report),
        tone=headline.choose_tone(report),
        headline=headline.word_headline(report),
        lede=headline.word_lede(report, errors=errors),
        dag_id=say.clean(report.dag_id),
        scope=f"{report.window}, {say.clean(report.kind)}",
        totals=_list_totals(count_dates(report)),
        total=say.number(dates.total),
        command=report.rerun_command.strip(),
        command_says=_word_command(report, dates.total - dates.done),
        ui_url=report.ui_url if is_link(report.ui_url) else "",
        recovered_says=_word_recovered(report),
        recovered=say.date_lines(report.recovered),
        failures=word_failures(groups, limits),
        incomplete=word_incomplete(report, limits),
        noted=word_noted(report, limits),
        not_run=word_not_run(groups, limits),
        corrected=word_corrected(report, limits),
        corrected_says=CORRECTED,
        usage=usage,
        usage_title="Plan vs actual" if planned else "Usage",
        planned=planned,
        facts=_list_facts(report),
        closing=_word_closing(report),
    )


def _list_totals(counts: dict[Outcome, int]) -> list[TotalLine]:
    total = sum(counts.values())
    shares = say.shares([*counts.values()])
    return [
        TotalLine(
            label=LABELS[outcome],
            count=say.number(n),
            share=share,
            tone=TONES[outcome],
            percent=max(1, round(100 * n / total, 1)),
        )
        for (outcome, n), share in zip(counts.items(), shares, strict=True)
    ]


def _word_command(report: Report, bad: int) -> str:
    if report.state == "halted":
        return (
            "Goes on at once with the dates that wait. Left alone, the backfill tries one of them"
            " after a while, and goes on by itself if that is good."
        )
    if bad == 1:
        return "Runs the one date that is not complete; the others are left alone."
    return f"Runs the {say.number(bad)} dates that are not complete; the others are left alone."


def _word_recovered(report: Report) -> str:
    if not report.recovered:
        return ""
    return f"{say.counted(len(set(report.recovered)), 'date')} that failed before, complete now:"


def _list_facts(report: Report) -> list[tuple[str, str]]:
    facts = [
        ("Batch", say.clean(report.batch_id)),
        ("Started", say.moment(report.started_at)),
        ("Ended", say.moment(report.ended_at)),
        ("Code", say.clean(report.code_version)),
        ("Box scores", word_compared(report)),
        ("To be watched", say.clean("; ".join(report.warnings))),
    ]
    return [(label, value) for label, value in facts if value]


def word_compared(report: Report) -> str:
    """How far the two box-score sources agree, and the command that lists where they do not."""
    found, window = report.compared, report.window
    if found is None:
        return ""
    dates = say.counted(found.dates, "date")
    if found.left_out:
        dates = f"{say.number(found.dates)} of {say.counted(found.dates + found.left_out, 'date')}"
    return (
        f"{say.counted(found.players, 'player')} of {dates} compared at Ball Don't Lie and NBA.com,"
        f" {say.counted(found.differences, 'difference')}:"
        f" airflow nba reconcile -s {window.first} -e {window.last}"
    )


def _word_closing(report: Report) -> str:
    if report.state != "halted":
        return "The one summary of this batch, sent automatically."
    return (
        "Sent at once because the circuit breaker opened; the summary follows when the batch ends."
    )
