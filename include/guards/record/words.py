"""The record in words: what its template prints, in the phrases of the mail."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from include import wording as say
from include.fold import Group, fold
from include.guards.record.chapters import Chapter, Record
from include.mail.by_date import Incomplete, word_incomplete
from include.mail.headline import word_subject
from include.mail.labels import LABELS, WHY
from include.mail.render import LIMITS
from include.mail.section import Limits, Section
from include.mail.usage import Usage, list_usage
from include.mail.view import word_compared
from include.ops.backfills import Hold
from include.outcome import Outcome
from include.results import OWN_WORD, DateResult, find_worst

ALL = Limits(groups=10_000, incomplete=10_000, changes=0, message=LIMITS[0].message)
"""A record names every date."""


@dataclass(frozen=True, kw_only=True)
class Failure:
    """One cause: ``healed`` has a line for each way in which its dates were healed, and one for
    those that were not."""

    title: str
    message: str
    seen: str
    dates: str
    log: str
    healed: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class Part:
    """One chapter in words."""

    title: str
    subject: str
    facts: Sequence[tuple[str, str]]
    totals: Sequence[tuple[str, str]]
    failures: Sequence[Failure]
    retried: Sequence[Failure]
    incomplete: Section[Incomplete]
    usage: Sequence[Usage]


@dataclass(frozen=True, kw_only=True)
class Words:
    """The template's context."""

    name: str
    dag_id: str
    title: str
    now: str
    totals: Sequence[tuple[str, str]]
    open: Sequence[str]
    rerun: str
    noted: Sequence[str]
    gaps: Sequence[str]
    no_games: str
    own_word: str
    window: str
    facts: Sequence[tuple[str, str]]
    compared: str
    parts: Sequence[Part]


def word_record(record: Record, rerun: str) -> Words:
    """All phrases of the record. ``rerun``: the commands that run again what is not done, one a
    line."""
    report = record.report
    worst = find_worst(record.now)
    done = sum(result.outcome.done for result in worst.values())
    empty = [result for result in worst.values() if result.outcome is Outcome.NO_GAMES]
    return Words(
        name=record.name,
        dag_id=report.dag_id,
        title=f"{say.clean(report.dag_id)}, {report.window}",
        now=f"{say.number(done)} of {say.counted(len(worst), 'date')} done",
        totals=_list_totals(record.now),
        open=[f"{each.title}: {say.dates(each.days)}" for each in fold(worst.values())],
        rerun=rerun,
        noted=_list_said([r for r in record.now if r.outcome is Outcome.ACCEPTED]),
        gaps=_list_said([r for r in record.now if r.has_gaps]),
        no_games=say.dates(result.day for result in empty),
        own_word=say.dates(r.day for r in empty if r.message.endswith(OWN_WORD)),
        window=f"-s {report.first_day} -e {report.last_day}",
        facts=_list_scope(record),
        compared=word_compared(report),
        parts=[_word_part(record, n) for n in range(len(record.chapters))],
    )


def _list_scope(record: Record) -> list[tuple[str, str]]:
    """What was ordered, why and by whom."""
    first, report = record.chapters[0], record.report
    order = first.order
    games = [r.games_expected for r in find_worst(report.dates).values() if r.games_expected]
    return [
        ("Scope", f"{report.window}, {say.counted(len(first.runs), 'date')}, both ends included"),
        ("Games", f"{say.number(sum(games))} expected on {say.counted(len(games), 'date')}"),
        ("Reason", say.clean(order.reason) or "not given (`--reason`)"),
        ("Started by", say.clean(order.started_by) or "not noted"),
        ("Began", say.moment(report.started_at)),
        ("Ended", say.moment(report.ended_at)),
        *_list_orders(first),
    ]


