"""The machine's own Chromium without a window: for the browser's tests and the pictures of the
README. Nothing is downloaded."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

PROGRAM = "chromium"
"""As Debian calls it, on the path."""

ABSENT = f"{PROGRAM} is not on this machine: apt-get install {PROGRAM}"


def is_here() -> bool:
    """Whether the machine has one."""
    return shutil.which(PROGRAM) is not None


@contextmanager
def running() -> Iterator[Browser]:
    """A browser, closed at the end. Raises SystemExit with the repair where there is none."""
    from playwright.sync_api import sync_playwright

    if (program := shutil.which(PROGRAM)) is None:
        raise SystemExit(ABSENT)
    with sync_playwright() as driver:
        # Root has no sandbox, and what is looked at is ours.
        browser = driver.chromium.launch(executable_path=program, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()


def sign_in(page: Page, ui: str, user: str, password: str) -> None:
    """Signs in as a person does, at the UI's address; returns on Airflow's first page."""
    page.goto(f"{ui}/auth/login")
    page.get_by_label("Username").fill(user)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"{ui}/")
