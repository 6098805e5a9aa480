"""NBA.com's vocabulary: game ids, season types, the season of a date, and the columns that every
table starts with."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date

from include.parsing.fields import Field
from include.sources.spec import Column, ColumnType

# SeasonType of stats.nba.com by the third digit of a game id. "IST" is the Cup final alone: the
# Cup's other games are regular season (seen 2024-12).
SEASON_TYPES = {
    "1": "Pre Season",
    "2": "Regular Season",
    "3": "All Star",
    "4": "Playoffs",
    "5": "PlayIn",
    "6": "IST",
}
COUNTING = frozenset({"Regular Season", "Playoffs", "PlayIn", "IST"})
_BUBBLE_END = date(2020, 10, 11)
GAME_ID = re.compile(r"00[1-6]\d{7}", re.ASCII)


def season(day: date) -> str:
    """The season of a date as NBA.com writes it: ``2024-25`` from August to July (2019-20: to
    October)."""
    starts = day.year
    if day.month < 8 or date(2020, 8, 1) <= day <= _BUBBLE_END:
        starts -= 1
    return f"{starts}-{(starts + 1) % 100:02}"


GAME_COLUMNS = (
    Column("game_date", "DATE", "US/Eastern date of the game"),
    Column("game_id", "STRING", "NBA.com's ten digits, zero-padded"),
    Column("home_tricode", "STRING"),
    Column("away_tricode", "STRING"),
)


def columns_of(of: Sequence[Field]) -> tuple[Column, ...]:
    return tuple(field.column for field in of)


def fields_of(*groups: tuple[ColumnType, bool, str]) -> tuple[Field, ...]:
    """Fields from groups of (column type, required, words).

    ``FG_PCT`` is column fg_pct, ``subType`` is sub_type, ``personId=player_id`` names its column
    itself.
    """
    found = []
    for kind, required, words in groups:
        for word in words.split():
            key, _, name = word.partition("=")
            found.append(Field(key, Column(name or _snake(key), kind), required))
    return tuple(found)


def _snake(key: str) -> str:
    if key.isupper():
        return key.lower()
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", key).lower()
