"""`make pictures`: the README's pictures, made anew of a backfill in the sandbox as a real browser
and a terminal show it."""

from __future__ import annotations

import email.policy
import io
import shlex
import subprocess
import tempfile
from collections.abc import Mapping
from datetime import date
from email.message import EmailMessage
from email.parser import BytesParser
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from devstack import browser, control
from devstack.demo import set_faults
from devstack.environment import ROOT, Home, ui_password
from include.partition import DateRange
from include.reruns import word_backfill

if TYPE_CHECKING:
    from playwright.sync_api import Page

DOCS = ROOT / "docs"
CALENDAR, GRID, MAIL, TERMINAL = "calendar.png", "grid.png", "mail.png", "terminal.svg"
NAMES = (CALENDAR, GRID, MAIL, TERMINAL)

DAG = "bdl_box_scores"
WINDOW = DateRange(date(2024, 10, 22), date(2024, 11, 20))
# A game that comes late, and a key that is refused.
FAULTS = ((date(2024, 11, 13), "missing_game"), (date(2024, 11, 17), "bad_key"))
COLUMNS = 110


def make_pictures(folder: Path = DOCS) -> list[Path]:
    """Starts an installation of its own, backfills, and writes NAMES into the folder. Raises
    SystemExit where there is no Chromium, or the backfill does not end as it should."""
    if not browser.is_here():
        raise SystemExit(browser.ABSENT)
    with tempfile.TemporaryDirectory(prefix="nba-pictures-") as root:
        at = Home(root=Path(root))
        try:
            pictures = _take(at, control.up(at, [])["ports"])
        finally:
            control.down(at)
    for name in NAMES:
        (folder / name).write_bytes(pictures[name])
    return [folder / name for name in NAMES]


def _take(at: Home, ports: Mapping[str, int]) -> dict[str, bytes]:
    """Picture by name."""
    faults = [{"source": "balldontlie", "day": str(day), "kind": kind} for day, kind in FAULTS]
    set_faults(ports["sandbox"], faults)
    _run(at, word_backfill("nbacom_schedule", WINDOW, "--skip-canary"), code=0)
    command = word_backfill(DAG, WINDOW, '--reason "the season so far"')
    told = _run(at, command, code=1).replace(f"{at.root}/", "")
    ui = f"http://127.0.0.1:{ports['api']}"
    with browser.running() as found:
        page = found.new_page(viewport={"width": 1000, "height": 420})
        browser.sign_in(page, ui, "admin", ui_password(at))
        return {
            CALENDAR: _calendar(page, ui),
            GRID: _grid(page, ui),
            MAIL: _mail(page, at),
            TERMINAL: draw_terminal(command, told).encode(),
        }


def _run(at: Home, command: str, *, code: int) -> str:
    """What the command prints, both streams as they come."""
    line = f". {shlex.quote(str(at.env_file))} && exec {command}"
    done = subprocess.run(
        ["bash", "-c", line],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode != code:
        raise SystemExit(f"{command} ended with {done.returncode}:\n{done.stdout}")
    return done.stdout


def _calendar(page: Page, ui: str) -> bytes:
    page.goto(f"{ui}/plugin/nba-game-dates")
    calendar = page.frame_locator("iframe")
    calendar.get_by_role("region", name=DAG).locator(".days a").first.wait_for()
    return page.screenshot()


def _grid(page: Page, ui: str) -> bytes:
    """With the panel of details put away, which leaves room for ten dates."""
    page.goto(f"{ui}/dags/{DAG}")
    page.get_by_role("button", name="Details Panel").click()
    page.get_by_role("link", name="box_scores").first.wait_for()
    page.wait_for_load_state("networkidle")
    return page.screenshot()


def _mail(page: Page, at: Home) -> bytes:
    """The newest, as a mail client shows its HTML."""
    newest = max(at.outbox.glob("*.eml"), key=lambda path: path.stat().st_mtime_ns)
    message = BytesParser(EmailMessage, policy=email.policy.default).parsebytes(newest.read_bytes())
    body = message.get_body(("html",))
    assert body is not None
    page.set_viewport_size({"width": 760, "height": 900})
    page.set_content(body.get_content())
    return page.screenshot()


def draw_terminal(command: str, told: str) -> str:
    """An SVG of a terminal in which the command was typed; asks no host for its letters."""
    console = Console(record=True, width=COLUMNS, file=io.StringIO())
    console.print(Text.assemble(("$ ", "bold green"), (command, "bold")))
    console.print(Text.from_ansi(told.rstrip()))
    drawn = console.export_svg(title="", unique_id="terminal")
    fonts, style = drawn.index("@font-face"), drawn.index(".terminal-matrix")
    return drawn[:fonts] + drawn[style:]


if __name__ == "__main__":
    print("\n".join(str(path.relative_to(ROOT)) for path in make_pictures()))
