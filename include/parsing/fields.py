"""Reads required fields out of decoded bodies; a missing or mistyped one is a SCHEMA_DRIFT that
names its path."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from math import isfinite
from typing import Any, cast

from include.errors import ErrorClass, Problem
from include.sources.spec import Column, ColumnType

_MISSING = object()
_REPAIR = (
    "the upstream changed its format: compare the raw object with the parser and adapt it, then"
    " reprocess"
)

Json = Mapping[str, Any]


def drift(path: str, wanted: str, value: object = _MISSING) -> Problem:
    """The problem to raise for one field: where it is, what was wanted, what type came instead."""
    found = "is missing" if value is _MISSING else f"is {type(value).__name__}"
    return Problem(
        error_class=ErrorClass.SCHEMA_DRIFT, message=f"{path} {found}, wanted {wanted}; {_REPAIR}"
    )


def wrong(path: str, complaint: str) -> Problem:
    """The problem to raise for a field that has its type but not its meaning."""
    return Problem(error_class=ErrorClass.SCHEMA_DRIFT, message=f"{path} {complaint}; {_REPAIR}")


def decoded(body: bytes) -> Json:
    """The body as a JSON object; anything else (HTML, a cut body, a list) is drift of ``body``."""
    try:
        value = json.loads(body)
    except ValueError as error:
        raise wrong(
            "body", f"is no JSON ({type(error).__name__} after {len(body)} bytes)"
        ) from error
    if type(value) is not dict:
        raise drift("body", "an object", value)
    return value


def _take(parent: Json, key: str, at: str, wanted: str, types: tuple[type, ...]) -> Any:
    value = parent.get(key, _MISSING)
    # type(), not isinstance(): True is no number here.
    if type(value) in types:
        return value
    raise drift(f"{at}.{key}" if at else key, wanted, value)


def child(parent: Json, key: str, at: str = "") -> Json:
    return cast(Json, _take(parent, key, at, "an object", (dict,)))


def children(parent: Json, key: str, at: str = "") -> list[Any]:
    return cast(list[Any], _take(parent, key, at, "a list", (list,)))


def records(parent: Json, key: str, at: str = "") -> list[tuple[Json, str]]:
    """The objects of a list, each with its own path (``data[3]``)."""
    base = f"{at}.{key}" if at else key
    found = [(value, f"{base}[{n}]") for n, value in enumerate(children(parent, key, at))]
    for value, path in found:
        if type(value) is not dict:
            raise drift(path, "an object", value)
    return found


def text(parent: Json, key: str, at: str) -> str:
    return str(_take(parent, key, at, "text", (str,)))


def text_or_none(parent: Json, key: str, at: str) -> str | None:
    """Missing, null and empty text are all None."""
    return (
        _take(parent, key, at, "text or null", (str, type(None))) if key in parent else None
    ) or None


def flag(parent: Json, key: str, at: str) -> bool:
    return bool(_take(parent, key, at, "true or false", (bool,)))


def whole(parent: Json, key: str, at: str) -> int:
    """A whole number, also written as 12.0."""
    value = _take(parent, key, at, "a whole number", (int, float))
    if value % 1 != 0:  # NaN and Infinity too: json reads both
        raise wrong(f"{at}.{key}", "is no whole number")
    return int(value)


def whole_or_none(parent: Json, key: str, at: str) -> int | None:
    return None if parent.get(key) is None else whole(parent, key, at)


def number(parent: Json, key: str, at: str) -> float:
    value = _take(parent, key, at, "a number", (int, float))
    if not isfinite(value):
        raise wrong(f"{at}.{key}", "is no finite number")
    return float(value)


def number_or_none(parent: Json, key: str, at: str) -> float | None:
    return None if parent.get(key) is None else number(parent, key, at)


def moment(value: str, path: str) -> datetime:
    """An ISO time with Z or an offset as an aware UTC datetime."""
    try:
        parsed = datetime.fromisoformat(value)
    except ValueError as error:
        raise wrong(path, "is no ISO time") from error
    if parsed.tzinfo is None:
        raise wrong(path, "is a time without a zone")
    return parsed.astimezone(UTC)


def calendar_day(value: str, path: str) -> date:
    """The date that ``2024-01-15`` or ``2024-01-15T...`` starts with."""
    try:
        return date.fromisoformat(value[:10])
    except ValueError as error:
        raise wrong(path, "is no ISO date") from error


@dataclass(frozen=True)
class Field:
    """A column that is one field of the source's object, as it is. Only required ones may not be
    missing or null."""

    key: str
    column: Column
    required: bool = False


def _timestamp(parent: Json, key: str, at: str) -> datetime:
    return moment(text(parent, key, at), f"{at}.{key}")


def _flag_or_none(parent: Json, key: str, at: str) -> bool | None:
    return None if parent.get(key) is None else flag(parent, key, at)


def _timestamp_or_none(parent: Json, key: str, at: str) -> datetime | None:
    return None if text_or_none(parent, key, at) is None else _timestamp(parent, key, at)


_REQUIRED: dict[ColumnType, Callable[[Json, str, str], Any]] = {
    "STRING": text,
    "INTEGER": whole,
    "DOUBLE": number,
    "BOOLEAN": flag,
    "TIMESTAMP": _timestamp,
}
_OPTIONAL: dict[ColumnType, Callable[[Json, str, str], Any]] = {
    "STRING": text_or_none,
    "INTEGER": whole_or_none,
    "DOUBLE": number_or_none,
    "BOOLEAN": _flag_or_none,
    "TIMESTAMP": _timestamp_or_none,
}


def read(parent: Json, at: str, of: Iterable[Field]) -> dict[str, Any]:
    """The values of the fields by column name."""
    return {
        field.column.name: (_REQUIRED if field.required else _OPTIONAL)[field.column.type](
            parent, field.key, at
        )
        for field in of
    }
