"""One installation and one browser for the module: what the page shows of a backfill of three
dates, to an administrator and to a viewer."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from devstack import browser
from tests.e2e.conftest import System, crash_orders, system

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page, StorageState

__all__ = ["crash_orders", "system"]

MAX_WAIT_MS = 30_000


@dataclass
class Heard:
    """What pages have said and asked for, whichever frame it was."""

    errors: list[str] = field(default_factory=list)
    hosts: set[str] = field(default_factory=set)


@dataclass
class Desk:
    """A person at a browser, signed in; ``ui`` is where Airflow's UI is."""

    page: Page
    ui: str
    heard: Heard


@dataclass
class Desks:
    """Gives people their browsers; ``system`` is what they look at."""

    system: System
    browser: Browser
    cookies: dict[str, StorageState] = field(default_factory=dict)

    @contextmanager
    def of(self, user: str) -> Iterator[Desk]:
        """A browser of its own, whose pages are listened to from before the first request; it signs
        in once."""
        ui = f"http://127.0.0.1:{self.system.ports['api']}"
        passwords = json.loads((self.system.home.airflow / "ui-passwords.json").read_text())
        context = self.browser.new_context(storage_state=self.cookies.get(user))
        try:
            context.set_default_timeout(MAX_WAIT_MS)
            heard = _listen(context)
            page = context.new_page()
            if user in self.cookies:
                page.goto(f"{ui}/")
            else:
                browser.sign_in(page, ui, user, passwords[user])
                self.cookies[user] = context.storage_state()
            yield Desk(page, ui, heard)
        finally:
            context.close()


def _listen(context: BrowserContext) -> Heard:
    heard = Heard()
    context.on("request", lambda asked: heard.hosts.update({urlsplit(asked.url).netloc} - {""}))
    context.on("weberror", lambda error: heard.errors.append(str(error.error)))
    context.on(
        "console", lambda said: heard.errors.append(said.text) if said.type == "error" else None
    )
    return heard


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """The machine's own; skipped where there is none."""
    if not browser.is_here():
        pytest.skip(browser.ABSENT)
    with browser.running() as found:
        yield found


@pytest.fixture(scope="module")
def desks(chromium: Browser, system: System) -> Desks:
    """Of the people who look at this installation."""
    return Desks(system, chromium)
