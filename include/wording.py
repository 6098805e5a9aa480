"""Numbers, moments and dates in words, the same in the mail and in every command; ASCII only."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime
from difflib import get_close_matches
from itertools import groupby

from include.partition import DateRange, day_ranges

MAX_NAMED_IN_FULL = 10
"""Up to this many ranges are written as full dates; more are listed by month, which takes a third
of the room."""


def clean(text: str) -> str:
    """One line of printable text: error messages come with line breaks, control and direction
    characters."""
    return "".join(c if c.isprintable() else "?" for c in " ".join(text.split()))


def clipped(text: str, room: int, rest: str = "see the log") -> str:
    """The cleaned text in at most ``room`` characters, how many were left out, and where the
    ``rest`` is."""
    text = clean(text)
    if len(text) <= room:
        return text
    return f"{text[:room].rstrip()} [... {number(len(text) - room)} more characters, {rest}]"


def number(value: float) -> str:
    """1234 -> ``1,234``."""
    return f"{value:,.0f}"


def counted(count: int, one: str, many: str = "") -> str:
    """``1 date``, ``3 dates``."""
    return f"{number(count)} {one if count == 1 else many or one + 's'}"


def name_known(written: str, known: Iterable[str]) -> str:
    """``a, b, c``, and the one of them that may have been meant."""
    there = [*known]
    near = get_close_matches(written, there, n=1)
    return ", ".join(there) + "".join(f" (did you mean {name}?)" for name in near)


def money(dollars: float) -> str:
    """US dollars; below one dollar with four decimals where they count: a date costs about
    $0.0004."""
    dollars = round_money(dollars)
    if dollars >= 1:
        return f"${dollars:,.2f}"
    whole, fraction = f"{dollars:.4f}".split(".")
    return f"${whole}.{fraction[:2]}{fraction[2:].rstrip('0')}"


def round_money(dollars: float) -> float:
    """The dollars of which ``money`` tells."""
    return round(dollars, 2 if dollars >= 1 else 4)


def size(count: float) -> str:
    """Bytes in decimal units, as object stores bill them."""
    value, unit = float(count), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if value < 1000:
            break
        value, unit = value / 1000, larger
    return f"{value:.0f} B" if unit == "B" else f"{value:.1f} {unit}"


def duration(seconds: float, *, exact: bool = False) -> str:
    """The two largest units: ``45 s``, ``2 h 14 min``, ``3 d 4 h``; of minutes the seconds only
    where it is to be ``exact``: ``5 min 41 s``."""
    seconds = round_duration(seconds)
    if seconds < 60:
        return f"{seconds} s"
    if exact and seconds < 3600:
        minutes, seconds = divmod(seconds, 60)
        return f"{minutes} min {seconds} s" if seconds else f"{minutes} min"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h" if hours else f"{days} d"


def round_duration(seconds: float) -> int:
    """The seconds of which ``duration`` tells when it is exact: below an hour whole seconds, below
    a day whole minutes, then whole hours."""
    minutes = round(seconds / 60)
    if round(seconds) < 3600:
        return round(seconds)
    return minutes * 60 if minutes < 1440 else round(minutes / 60) * 3600


def deviation(actual: float, planned: float) -> str:
    """How far off the plan, in whole percent: ``+7 %``, ``-5 %``, ``as planned``; empty for a plan
    of 0."""
    if planned <= 0:
        return ""
    percent = round(100 * (actual - planned) / planned)
    return f"{percent:+,} %" if percent else "as planned"


def shares(counts: Sequence[int]) -> list[str]:
    """What each is of their sum, in percent with one decimal; together they are ``100.0 %``, and
    what there is has at least ``0.1 %``. Empty words for a sum of 0."""
    whole = sum(counts)
    if not whole:
        return [""] * len(counts)
    tenths = [max(1, 1000 * count // whole) if count else 0 for count in counts]
    rests = [1000 * count - whole * given for count, given in zip(counts, tenths, strict=True)]
    left = 1000 - sum(tenths)
    # By largest remainder; where the small ones were given too much, the largest gives it.
    largest_first = sorted(range(len(counts)), key=lambda at: -rests[at])
    for at in largest_first[: max(0, left)]:
        tenths[at] += 1
    tenths[tenths.index(max(tenths))] += min(0, left)
    return [f"{given / 10:.1f} %" for given in tenths]


def moment(at: datetime, *, seconds: bool = False) -> str:
    """``2026-10-01 10:02 UTC``, of an aware moment; ``10:02:00`` where seconds count."""
    form = "%Y-%m-%d %H:%M:%S" if seconds else "%Y-%m-%d %H:%M"
    return f"{at.astimezone(UTC):{form}} UTC"


def period(first: datetime | None, last: datetime | None) -> str:
    """``2026-10-01 10:02 to 10:45 UTC``; one moment when both are the same minute; empty without
    any."""
    if first is None or last is None:
        known = first or last
        return moment(known) if known else ""
    start, end = first.astimezone(UTC), last.astimezone(UTC)
    if f"{start:%Y-%m-%d %H:%M}" == f"{end:%Y-%m-%d %H:%M}":
        return moment(first)
    until = f"{end:%H:%M}" if start.date() == end.date() else f"{end:%Y-%m-%d %H:%M}"
    return f"{start:%Y-%m-%d %H:%M} to {until} UTC"


def dates(days: Iterable[date]) -> str:
    """All dates on one line: ``2025-01-03..2025-01-05, 2025-01-09``."""
    return ", ".join(str(each) for each in day_ranges(days))


def date_lines(days: Iterable[date]) -> list[str]:
    """All dates: one line of full dates, or when there are many ranges a line a month
    (``2024-10: 3, 5..9``)."""
    ranges = day_ranges(days)
    if not ranges:
        return []
    if len(ranges) <= MAX_NAMED_IN_FULL:
        return [", ".join(str(each) for each in ranges)]
    months: dict[str, list[str]] = {}
    for each in ranges:
        for part in _by_month(each):
            ends = dict.fromkeys((part.first.day, part.last.day))
            months.setdefault(f"{part.first:%Y-%m}", []).append("..".join(map(str, ends)))
    return [f"{month}: {', '.join(spans)}" for month, spans in months.items()]


def listed(words: Sequence[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} and {words[-1]}"


def _by_month(dates: DateRange) -> Iterator[DateRange]:
    for _, days in groupby(dates.days, key=lambda day: (day.year, day.month)):
        (part,) = day_ranges(days)
        yield part
