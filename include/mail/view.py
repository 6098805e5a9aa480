"""The report in words: every phrase of the mail, made once, so that the text part says what the
HTML part says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from include import wording as say
from include.fold import Group, fold
from include.mail import headline
from include.mail.headline import LABELS, Tone
from include.mail.report import Report, list_corrected, list_incomplete
from include.outcome import Outcome
from include.results import Correction, DateResult

MAX_URL = 1000
MAX_NAMED_GAMES = 16
"""Missing games named per date; the fullest NBA date had 15 games, so only a broken source exceeds
it."""
MAX_NAMED_CHANGES = 12
"""Corrections named per date and endpoint, so that one date that changed as a whole leaves room for
the others."""

WHY = {
    Outcome.PARTIAL: "Some games of these dates are not there.",
    Outcome.UNVERIFIED: "Data arrived, but nothing says how many games to expect.",
    Outcome.HALTED: "Not tried: the circuit breaker stopped the batch first.",
    Outcome.LOST: "Their runs ended without reporting an outcome; the worker was lost.",
    Outcome.CANCELLED: "Not tried: the batch was cancelled first.",
    Outcome.NOT_RUN: "Not tried: these dates have no run.",
    Outcome.QUOTA_WAIT: "Not done: waiting for the limit, the upstream or the next credits.",
    Outcome.NOT_YET: "Not finished: the upstream's data was not final yet.",
}
CORRECTED = (
    "The upstream has other values than when these dates were loaded before; the warehouse has the"
    " new ones."
)
TONES: dict[Outcome, Tone] = {
    Outcome.COMPLETE: "ok",
    Outcome.NO_GAMES: "ok",
    Outcome.FAILED: "bad",
    Outcome.PARTIAL: "warn",
    Outcome.UNVERIFIED: "warn",
}
"""The colour of an outcome; grey for all others."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How much is shown in detail. What exceeds it is folded, and the mail says so."""

    groups: int
    incomplete: int
    changes: int
    message: int


@dataclass(frozen=True, kw_only=True)
class TotalLine:
    label: str
    count: str
    share: str
    tone: Tone
    percent: float
    """Width in the bar; at least 1, so that one failed date in 3,000 can be seen."""


@dataclass(frozen=True, kw_only=True)
class GroupView:
    title: str
    """Outcome or error class."""
    tone: Tone
    where: str
    count: str
    dates: Sequence[str]
    seen: str
    why: str
    message: str
    log_url: str
    log_words: str
    log_note: str


@dataclass(frozen=True, kw_only=True)
class IncompleteView:
    day: str
    endpoint: str
    games: str
    missing: str


@dataclass(frozen=True, kw_only=True)
class CorrectedView:
    day: str
    endpoint: str
    changes: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class Folded:
    """What did not fit in detail: a sentence, and all its dates."""

    says: str
    dates: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class PlanLine:
    label: str
    actual: str
    planned: str
    deviation: str


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
    failures: Sequence[GroupView]
    failures_title: str
    failures_folded: Folded | None
    incomplete: Sequence[IncompleteView]
    incomplete_title: str
    incomplete_folded: Folded | None
    endpoints_named: bool
    corrected: Sequence[CorrectedView]
    corrected_title: str
    corrected_says: str
    corrected_folded: Folded | None
    corrected_endpoints_named: bool
    not_run: Sequence[GroupView]
    not_run_title: str
    plan: Sequence[PlanLine]
    planned: bool
    plan_title: str
    facts: Sequence[tuple[str, str]]
    closing: str


