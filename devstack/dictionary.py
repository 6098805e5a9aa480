"""docs/dictionary.md, from the specs of the tables and the texts of the views: `python -m
devstack.dictionary` writes it anew, a test compares it."""

from __future__ import annotations

from itertools import takewhile
from pathlib import Path

from include.sources.spec import Table
from include.warehouse.rows import SOURCE_FILE
from include.warehouse.status import DATE_STATUS
from include.warehouse.views import FOLDER
from nba_airflow.specs import tables

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "dictionary.md"

_HEAD = f"""# Data dictionary

Every table and view of the warehouse, written from their specs by `make docs`.
`airflow nba sql` lists those that are there. Times are in UTC, a game date is US/Eastern. In bold:
the key, by which rows of a date are in order and no two are the same. A column without a word is
what its name says, as the source has it. Every table ends with `{SOURCE_FILE.name}`, a string: the
raw object, relative to the raw store, that the row was read from. Whether a date may be counted on
says `{DATE_STATUS}`.
"""


def make_page() -> str:
    """The page's Markdown: a section a table, then one a view."""
    views = sorted(FOLDER.glob("*.sql"))
    made = [*map(_table, (*tables(), DATE_STATUS)), *map(_view, views)]
    return "\n".join([_HEAD, *made])


def _table(table: Table) -> str:
    lines = [f"## `{table}`", "", _cell(table.doc), "", "| Column | Type | What |"]
    lines += ["| --- | --- | --- |"]
    for column in table.columns:
        name = f"`{column.name}`"
        shown = f"**{name}**" if column.name in table.key else name
        lines.append(f"| {shown} | {column.type} | {_cell(column.doc)} |")
    return "\n".join([*lines, ""])


def _view(path: Path) -> str:
    """A view's heading and the comment that its text begins with."""
    comment = takewhile(lambda line: line.startswith("-- "), path.read_text().splitlines())
    said = " ".join(line.removeprefix("-- ") for line in comment)
    return f"## `analytics.{path.stem}` (view)\n\n{said}\n"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(make_page())