def _list_orders(chapter: Chapter) -> list[tuple[str, str]]:
    """The code that ran, and Airflow's backfills that it was made of."""
    stages = [f"{order.stage} (backfill {order.backfill_id})" for order in chapter.orders]
    options = sorted(chapter.order.options.items())
    found = [
        ("Code", chapter.report.code_version),
        ("Code and configuration", chapter.order.fingerprint),
        ("Stages", ", ".join(stages)),
        ("Options", ", ".join(f"{name}={value}" for name, value in options if value)),
    ]
    return [(label, say.clean(value)) for label, value in found if value]


def _word_part(record: Record, index: int) -> Part:
    """A chapter, and what became of its failures in the later ones."""
    chapter = record.chapters[index]
    report = chapter.report
    scope = [
        ("Batch", report.batch_id),
        ("Dates", say.dates(run.day for run in chapter.runs)),
        ("Time", f"{say.moment(report.started_at)} to {say.moment(report.ended_at)}"),
        *[("Held", _word_hold(each, report.ended_at)) for each in chapter.holds],
    ]
    return Part(
        title=f"{index + 1}. {report.kind.capitalize()} of {say.moment(report.started_at)}",
        subject=word_subject(report),
        facts=[(label, say.clean(value)) for label, value in scope],
        totals=_list_totals(report.dates),
        failures=[_word_failure(each, record, index) for each in fold(report.dates)],
        retried=[_word_retried(each) for each in fold(chapter.retried)],
        incomplete=word_incomplete(report, ALL),
        usage=list_usage(report),
    )


def _word_hold(hold: Hold, ended_at: datetime) -> str:
    """What held it, from when to when, and why."""
    went_on = hold.until and hold.until < ended_at
    until = say.moment(hold.until) if hold.until and went_on else "the end"
    return f"{hold.kind}, {say.moment(hold.since)} to {until}: {hold.why}"


def _word_failure(group: Group, record: Record, index: int) -> Failure:
    """A cause, and which chapter healed which of its dates."""
    by_healer: dict[int | None, list[date]] = defaultdict(list)
    for day in group.days:
        by_healer[record.find_healer(day, index + 1)].append(day)
    lines = []
    for number, days in sorted(by_healer.items(), key=lambda each: each[0] or len(record.chapters)):
        dates = say.dates(days)
        if number is None:
            lines.append(f"{dates}: {_word_unhealed(record, days)}")
        else:
            report = record.chapters[number - 1].report
            ended = say.moment(report.ended_at)
            lines.append(f"{dates}: healed by {report.kind} {number}, which ended {ended}")
    return _word_cause(group, lines)


def _word_unhealed(record: Record, days: Iterable[date]) -> str:
    """Of dates that no later chapter had done: whether something that is in none has."""
    worst = find_worst(record.now)
    done = all(worst[day].outcome.done for day in days if day in worst)
    return "done since, by a run that no batch has told of" if done else "not healed"


def _word_retried(group: Group) -> Failure:
    return _word_cause(group, ["healed by a later try of the same runs"])


def _word_cause(group: Group, healed: Sequence[str]) -> Failure:
    return Failure(
        title=f"{say.clean(group.title)} {say.clean(group.endpoint)}".strip(),
        message=say.clipped(group.message or WHY.get(group.outcome, ""), ALL.message),
        seen=say.period(group.first_at, group.last_at),
        dates=say.dates(group.days),
        log=say.clean(group.log_url),
        healed=healed,
    )


def _list_totals(results: Sequence[DateResult]) -> list[tuple[str, str]]:
    counts: dict[Outcome, int] = defaultdict(int)
    for result in find_worst(results).values():
        counts[result.outcome] += 1
    in_order = sorted(counts, key=lambda outcome: -outcome.severity)
    return [(LABELS[outcome], say.number(counts[outcome])) for outcome in in_order]


def _list_said(results: Sequence[DateResult]) -> list[str]:
    """What is said of each."""
    return [
        f"{each.day} {each.endpoint}: {say.clipped(each.message, ALL.message)}"
        for each in sorted(results, key=lambda result: result.day)
    ]