def make_view(report: Report, limits: Limits) -> View:
    """All phrases of the mail. Pure; raises nothing that a valid Report can cause."""
    dates = headline.count(report)
    every = fold(report.dates)
    failed = [g for g in every if g.outcome.wrong]
    waiting = [g for g in every if not g.outcome.wrong]
    partial = list_incomplete(report)
    failed_dates = sum(dates.failed.values())
    # Not the tally's number: a date with one failed and one cancelled endpoint counts as failed and
    # is in both lists.
    changes = list_corrected(report)
    changes_shown = list(_changes_shown(changes, limits.changes))
    idle = len({r.day for r in report.dates if not (r.outcome.done or r.outcome.wrong)})
    plan = _plan(report)
    planned = any(line.planned for line in plan)
    return View(
        subject=headline.word_subject(report),
        badge=headline.word_badge(report),
        tone=headline.choose_tone(report),
        headline=headline.word_headline(report),
        lede=headline.word_lede(report, errors=len(failed)),
        dag_id=say.clean(report.dag_id),
        scope=f"{report.window}, {say.clean(report.kind)}",
        totals=_totals(dates.counts),
        total=say.number(dates.total),
        command=report.rerun_command.strip(),
        command_says=_command_says(dates.total - dates.done),
        ui_url=report.ui_url if _is_link(report.ui_url) else "",
        recovered_says=_recovered_says(report),
        recovered=say.date_lines(report.recovered),
        failures=[_group(g, limits) for g in failed[: limits.groups]],
        failures_title=(
            f"{say.counted(len(failed), 'error')} on {say.counted(failed_dates, 'date')}"
        ),
        failures_folded=_folded_groups(failed[limits.groups :], shown=bool(limits.groups)),
        incomplete=[_incomplete(r) for r in partial[: limits.incomplete]],
        incomplete_title=say.counted(len({r.day for r in partial}), "incomplete date"),
        incomplete_folded=_folded_incomplete(
            partial[limits.incomplete :], shown=bool(limits.incomplete)
        ),
        endpoints_named=len({r.endpoint for r in partial}) > 1,
        corrected=[_corrected(one, n, limits) for one, n in changes_shown if n],
        corrected_title=_corrected_title(changes),
        corrected_says=CORRECTED,
        corrected_folded=_folded_changes(changes_shown),
        corrected_endpoints_named=len({c.endpoint for c in changes}) > 1,
        not_run=[_group(g, limits) for g in waiting],
        not_run_title=f"{say.counted(idle, 'date')} not run",
        plan=plan,
        planned=planned,
        plan_title="Plan vs actual" if planned else "Usage",
        facts=_facts(report),
        closing=(
            "Sent at once because the circuit breaker opened; the summary follows when the batch"
            " ends."
            if report.state == "halted"
            else "The one summary of this batch, sent automatically."
        ),
    )


def _totals(counts: dict[Outcome, int]) -> list[TotalLine]:
    total = sum(counts.values())
    return [
        TotalLine(
            label=LABELS[outcome],
            count=say.number(n),
            share=say.share(n, total),
            tone=TONES.get(outcome, "still"),
            percent=max(1, round(100 * n / total, 1)),
        )
        for outcome, n in counts.items()
    ]


def _command_says(bad: int) -> str:
    if bad == 1:
        return "Runs the one date that is not complete; the others are left alone."
    return f"Runs the {say.number(bad)} dates that are not complete; the others are left alone."


def _recovered_says(report: Report) -> str:
    if not report.recovered:
        return ""
    return f"{say.counted(len(set(report.recovered)), 'date')} that failed before, complete now:"


def _group(group: Group, limits: Limits) -> GroupView:
    outcome = LABELS[group.outcome]
    title = say.clean(group.error_class) or outcome
    count = say.counted(len(group.days), "date")
    url = group.log_url
    return GroupView(
        title=title,
        tone=TONES.get(group.outcome, "still"),
        where=say.clean(group.endpoint),
        count=count if title.lower() == outcome.lower() else f"{count} {outcome.lower()}",
        dates=say.date_lines(group.days),
        seen=say.period(group.first_at, group.last_at),
        why=WHY.get(group.outcome, ""),
        message=say.clipped(group.message, limits.message),
        log_url=url if _is_link(url) else "",
        log_words="Open its log" if len(group.days) == 1 else "Open the log of one of them",
        log_note=(
            ""
            if not url or _is_link(url)
            else f"log link left out ({say.counted(len(url), 'character')})"
        ),
    )


def _incomplete(result: DateResult) -> IncompleteView:
    games = [say.clean(game) for game in result.missing]
    more = len(games) - MAX_NAMED_GAMES
    named = ", ".join(games[:MAX_NAMED_GAMES]) + (
        f" and {say.number(more)} more" if more > 0 else ""
    )
    return IncompleteView(
        day=f"{result.day}",
        endpoint=say.clean(result.endpoint),
        games=(
            f"{say.number(result.games_found or 0)} of"
            f" {say.counted(result.games_expected or 0, 'game')}"
        ),
        missing=named or "not named",
    )


def _corrected_title(changes: list[Correction]) -> str:
    total, dates = sum(c.total for c in changes), len({c.day for c in changes})
    return f"Corrected upstream: {say.counted(total, 'change')} on {say.counted(dates, 'date')}"


