"""The record as files: the document and its pictures, and where they lie."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from include.guards.record.chapters import Record
from include.guards.record.pictures import draw_calendar, draw_pace
from include.guards.record.words import word_record
from include.reruns import word_reruns_within
from include.storage.store import Store, change

if TYPE_CHECKING:
    from jinja2 import Environment

TEMPLATES = Path(__file__).parent / "templates"
LESSONS = """\
## Lessons learned

<!-- From the heading above on the text is yours: it is kept when the record is written again. -->
"""
MARK = "\n## Lessons learned\n"


def make_files(record: Record) -> dict[str, str]:
    """Name -> text of the document and its two pictures. The same record gives the same
    characters."""
    environment = _environment()
    dag_id = record.report.dag_id
    bad = {result.day for result in record.now if not result.outcome.done}
    rerun = word_reruns_within(dag_id, bad, {result.day for result in record.now})
    words = word_record(record, rerun)
    document = environment.get_template("record.md.j2").render(r=words)
    calendar = environment.get_template("calendar.svg.j2").render(c=draw_calendar(record))
    pace = environment.get_template("pace.svg.j2").render(p=draw_pace(record.chapters[0]))
    return {
        f"{record.name}.dates.svg": calendar,
        f"{record.name}.pace.svg": pace,
        f"{record.name}.md": document,
    }


def write_files(store: Store, files: Mapping[str, str]) -> None:
    """Writes them, the document last, whose lessons stay as people have written them. Raises
    Problem(STORAGE)."""
    for name, text in files.items():
        if name.endswith(".md"):
            change(store, name, partial(_keep_lessons, text))
        else:
            store.replace(name, text.encode())


def _keep_lessons(document: str, seen: bytes | None) -> bytes:
    """The document, with what stands in the one before from its lessons on."""
    _, mark, lessons = (seen or b"").decode("utf-8", "replace").partition(MARK)
    return f"{document}{mark.lstrip() + lessons if mark else LESSONS}".encode()


def _for_markdown(text: str) -> str:
    """The text as a table's cell or a list's line shows it, whatever an error said."""
    text = text.replace("&", "&amp;").replace("<", "&lt;")
    return re.sub(r"([\\|*\[\]~])", r"\\\1", text)


@lru_cache(maxsize=1)
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=select_autoescape(enabled_extensions=("svg.j2",), default=False),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        auto_reload=False,
    )
    environment.filters["md"] = _for_markdown
    return environment
