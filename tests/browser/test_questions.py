"""The script of the page "Running" in a browser, at a page and answers of the test's own."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from devstack.environment import ROOT

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Route

pytestmark = pytest.mark.slow

STATIC = ROOT / "plugins/nba_airflow/page/static"
AT = "http://airflow.test"
PAGE = """<!doctype html><title>t</title><p id="said"></p><main>
<button data-ask="/late">Late</button><button data-ask="/soon">Soon</button></main>
<dialog id="question" data-root=""><h2></h2><ul></ul><p class="answer"></p>
<button class="yes"></button><button class="no">No</button></dialog>
<script>const renew = () => { document.querySelector("main").dataset.renewed = "yes"; };</script>
<script src="/running.js"></script>"""


def tell(route: Route, title: str) -> None:
    """The answer to a question."""
    told = {"title": title, "lines": [], "method": "PUT", "address": f"/act/{title}"}
    route.fulfill(content_type="application/json", body=json.dumps(told))


def open_page(chromium: Browser) -> tuple[Page, dict[str, Route]]:
    """The page, and what it asks that the test has to answer, by path."""
    page = chromium.new_page()
    asked: dict[str, Route] = {}
    page.route(f"{AT}/**", lambda route: asked.update({route.request.url[len(AT) :]: route}))
    page.route(f"{AT}/", lambda route: route.fulfill(content_type="text/html", body=PAGE))
    page.route(f"{AT}/running.js", lambda route: route.fulfill(path=STATIC / "running.js"))
    page.goto(f"{AT}/")
    return page, asked


def press(page: Page, button: str, asked: dict[str, Route], path: str) -> None:
    """Presses the button, and waits until it has asked."""
    page.locator(button).click()
    while path not in asked:
        page.evaluate("0")


def test_a_late_answer_does_not_replace_another_buttons_question(chromium: Browser) -> None:
    page, asked = open_page(chromium)
    press(page, "[data-ask='/late']", asked, "/late")
    page.locator(".no").click()
    press(page, "[data-ask='/soon']", asked, "/soon")
    tell(asked["/soon"], "Soon")
    page.get_by_role("heading", name="Soon").wait_for()
    with page.expect_response(f"{AT}/late") as late:
        tell(asked["/late"], "Late")
    late.value.finished()
    page.evaluate("new Promise((done) => setTimeout(done))")
    assert page.locator("h2").inner_text() == "Soon"
    press(page, ".yes", asked, "/act/Soon")
    assert asked["/act/Soon"].request.method == "PUT"
    page.close()


def test_what_is_done_late_does_not_close_another_buttons_question(chromium: Browser) -> None:
    page, asked = open_page(chromium)
    press(page, "[data-ask='/late']", asked, "/late")
    tell(asked["/late"], "Late")
    press(page, ".yes", asked, "/act/Late")
    page.locator(".no").click()
    press(page, "[data-ask='/soon']", asked, "/soon")
    asked["/act/Late"].fulfill(content_type="application/json", body='{"said": "it is done"}')
    page.get_by_text("it is done").wait_for()
    assert page.locator("dialog").evaluate("(dialog) => dialog.open")
    page.close()
