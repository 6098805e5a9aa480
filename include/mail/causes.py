"""The mail's errors, one entry per cause, and the dates that did not run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

from include import wording as say
from include.fold import Group
from include.mail.labels import LABELS, TONES, WHY, Tone
from include.mail.section import Folded, Limits, Section
from include.outcome import Outcome

MAX_URL = 1000  # characters; a longer link is left out, since a clipped one leads nowhere


@dataclass(frozen=True, kw_only=True)
class Cause:
    """One group in words. ``title`` is its error class, or its outcome."""

    title: str
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


def word_failures(groups: Sequence[Group], limits: Limits) -> Section[Cause]:
    """What was tried and is not good, the most frequent cause first."""
    failed = [group for group in groups if group.outcome.wrong]
    dates = {day for group in failed for day in group.days}
    return Section(
        title=f"{say.counted(len(failed), 'error')} on {say.counted(len(dates), 'date')}",
        shown=[_word_cause(group, limits) for group in failed[: limits.groups]],
        folded=_fold(failed[limits.groups :], shown=bool(limits.groups)),
    )


def word_not_run(groups: Sequence[Group], limits: Limits) -> Section[Cause]:
    """What is nobody's error. A date with one failed and one cancelled endpoint is in both
    lists."""
    idle = [group for group in groups if not group.outcome.wrong]
    dates = {day for group in idle for day in group.days}
    cancelled = all(group.outcome is Outcome.CANCELLED for group in idle)
    return Section(
        title=f"{say.counted(len(dates), 'date')} {'cancelled' if cancelled else 'not run'}",
        shown=[_word_cause(group, limits) for group in idle],
    )


def is_link(url: str) -> bool:
    """Only web addresses become links: ``javascript:`` does not, nor one that would be clipped."""
    is_web = url.startswith(("https://", "http://"))
    return is_web and len(url) <= MAX_URL and not any(c.isspace() for c in url)


def _word_cause(group: Group, limits: Limits) -> Cause:
    """The group's phrases; a link that is none, or too long, is named by its length instead."""
    outcome = LABELS[group.outcome]
    title = say.clean(group.error_class) or outcome
    count = say.counted(len(group.days), "date")
    if title.lower() != outcome.lower():
        count += f" {outcome.lower()}"
    linked = is_link(group.log_url)
    note = f"log link left out ({say.counted(len(group.log_url), 'character')})"
    return Cause(
        title=title,
        tone=TONES[group.outcome],
        where=say.clean(group.endpoint),
        count=count,
        dates=say.date_lines(group.days),
        seen=say.period(group.first_at, group.last_at),
        why=WHY.get(group.outcome, ""),
        message=say.clipped(group.message, limits.message),
        log_url=group.log_url if linked else "",
        log_words="Open its log" if len(group.days) == 1 else "Open the log of one of them",
        log_note=note if group.log_url and not linked else "",
    )


def _fold(rest: Sequence[Group], *, shown: bool) -> Folded | None:
    if not rest:
        return None
    by_class: Counter[str] = Counter()
    for group in rest:
        by_class[say.clean(group.title)] += len(group.days)
    classes = ", ".join(f"{name} {say.number(n)}" for name, n in sorted(by_class.items()))
    errors = say.counted(len(rest), "more error" if shown else "error")
    says = f"{errors} not shown one by one. Dates by class: {classes}. All their dates:"
    return Folded(says=says, dates=say.date_lines(chain.from_iterable(g.days for g in rest)))
