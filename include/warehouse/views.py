"""The questions that people ask first, as views: one SQL text each, for every warehouse."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "analytics" / "views"
DATASET = "analytics"
_TABLE = re.compile(r"\{(\w+\.\w+)\}")
_COMMENT = re.compile(r"^-- ?(.*)\n", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class View:
    """``analytics.<name>``. In ``text`` tables stand in braces, as in ``{raw.date_status}``."""

    name: str
    doc: str
    text: str

    @property
    def tables(self) -> frozenset[str]:
        """What it reads."""
        return frozenset(_TABLE.findall(self.text))

    def query(self, name: Callable[[str], str]) -> str:
        """Its SELECT, with the tables as ``name`` writes them."""
        return _TABLE.sub(lambda found: name(found[1]), self.text)


def find_views(tables: Collection[str]) -> list[View]:
    """The views of which all tables are there."""
    return [view for view in _read_views() if view.tables <= {*tables}]


@cache
def _read_views() -> tuple[View, ...]:
    """Each file's first comment is what the view is for."""
    return tuple(_read(path) for path in sorted(FOLDER.glob("*.sql")))


def _read(path: Path) -> View:
    text = path.read_text(encoding="utf-8")
    doc = " ".join(_COMMENT.findall(text))
    return View(name=path.stem, doc=doc, text=_COMMENT.sub("", text).strip())
