"""Templates into HTML; everything that is put into one is escaped."""

from __future__ import annotations

from datetime import datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jinja2 import Environment

from include import wording

TEMPLATES = Path(__file__).parent / "templates"


def render(template: str, **shown: Any) -> str:
    """The page. ``root`` is the prefix of the page's own addresses,
    ``ui`` that of Airflow's."""
    return _environment().get_template(template).render(**shown)


@cache
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    words = (wording.moment, wording.money, wording.number, wording.size, wording.period)
    made.filters |= {word.__name__: word for word in words}
    made.filters |= {"date_list": wording.dates, "noted_moment": _word_noted_moment}
    made.tests["link"] = _is_link
    return made


def _word_noted_moment(text: str) -> str:
    """A moment that was noted as text, as the others are shown; empty where none was."""
    return wording.moment(datetime.fromisoformat(text), seconds=True) if text else ""


def _is_link(address: str) -> bool:
    """Whether it is an address that a link may have; others could be scripts."""
    return address.startswith(("http://", "https://", "/"))
