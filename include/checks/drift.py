"""What an upstream has corrected since a date was loaded: old rows against new ones, value by
value; no storage."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from include.sources.spec import Row, Table
from include.warehouse.local import SOURCE_FILE

NAMED = 200
"""Changes that are named per date and endpoint; the rest is counted."""
_LONGEST = 80  # characters of a value


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
    """``changes`` names up to NAMED of them, a line each; ``total`` counts all."""

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
        was, now = before.get(key), after.get(key)
        if was is None or now is None:
            changes.append(Change(key=key, field="", old=was, new=now, row=now or was or {}))
            continue
        for column in table.columns:
            name = column.name
            if name in was and not _same(was[name], now.get(name)):
                changes.append(
                    Change(key=key, field=name, old=was[name], new=now.get(name), row=now)
                )
    return changes


def corrections(table: Table, old: Sequence[Row], new: Sequence[Row]) -> Drift:
    """The differences that come from upstream, in words: rows of bodies that both sides were read
    from are left out.

    A body that is still the same was not corrected; what differs there is a newer version's way of
    reading it.
    """
    kept = {_body(row) for row in old} & {_body(row) for row in new}
    was, now = ([row for row in rows if _body(row) not in kept] for rows in (old, new))
    changes = differences(table, was, now)
    return Drift(
        changes=tuple(said(table, change) for change in changes[:NAMED]), total=len(changes)
    )


def said(table: Table, change: Change) -> str:
    """``GSW@UTA, Stephen Curry, GSW, player_id 115: ast 6 -> 7``, or ``... : row added``; one
    printable line."""
    row, names = change.row, [*table.key]
    if row.get("player_name") and "player_name" not in names:
        names.insert(0, "player_name")
    tricodes = row.get("away_tricode"), row.get("home_tricode")
    where = [f"{tricodes[0]}@{tricodes[1]}" if all(tricodes) else f"game {row.get('game_id')}"]
    where += [_named(name, row.get(name)) for name in names if name != "game_id"]
    if change.field:
        what = f"{change.field} {_value(change.old)} -> {_value(change.new)}"
    else:
        what = "row added" if change.old is None else "row removed"
    # Postgres holds no NUL, and a mail's reader is to see no control characters either.
    return "".join(c if c.isprintable() else "?" for c in f"{', '.join(where)}: {what}")


def _body(row: Row) -> str:
    """The name of the row's body, which holds its hash; the folder is the date's that fetched it,
    maybe another's."""
    return str(row[SOURCE_FILE.name]).rpartition("/")[2]


def _by_key(table: Table, rows: Iterable[Row]) -> dict[tuple[Any, ...], Row]:
    return {tuple(row[name] for name in table.key): row for row in rows}


def _order(key: tuple[Any, ...]) -> tuple[Any, ...]:
    """By value; a column that had another type in an older version sorts by its type first."""
    return tuple((value is not None, type(value).__name__, value) for value in key)


def _same(one: Any, other: Any) -> bool:
    return bool(
        one == other or (one != one and other != other)
    )  # not a number is the same as itself here


def _named(name: str, value: Any) -> str:
    return _clipped(value) if isinstance(value, str) else f"{name} {_value(value)}"


def _value(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case str():
            return f'"{_clipped(value)}"'
        case datetime():
            return value.isoformat().replace("+00:00", "Z")
    return str(value)


def _clipped(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
