"""What the mail says date by date: games that are missing, and values that the upstream has
corrected."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from include import wording as say
from include.mail.report import Report, list_corrected, list_incomplete, list_noted
from include.mail.section import Folded, Limits, Section
from include.results import Correction, DateResult

MAX_NAMED_GAMES = 16
"""Missing games named per date; the fullest NBA date had 15 games, so only a broken source exceeds
it."""
MAX_NAMED_CHANGES = 12
"""Corrections named per date and endpoint, so that one date that changed as a whole leaves room for
the others."""


@dataclass(frozen=True, kw_only=True)
class Incomplete:
    """One date's count: ``3 of 5 games``, and what is missing."""

    day: str
    endpoint: str
    games: str
    missing: str


@dataclass(frozen=True, kw_only=True)
class Corrected:
    """One date's corrections, a line each."""

    day: str
    endpoint: str
    changes: Sequence[str]


def word_incomplete(report: Report, limits: Limits) -> Section[Incomplete]:
    """The partial dates that know their k of n."""
    partial = list_incomplete(report)
    return Section(
        title=say.counted(_count_days(partial), "incomplete date"),
        shown=[_word_date(each) for each in partial[: limits.incomplete]],
        folded=_fold_dates(partial[limits.incomplete :], shown=bool(limits.incomplete)),
        endpoints_named=_are_several(partial),
    )


def word_noted(report: Report, limits: Limits) -> Section[Corrected]:
    """What was accepted, with who and why, what lacks something though it is done, and what is
    empty by the source's own word."""
    found = list_noted(report)
    shown = found[: limits.incomplete]
    dates = say.counted(_count_days(found), "date")
    return Section(
        title=f"Accepted, made with gaps, or empty by the source's own word: {dates}",
        shown=[
            Corrected(
                day=f"{each.day}",
                endpoint=say.clean(each.endpoint),
                changes=[say.clipped(each.message, limits.message)],
            )
            for each in shown
        ],
        folded=_fold_dates(found[len(shown) :], shown=bool(shown)),
        endpoints_named=_are_several(found),
    )


def word_corrected(report: Report, limits: Limits) -> Section[Corrected]:
    """The values that the upstream has changed since the dates were loaded before."""
    changes = list_corrected(report)
    total = say.counted(sum(each.total for each in changes), "change")
    dates = say.counted(_count_days(changes), "date")
    named = list(zip(changes, _share_room(changes, limits.changes), strict=True))
    return Section(
        title=f"Corrected upstream: {total} on {dates}",
        shown=[_word_changes(each, count, limits) for each, count in named if count],
        folded=_fold_changes(named),
        endpoints_named=_are_several(changes),
    )


def _count_days(each_of: Sequence[DateResult | Correction]) -> int:
    return len({each.day for each in each_of})


def _are_several(each_of: Sequence[DateResult | Correction]) -> bool:
    """Whether they are of more than one endpoint."""
    return len({each.endpoint for each in each_of}) > 1


def _word_date(result: DateResult) -> Incomplete:
    games = [say.clean(game) for game in result.missing]
    missing = ", ".join(games[:MAX_NAMED_GAMES])
    if (more := len(games) - MAX_NAMED_GAMES) > 0:
        missing += f" and {say.number(more)} more"
    expected = say.counted(result.games_expected or 0, "game")
    return Incomplete(
        day=f"{result.day}",
        endpoint=say.clean(result.endpoint),
        games=f"{say.number(result.games_found or 0)} of {expected}",
        missing=missing or "not named",
    )


def _fold_dates(rest: Sequence[DateResult], *, shown: bool) -> Folded | None:
    if not rest:
        return None
    found = say.number(sum(each.games_found or 0 for each in rest))
    expected = say.counted(sum(each.games_expected or 0 for each in rest), "game")
    dates = say.counted(_count_days(rest), "more date" if shown else "date")
    says = f"{dates} not shown one by one, {found} of {expected} found. Dates:"
    return Folded(says=says, dates=say.date_lines(each.day for each in rest))


def _share_room(changes: Sequence[Correction], room: int) -> list[int]:
    """How many changes of each correction are named: the first dates' ones come first."""
    named = []
    for each in changes:
        named.append(min(len(each.changes), room, MAX_NAMED_CHANGES))
        room -= named[-1]
    return named


def _word_changes(correction: Correction, count: int, limits: Limits) -> Corrected:
    return Corrected(
        day=f"{correction.day}",
        endpoint=say.clean(correction.endpoint),
        changes=[say.clipped(change, limits.message) for change in correction.changes[:count]],
    )


def _fold_changes(named: Sequence[tuple[Correction, int]]) -> Folded | None:
    rest = [each.day for each, count in named if each.total > count]
    if not rest:
        return None
    left = sum(each.total - count for each, count in named)
    any_shown = any(count for _, count in named)
    changes = say.counted(left, "more change" if any_shown else "change")
    says = f"{changes} not shown one by one; see their tasks' logs. Dates:"
    return Folded(says=says, dates=say.date_lines(rest))
