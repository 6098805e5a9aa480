"""How many minutes a team's players have together: five play at any time, for 48 minutes and five
more an overtime."""

from __future__ import annotations

REGULATION = 240
OVERTIME = 25
MAX_ROUNDING = 5
"""How far a team's sum of whole minutes may be off by rounding alone.

Recorded, team by team: NBA.com's are off by -3 to +4 in 178 (2024-01-10 to 20, 2025-03-15; standard
deviation 1.0), Ball Don't Lie's by 0 to +1 in 42 (2024-01-15, 2026-01-09). Of 2,460 of NBA.com's in
2024-25 none was off by more than 3. A regular who is left out takes 20 to 40, halved minutes 120.
"""


def due_minutes(overtimes: int) -> int:
    """The sum of a team's minutes in a game of so many overtimes."""
    return REGULATION + OVERTIME * overtimes


def nearest_overtimes(minutes: float) -> int:
    """The number of overtimes that such a sum is nearest to."""
    return max(0, round((minutes - REGULATION) / OVERTIME))


def find_wrong_minutes(team: str, minutes: float, overtimes: int) -> str:
    """What is wrong with a team's sum, empty where nothing is."""
    due = due_minutes(overtimes)
    if abs(minutes - due) <= MAX_ROUNDING:
        return ""
    return f"{team}'s players have {minutes:g} minutes, {due} expected{_AFTER.get(overtimes, '')}"


_AFTER = {1: " after overtime", **{n: f" after {n} overtimes" for n in range(2, 7)}}
