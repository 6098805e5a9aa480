"""Reads required fields out of decoded bodies; a missing or mistyped one is a SCHEMA_DRIFT that
names its path."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from math import isfinite
from typing import Any, TypeVar

from include.errors import ErrorClass, Problem
from include.sources.spec import Column, ColumnType

T = TypeVar("T")

_MISSING = object()
# The league was founded in the first of them.
_YEARS = range(1946, 2101)
_REPAIR = (
    "the upstream changed its format: compare the raw object with the parser and adapt it, then"
    " reprocess"
)


def drift(path: str, complaint: str) -> Problem:
    """The problem to raise for the field at ``path``: what it is that it should not be."""
    return Problem(error_class=ErrorClass.SCHEMA_DRIFT, message=f"{path} {complaint}; {_REPAIR}")


def decode(body: bytes) -> Record:
    """The body as a JSON object; anything else (HTML, a cut body, a list) is drift of ``body``."""
    try:
        value = json.loads(body)
    except RecursionError as error:
        raise drift("body", "is nested too deep") from error
    except ValueError as error:
        seen = f"{type(error).__name__} after {len(body)} bytes"
        raise drift("body", f"is not JSON ({seen})") from error
    _check_type(value, "body", "an object", dict)
    return Record(value)


def read_moment(value: str, path: str) -> datetime:
    """An ISO time with Z or an offset as an aware UTC datetime, of a year in which the NBA plays:
    ``0001-01-01`` is a program's default."""
    try:
        moment = datetime.fromisoformat(value)
    except ValueError as error:
        raise drift(path, "is not an ISO time") from error
    if moment.tzinfo is None:
        raise drift(path, "is a time without a zone")
    if moment.year not in _YEARS:
        raise drift(path, f"is a time of the year {moment.year}")
    return moment.astimezone(UTC)


def _check_type(value: object, path: str, wanted: str, *types: type) -> None:
    # type(), not isinstance(): True is not a number here.
    if type(value) not in types:
        found = "is missing" if value is _MISSING else f"is {type(value).__name__}"
        raise drift(path, f"{found}, wanted {wanted}")


@dataclass(frozen=True)
class Record:
    """A JSON object of a body, and its ``path`` in it: ``data[3].player``, empty for the body.

    Each method reads the field ``key`` and raises Problem(SCHEMA_DRIFT) where it is missing or has
    another type; the ``..._or_none`` ones answer None where it is missing or null.
    """

    values: Mapping[str, Any]
    path: str = ""

    def at(self, key: str) -> str:
        """The path of a field."""
        return f"{self.path}.{key}" if self.path else key

    def _take(self, key: str, wanted: str, *types: type) -> Any:
        value = self.values.get(key, _MISSING)
        _check_type(value, self.at(key), wanted, *types)
        return value

    def _unless_null(self, key: str, read: Callable[[str], T]) -> T | None:
        if self.values.get(key) is None:
            return None
        return read(key)

    def child(self, key: str) -> Record:
        return Record(self._take(key, "an object", dict), self.at(key))

    def children(self, key: str) -> list[Any]:
        return list(self._take(key, "a list", list))

    def records(self, key: str) -> list[Record]:
        """The objects of a list."""
        found = []
        for number, value in enumerate(self.children(key)):
            path = f"{self.at(key)}[{number}]"
            _check_type(value, path, "an object", dict)
            found.append(Record(value, path))
        return found

    def text(self, key: str) -> str:
        return str(self._take(key, "text", str))

    def text_or_none(self, key: str) -> str | None:
        """Empty text is None, too."""
        if key not in self.values:
            return None
        return self._take(key, "text or null", str, type(None)) or None

    def text_or_null(self, key: str) -> str:
        """Text that must be there; null is empty."""
        return self._take(key, "text or null", str, type(None)) or ""

    def flag(self, key: str) -> bool:
        return bool(self._take(key, "true or false", bool))

    def flag_or_none(self, key: str) -> bool | None:
        return self._unless_null(key, self.flag)

    def whole(self, key: str) -> int:
        """A whole number, also written as 12.0."""
        value = self._take(key, "a whole number", int, float)
        if value % 1 != 0:  # NaN and Infinity too: json reads both
            raise drift(self.at(key), "is not a whole number")
        return int(value)

    def whole_or_none(self, key: str) -> int | None:
        return self._unless_null(key, self.whole)

    def number(self, key: str) -> float:
        value = self._take(key, "a number", int, float)
        if not isfinite(value):
            raise drift(self.at(key), "is not a finite number")
        return float(value)

    def number_or_none(self, key: str) -> float | None:
        return self._unless_null(key, self.number)

    def moment(self, key: str) -> datetime:
        """An ISO time with Z or an offset as an aware UTC datetime."""
        return read_moment(self.text(key), self.at(key))

    def moment_or_none(self, key: str) -> datetime | None:
        """Empty text is None, too."""
        if self.text_or_none(key) is None:
            return None
        return self.moment(key)

    def day(self, key: str) -> date:
        """The date that ``2024-01-15`` or ``2024-01-15T...`` starts with."""
        try:
            return date.fromisoformat(self.text(key)[:10])
        except ValueError as error:
            raise drift(self.at(key), "is not an ISO date") from error

    def check_day(self, key: str, asked: date) -> None:
        """Raises Problem(SCHEMA_DRIFT) where the field is another date than was asked for."""
        said = self.day(key)
        if said != asked:
            raise drift(self.at(key), f"is {said}, but {asked} was asked for")


@dataclass(frozen=True)
class Field:
    """A column that is one field of the source's object, as it is. Only required ones may not be
    missing or null."""

    key: str
    column: Column
    required: bool = False


_REQUIRED: dict[ColumnType, Callable[[Record, str], Any]] = {
    "STRING": Record.text,
    "INTEGER": Record.whole,
    "DOUBLE": Record.number,
    "BOOLEAN": Record.flag,
    "TIMESTAMP": Record.moment,
}
_OPTIONAL: dict[ColumnType, Callable[[Record, str], Any]] = {
    "STRING": Record.text_or_none,
    "INTEGER": Record.whole_or_none,
    "DOUBLE": Record.number_or_none,
    "BOOLEAN": Record.flag_or_none,
    "TIMESTAMP": Record.moment_or_none,
}


def read_fields(record: Record, fields: Iterable[Field]) -> dict[str, Any]:
    """The values of the fields by column name."""
    values = {}
    for field in fields:
        readers = _REQUIRED if field.required else _OPTIONAL
        read = readers[field.column.type]
        values[field.column.name] = read(record, field.key)
    return values
