"""A section of the mail: what is shown in detail, and the rest folded, so that the mail stays
small."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How much is shown in detail. What exceeds it is folded, and the mail says so."""

    groups: int
    incomplete: int
    changes: int
    message: int


@dataclass(frozen=True, kw_only=True)
class Folded:
    """What did not fit in detail: a sentence, and all its dates."""

    says: str
    dates: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class Section(Generic[T]):
    """False where it has nothing to say. ``endpoints_named``: its lines are of several
    endpoints."""

    title: str
    shown: Sequence[T]
    folded: Folded | None = None
    endpoints_named: bool = False

    def __bool__(self) -> bool:
        return bool(self.shown or self.folded)
