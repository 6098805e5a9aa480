"""The pictures of a record, as values that the two SVG templates draw: how each date stands, and
how fast the dates ended."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise

from include.guards.record.chapters import Chapter, Record
from include.mail.labels import LABELS, TONES
from include.outcome import Outcome
from include.results import find_worst
from include.wording import duration, number

COLOURS = {"ok": "#2da44e", "bad": "#cf222e", "warn": "#d4a72c", "still": "#8c959f"}
ACCEPTED = "#8250df"
NO_GAMES = "#aceebb"
SQUARE = 14  # pixels from one square to the next
WIDTH, HEIGHT = 640.0, 200.0  # of the curve's field, in pixels


@dataclass(frozen=True, kw_only=True)
class Square:
    """One date of the calendar: a column a week, a row a weekday. ``healed``: it was not done when
    the backfill had ended."""

    x: int
    y: int
    colour: str
    title: str
    healed: bool


@dataclass(frozen=True, kw_only=True)
class Calendar:
    """``months``: where a month begins and its name; ``legend``: colour and label of each outcome
    that occurs."""

    width: int
    squares: Sequence[Square]
    months: Sequence[tuple[int, str]]
    legend: Sequence[tuple[str, str]]
    healed: int


@dataclass(frozen=True, kw_only=True)
class Pace:
    """``actual`` and ``plan`` are points of SVG lines in a field of WIDTH by HEIGHT; a plan that is
    not known has none."""

    actual: str
    plan: str
    dates: str
    seconds: str
    planned: str


def draw_calendar(record: Record) -> Calendar:
    """How every date stands now."""
    worst = find_worst(record.now)
    done_at_first = record.chapters[0].done
    monday = min(worst) - timedelta(days=min(worst).weekday())
    squares = [
        Square(
            x=(day - monday).days // 7 * SQUARE,
            y=day.weekday() * SQUARE,
            colour=choose_colour(result.outcome),
            title=f"{day}: {LABELS[result.outcome]}",
            healed=result.outcome.done and day not in done_at_first,
        )
        for day, result in worst.items()
    ]
    occurring = sorted({result.outcome for result in worst.values()}, key=lambda o: -o.severity)
    return Calendar(
        width=max(square.x for square in squares) + SQUARE,
        squares=squares,
        months=_place_months(sorted(worst), monday),
        legend=[(choose_colour(outcome), LABELS[outcome]) for outcome in occurring],
        healed=sum(square.healed for square in squares),
    )


def choose_colour(outcome: Outcome) -> str:
    """The colour of an outcome's square."""
    own = {Outcome.ACCEPTED: ACCEPTED, Outcome.NO_GAMES: NO_GAMES}
    return own.get(outcome, COLOURS[TONES[outcome]])


def draw_pace(chapter: Chapter) -> Pace:
    """Dates that had ended over the time since the batch began, as steps, and the plan as a
    line."""
    report = chapter.report
    began = report.started_at
    ends = sorted((run.ended_at - began).total_seconds() for run in chapter.runs if run.ended_at)
    planned = 60 * (report.planned_minutes or 0)
    longest = max([1.0, planned, *ends])
    total = max(1, len(chapter.runs))
    steps = [(0.0, 0)]
    for n, seconds in enumerate(ends, start=1):
        steps += [(seconds, n - 1), (seconds, n)]
    return Pace(
        actual=_word_points(steps, longest, total),
        plan=_word_points([(0.0, 0), (planned, total)], longest, total) if planned else "",
        dates=number(total),
        seconds=duration(longest),
        planned=duration(planned),
    )


def _word_points(points: Collection[tuple[float, int]], longest: float, total: int) -> str:
    return " ".join(
        f"{seconds / longest * WIDTH:.1f},{HEIGHT - n / total * HEIGHT:.1f}"
        for seconds, n in points
    )


def _place_months(days: Sequence[date], monday: date) -> list[tuple[int, str]]:
    """The first date of each month that has room for its name."""
    firsts = [days[0], *(b for a, b in pairwise(days) if a.month != b.month)]
    places = [((day - monday).days // 7 * SQUARE, f"{day:%b %Y}") for day in firsts]
    kept = places[:1]
    for x, name in places[1:]:
        if x - kept[-1][0] >= 4 * SQUARE:
            kept.append((x, name))
    return kept
