"""The page's style in a browser, at rows of the test's own: what it looks like in both themes, and
on a phone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from devstack.environment import ROOT

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.slow

STYLE = ROOT / "plugins/nba_airflow/page/static/page.css"
PHONE = {"width": 390, "height": 900}
BAR = """<!doctype html><title>t</title><progress max="10" value="3"></progress>"""


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
