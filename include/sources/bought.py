"""The limits of the plan that was bought, as a connection's extra names them."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite

from include.sources.spec import Credits, Window

MAX_WHOLE = 2**31 - 1
"""What the tables have room for."""


def read_windows(given: object) -> tuple[Window, ...]:
    """``[[600, 60]]``: requests and seconds of every window. Raises ValueError, which says what is
    wrong."""
    if not isinstance(given, list):
        raise ValueError(f"windows is {given!r}, not a list")
    return tuple(map(_read_window, given))


def read_credits(given: object) -> Credits:
    """``{"monthly": 20000, "live_reserve": 2000, "spread": false}``. Raises ValueError, which says
    what is wrong."""
    if not isinstance(given, Mapping):
        raise ValueError(f"credits is {given!r}, not an object")
    if unknown := given.keys() - {"monthly", "live_reserve", "spread"}:
        raise ValueError(f"credits has {', '.join(sorted(unknown))}, which are not fields of it")
    monthly = _read_whole("monthly", given.get("monthly"), 1, MAX_WHOLE)
    reserve = _read_whole("live_reserve", given.get("live_reserve"), 0, monthly)
    spread = given.get("spread", True)
    if not isinstance(spread, bool):
        raise ValueError(f"spread is {spread!r}, not true or false")
    return Credits(monthly=monthly, live_reserve=reserve, spread=spread)


def _read_window(given: object) -> Window:
    if not isinstance(given, list) or len(given) != 2:
        raise ValueError(f"windows has {given!r}, not requests and seconds like [60, 60]")
    limit, seconds = given
    if type(seconds) not in (int, float) or not isfinite(seconds) or not 0 < seconds <= MAX_WHOLE:
        raise ValueError(f"windows has {seconds!r} for its seconds, not a number above 0")
    return Window(limit=_read_whole("windows", limit, 1, MAX_WHOLE), seconds=float(seconds))


def _read_whole(field: str, given: object, least: int, most: int) -> int:
    if type(given) is not int or not least <= given <= most:
        raise ValueError(f"{field} has {given!r}, not a whole number from {least} to {most}")
    return given
