"""What an upstream has corrected since a date was loaded: old rows against new ones, value by
value; no storage."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from include.sources.spec import Row, Table
from include.warehouse.rows import SOURCE_FILE

# Changes that are named per date and endpoint; the rest is counted.
MAX_NAMED = 200
# Characters of a value.
MAX_CHARACTERS = 80


@dataclass(frozen=True, kw_only=True)
class Change:
    """One value of the row with ``key`` (the values of the table's key): ``old`` became ``new``.

    An empty ``field`` means the row itself: it is ``new`` where ``old`` is None, and gone the other
    way round. ``row`` is the row to name it by.
    """

    key: tuple[Any, ...]
    field: str
    old: Any
    new: Any
    row: Row


@dataclass(frozen=True, kw_only=True)
class Drift:
    """``changes`` names up to MAX_NAMED of them, a line each; ``total`` counts all."""

    changes: tuple[str, ...]
    total: int


def differences(table: Table, old: Iterable[Row], new: Iterable[Row]) -> list[Change]:
    """Every difference by the table's key, in key order. ``source_file`` is not content and is
    not compared.

    Nor is a column that the old row does not have: it came with a newer version of the table, not
    from upstream.
    """
    before, after = _by_key(table, old), _by_key(table, new)
    changes: list[Change] = []
    for key in sorted({*before, *after}, key=_order):
        if key not in before:
            changes.append(Change(key=key, field="", old=None, new=after[key], row=after[key]))
        elif key not in after:
            changes.append(Change(key=key, field="", old=before[key], new=None, row=before[key]))
        else:
            changes += _changes_of_row(table, key, before[key], after[key])
    return changes


def _changes_of_row(table: Table, key: tuple[Any, ...], was: Row, now: Row) -> Iterator[Change]:
    for name in (column.name for column in table.columns):
        if name in was and not _is_same(was[name], now.get(name)):
            yield Change(key=key, field=name, old=was[name], new=now.get(name), row=now)


def corrections(table: Table, old: Sequence[Row], new: Sequence[Row]) -> Drift:
    """The differences that come from upstream, in words: rows of bodies that both sides were read
    from are left out.

    A body that is still the same was not corrected; what differs there is a newer version's way of
    reading it.
    """
    kept = {_body(row) for row in old} & {_body(row) for row in new}
    was, now = ([row for row in rows if _body(row) not in kept] for rows in (old, new))
    return all_changes(table, was, now)


def all_changes(table: Table, old: Iterable[Row], new: Iterable[Row]) -> Drift:
    """Every difference in words, wherever it comes from."""
    changes = differences(table, old, new)
    named = tuple(describe(table, change) for change in changes[:MAX_NAMED])
    return Drift(changes=named, total=len(changes))


def describe(table: Table, change: Change) -> str:
    """``GSW@UTA, Stephen Curry, GSW, player_id 115: ast 6 -> 7``, or ``... : row added``; one
    printable line."""
    where = ", ".join([_name_game(change.row), *_name_row(table, change.row)])
    if change.field:
        what = f"{change.field} {_write(change.old)} -> {_write(change.new)}"
    elif change.old is None:
        what = "row added"
    else:
        what = "row removed"
    # Postgres holds no NUL, and a mail's reader is to see no control characters either.
    return "".join(c if c.isprintable() else "?" for c in f"{where}: {what}")


def _name_game(row: Row) -> str:
    away, home = row.get("away_tricode"), row.get("home_tricode")
    if away and home:
        return f"{away}@{home}"
    return f"game {row.get('game_id')}"


def _name_row(table: Table, row: Row) -> list[str]:
    names = [name for name in table.key if name != "game_id"]
    if "player_name" not in names and row.get("player_name"):
        names.insert(0, "player_name")
    return [_name_value(name, row.get(name)) for name in names]


def _body(row: Row) -> str:
    """The name of the row's body, which holds its hash; the folder is the date's that fetched it,
    maybe another's."""
    return str(row[SOURCE_FILE.name]).rpartition("/")[2]


def _by_key(table: Table, rows: Iterable[Row]) -> dict[tuple[Any, ...], Row]:
    return {tuple(row[name] for name in table.key): row for row in rows}


def _order(key: tuple[Any, ...]) -> tuple[Any, ...]:
    """By value; a column that had another type in an older version sorts by its type first."""
    return tuple((value is not None, type(value).__name__, value) for value in key)


def _is_same(one: Any, other: Any) -> bool:
    are_both_nan = one != one and other != other
    return bool(one == other or are_both_nan)


def _name_value(name: str, value: Any) -> str:
    if isinstance(value, str):
        return _clip(value)
    return f"{name} {_write(value)}"


def _write(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case str():
            return f'"{_clip(value)}"'
        case datetime():
            return value.isoformat().replace("+00:00", "Z")
    return str(value)


def _clip(text: str) -> str:
    if len(text) <= MAX_CHARACTERS:
        return text
    return f"{text[:MAX_CHARACTERS]}..."
