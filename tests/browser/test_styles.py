"""The page's style in a browser, at rows of the test's own: what it looks like in both themes, and
on a phone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from devstack.environment import ROOT
from nba_airflow.page.render import render

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.slow

STYLE = ROOT / "plugins/nba_airflow/page/static/page.css"
PICTURES = ROOT / "data" / "browser"
NOW = "2025-01-16T10:00:00+00:00"
RUN = "backfill__2025-01-15T05:00:00+00:00__2025-01-15__SwigUtQS"
PHONE = {"width": 390, "height": 900}
BAR = """<!doctype html><title>t</title><progress max="10" value="3"></progress>"""


def draw_date() -> str:
    """The page of a date that has one try and one body."""
    from datetime import datetime

    row: dict[str, Any] = dict.fromkeys(
        ("rows", "attempt", "requests", "credits", "changes_total", "games_found"), 1
    )
    row |= {"endpoint": "box_scores", "outcome": "complete", "games_expected": 1, "missing": []}
    row |= {"ended_at": datetime.fromisoformat(NOW), "run_id": RUN, "message": "", "changes": []}
    row |= {"error_class": "", "log_url": "/log"}
    body = {"endpoint": "box_scores", "item": "page 1", "role": "body", "bytes": 9000}
    place = f"file:///srv/nba/raw/bdl_box_scores/box_scores/2025-01-15/{'0' * 64}.json.gz"
    body |= {"fetched_at": NOW, "place": place}
    shown = {"dag_id": "bdl_box_scores", "day": "2025-01-15", "season": 2024, "root": "", "ui": ""}
    shown |= {"pages": [], "path": "/", "endpoints": [row], "tries": [row], "mails": []}
    return render("date.html.j2", **shown, bodies=[body], bodies_problem="")


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    found = chromium.new_page(viewport=PHONE)
    yield found
    found.close()


def show(page: Page, text: str) -> None:
    page.set_content(text)
    page.add_style_tag(path=STYLE)


@pytest.mark.parametrize(("theme", "rest"), [("light", (237, 242, 247)), ("dark", (29, 37, 48))])
def test_what_is_left_of_a_bar_is_of_the_theme(page: Page, theme: Any, rest: Any) -> None:
    page.emulate_media(color_scheme=theme)
    show(page, BAR)
    bar = page.locator("progress")
    style = "(bar) => [getComputedStyle(bar).appearance, getComputedStyle(bar).backgroundColor]"
    assert bar.evaluate(style) == ["none", f"rgb{rest}"]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_dates_tables_can_be_read_on_a_phone(page: Page, theme: Any) -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    page.emulate_media(color_scheme=theme)
    show(page, draw_date())
    page.screenshot(path=PICTURES / f"rows, phone, {theme}.png", full_page=True)
    run = page.get_by_title(RUN)
    place = page.locator("td > code").bounding_box()
    tries = page.get_by_role("region", name="Tries")
    shades = tries.evaluate("(table) => getComputedStyle(table).backgroundAttachment")
    assert (run.inner_text(), run.bounding_box()["width"] <= 100) == (RUN, True)
    assert (place["width"] >= 250, place["height"] < 120) == (True, True)
    assert shades == "local, local, scroll, scroll"
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
