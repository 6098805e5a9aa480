"""A season's dates as months of weeks; pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from include.ops.calendar import Cell
from include.outcome import Outcome
from include.partition import days_between


@dataclass(frozen=True, kw_only=True)
class Square:
    """A date in a month: ``cell`` is None where the ledger has nothing of it; ``faint``: another
    outcome is asked for."""

    day: date
    cell: Cell | None
    faint: bool

    @property
    def says(self) -> str:
        """What a person reads, or hears, of it."""
        return f"{self.day}: {_word(self.cell)}"


@dataclass(frozen=True, kw_only=True)
class Month:
    """``starts_on``: the row of its first square, 1 for Monday."""

    name: str
    starts_on: int
    squares: Sequence[Square]


@dataclass(frozen=True, kw_only=True)
class Calendar:
    """The months from a season's first date in the ledger to its last, and how many dates there are
    of each outcome, the worst first."""

    months: Sequence[Month]
    counts: Sequence[tuple[Outcome, int]]


def draw_calendar(cells: Sequence[Cell], wanted: Outcome | None = None) -> Calendar:
    """``cells`` in order of their dates; without any there are no months."""
    by_day = {cell.day: cell for cell in cells}
    squares = [_square(day, by_day.get(day), wanted) for day in _days(cells)]
    months: dict[tuple[int, int], list[Square]] = {}
    for square in squares:
        months.setdefault((square.day.year, square.day.month), []).append(square)
    found = [cell.outcome for cell in cells]
    return Calendar(
        months=[_month(of_month) for of_month in months.values()],
        counts=[(each, found.count(each)) for each in Outcome if each in found],
    )


def _days(cells: Sequence[Cell]) -> list[date]:
    """Whole months."""
    if not cells:
        return []
    first, last = cells[0].day.replace(day=1), cells[-1].day
    after = date(last.year + last.month // 12, last.month % 12 + 1, 1)
    return days_between(first, date.fromordinal(after.toordinal() - 1))


def _square(day: date, cell: Cell | None, wanted: Outcome | None) -> Square:
    return Square(day=day, cell=cell, faint=bool(wanted and cell and cell.outcome != wanted))


def _month(squares: Sequence[Square]) -> Month:
    first = squares[0].day
    return Month(name=f"{first:%b %Y}", starts_on=first.isoweekday(), squares=squares)


def _word(cell: Cell | None) -> str:
    if cell is None:
        return "never run"
    games = (
        f", {cell.games_found or 0} of {cell.games_expected} games" if cell.games_expected else ""
    )
    accepted = ", gaps accepted" if cell.accepted else ""
    return f"{cell.outcome.replace('_', ' ')}{games}{accepted}"
