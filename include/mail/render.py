"""A report as subject, text part and HTML part; bounded in size, whatever happened to how many
dates."""

from __future__ import annotations

import textwrap
from binascii import b2a_qp
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from include.mail.report import Report
from include.mail.section import Limits
from include.mail.view import View, make_view

if TYPE_CHECKING:
    from css_inline import CSSInliner
    from jinja2 import Environment

TEMPLATES = Path(__file__).parent / "templates"
COLUMNS = 78

MAX_BYTES = 95_000
"""Bytes of both parts as sent (quoted-printable). Gmail cuts a mail off at 102 kB; headers need
some of the rest."""

LIMITS = (
    Limits(groups=20, incomplete=40, changes=48, message=400),
    Limits(groups=8, incomplete=20, changes=24, message=300),
    Limits(groups=3, incomplete=8, changes=12, message=160),
    Limits(groups=0, incomplete=0, changes=0, message=80),
)
"""Tried in turn until the mail fits. The last one is dates and totals only, so only the input's own
width bounds it."""


@dataclass(frozen=True, kw_only=True)
class Rendered:
    """``text`` and ``html`` are complete documents with ``\\n`` line ends; ``subject`` is one
    line."""

    subject: str
    text: str
    html: str


def render(report: Report) -> Rendered:
    """The mail's content: the most detailed one of LIMITS that fits. The same report gives the same
    characters."""
    for limits in LIMITS:
        rendered = _rendered(make_view(report, limits))
        if _sent_size(rendered) <= MAX_BYTES:
            break
    return rendered


def _rendered(shown: View) -> Rendered:
    environment, inliner, css = _machinery()
    text = environment.get_template("summary.txt.j2").render(v=shown)
    html = environment.get_template("summary.html.j2").render(v=shown, css=css)
    return Rendered(subject=shown.subject, text=text, html=inliner.inline(html))


def _sent_size(rendered: Rendered) -> int:
    return sum(len(b2a_qp(part.encode())) for part in (rendered.text, rendered.html))


def wrapped(text: str, first: str = "", hang: str | None = None) -> str:
    """The text in lines of COLUMNS; words longer than a line (URLs) stay whole."""
    return textwrap.fill(
        text,
        width=COLUMNS,
        initial_indent=first,
        subsequent_indent=" " * len(first) if hang is None else hang,
        break_long_words=False,
        break_on_hyphens=False,
    )


@lru_cache(maxsize=1)
def _machinery() -> tuple[Environment, CSSInliner, str]:
    # Imported here: whoever only groups or delivers does not pay for a template engine (30 ms).
    from css_inline import CSSInliner
    from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
    from markupsafe import Markup

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=select_autoescape(enabled_extensions=("html.j2",), default=False),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        auto_reload=False,
    )
    environment.filters["wrap"] = wrapped
    environment.filters["trim_right"] = str.rstrip
    # At-rules survive for the phones that know them; every other client gets what is inlined.
    inliner = CSSInliner(keep_at_rules=True, minify_css=True, load_remote_stylesheets=False)
    return environment, inliner, Markup((TEMPLATES / "summary.css").read_text(encoding="utf-8"))