def _changes_shown(changes: list[Correction], room: int) -> Iterator[tuple[Correction, int]]:
    """Each correction and how many of its changes there is room to show: the first dates' ones come
    first."""
    for one in changes:
        shown = min(len(one.changes), room, MAX_NAMED_CHANGES)
        room -= shown
        yield one, shown


def _corrected(one: Correction, shown: int, limits: Limits) -> CorrectedView:
    return CorrectedView(
        day=f"{one.day}",
        endpoint=say.clean(one.endpoint),
        changes=[say.clipped(change, limits.message) for change in one.changes[:shown]],
    )


def _folded_changes(shown: list[tuple[Correction, int]]) -> Folded | None:
    rest = [(one, one.total - n) for one, n in shown if one.total > n]
    if not rest:
        return None
    left = sum(n for _, n in rest)
    changes = say.counted(left, "more change" if any(n for _, n in shown) else "change")
    says = f"{changes} not shown one by one; see their tasks' logs. Dates:"
    return Folded(says=says, dates=say.date_lines(one.day for one, _ in rest))


def _folded_groups(rest: list[Group], *, shown: bool) -> Folded | None:
    if not rest:
        return None
    by_class: Counter[str] = Counter()
    for group in rest:
        by_class[group.title] += len(group.days)
    classes = ", ".join(
        f"{say.clean(name)} {say.number(n)}" for name, n in sorted(by_class.items())
    )
    errors = say.counted(len(rest), "more error" if shown else "error")
    says = f"{errors} not shown one by one. Dates by class: {classes}. All their dates:"
    return Folded(says=says, dates=say.date_lines(chain.from_iterable(g.days for g in rest)))


def _folded_incomplete(rest: list[DateResult], *, shown: bool) -> Folded | None:
    if not rest:
        return None
    found = sum(r.games_found or 0 for r in rest)
    expected = sum(r.games_expected or 0 for r in rest)
    dates = say.counted(len({r.day for r in rest}), "more date" if shown else "date")
    says = (
        f"{dates} not shown one by one, {say.number(found)} of {say.counted(expected, 'game')}"
        " found. Dates:"
    )
    return Folded(says=says, dates=say.date_lines(r.day for r in rest))


MIN_COMPARED_SECONDS = (
    300.0  # seconds planned; below, Airflow's own pace is all that a percentage would show
)


def _plan(report: Report) -> list[PlanLine]:
    """Actual against planned; how far off is said of finished batches only. Rows that nobody
    knows are left out."""

    def line(
        label: str,
        value: float | None,
        planned: float | None,
        words: Callable[[float], str],
        least: float = 0,
    ) -> PlanLine:
        off = (
            report.state == "finished"
            and value is not None
            and planned is not None
            and planned >= least
        )
        return PlanLine(
            label=label,
            actual="not known" if value is None else words(value),
            planned="" if planned is None else words(planned),
            deviation=say.deviation(value or 0, planned or 0) if off else "",
        )

    seconds = (report.ended_at - report.started_at).total_seconds()
    planned_seconds = None if report.planned_minutes is None else report.planned_minutes * 60
    lines = [
        line("Duration", seconds, planned_seconds, say.duration, MIN_COMPARED_SECONDS),
        line("Requests", report.requests, report.planned_requests, say.number),
    ]
    if report.credits_used or report.planned_credits is not None or report.credits_left is not None:
        lines.append(line("Credits", report.credits_used, report.planned_credits, say.number))
    if report.credits_left is not None:
        lines.append(line("Credits left", report.credits_left, None, say.number))
    if report.cost is not None or report.planned_cost is not None:
        lines.append(line("Cost", report.cost, report.planned_cost, say.money))
    lines.append(line("Data", report.bytes, None, say.size))
    lines.append(line("Rows", sum(r.rows for r in report.dates), None, say.number))
    return lines


def _facts(report: Report) -> list[tuple[str, str]]:
    facts = [
        ("Batch", say.clean(report.batch_id)),
        ("Started", say.moment(report.started_at)),
        ("Ended", say.moment(report.ended_at)),
        ("Code", say.clean(report.code_version)),
    ]
    return [(label, value) for label, value in facts if value]


def _is_link(url: str) -> bool:
    """Only web addresses become links: ``javascript:`` is none, and a clipped one leads nowhere."""
    return (
        url.startswith(("https://", "http://"))
        and len(url) <= MAX_URL
        and not any(c.isspace() for c in url)
    )
