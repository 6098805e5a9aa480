"""Values that nobody can have, in the rows of one game: what a source made up or garbled."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from include.sources.spec import Row

# By the columns of all tables: a box score's counts, under each source's names.
_COUNTS = (
    *("minutes", "min", "fgm", "fga", "fg3m", "fg3a", "ftm", "fta", "oreb", "dreb", "reb"),
    *("ast", "stl", "blk", "turnover", "tov", "pf", "pts"),
)
_MADE = {"fgm": "fga", "fg3m": "fg3a", "ftm": "fta"}


def find_impossible(rows: Iterable[Row]) -> str:
    """The first value that cannot be: a count below 0, more shots made than taken, a price that
    is none, a player without a name. Empty where there is none."""
    return next((said for row in rows for said in _complaints(row)), "")


def _complaints(row: Row) -> Iterator[str]:
    name = row.get("player_name")
    if name is not None and not name.strip():
        yield "a player's name is blank"
    for column in _COUNTS:
        if _number(row, column) < 0:
            yield f"{name}'s {column} is {row[column]}"
    for made, taken in _MADE.items():
        if _number(row, made) > _number(row, taken):
            yield f"{name}'s {made} is {row[made]} of {row.get(taken)} {taken}"
    price = row.get("price")
    # Decimal ones are at least 1, American ones (as in old recordings) at least 100 off 0.
    if price is not None and -100 < price < 1:
        yield f"{row['bookmaker']}'s price of {row['market']} is {price:g}"


def _number(row: Row, column: str) -> float:
    return row.get(column) or 0
