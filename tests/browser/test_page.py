"""The page in Airflow's UI, in a real browser: it shows the ledger, to whom it may, without an
error, a request to another host or what a screen reader stumbles over.

Pictures of every page, of both widths and themes, are left in data/browser.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from devstack.environment import ROOT, ui_password
from nba_airflow.page import PAGES as NAMED
from nba_airflow.page import PREFIX

if TYPE_CHECKING:
    from tests.browser.conftest import Desk, Desks
    from tests.e2e.conftest import System

pytestmark = pytest.mark.slow

VARIABLES = {"AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": "admin:admin,vera:viewer"}
LIVE_DAYS = 0

DAG = "bdl_box_scores"
FAILED, PARTIAL, COMPLETE = "2024-10-22", "2024-10-23", "2024-10-24"
PICTURES = ROOT / "data" / "browser"

# Every page of the navigation, and what those lead to.
PAGES = {each.name: f"{PREFIX}{each.path}" for each in NAMED}
PAGES |= {
    "game dates of a DAG": f"{PREFIX}/?dag_id={DAG}&outcome=failed",
    "a date": f"{PREFIX}/dates/{DAG}/{FAILED}",
    "a mail": f"{PREFIX}/mail?mail_id=MAIL",
}
RERUN = "Run unfinished dates again"
WIDTHS = {"phone": 390, "desktop": 1280}
THEMES = ("light", "dark")


@pytest.fixture(scope="module")
def backfilled(desks: Desks) -> System:
    """Three dates: one failed, one partial, one complete."""
    system = desks.system
    for dag_id in (DAG, "nbacom_schedule"):
        system.api("PATCH", f"dags/{dag_id}", {"is_paused": False})
    system.faults([fault(FAILED, "bad_key"), fault(PARTIAL, "missing_game")])
    code, _ = system.backfill(f"{DAG} -s {FAILED} -e {COMPLETE}")
    assert code == 1
    return system


def fault(day: str, kind: str) -> dict[str, Any]:
    """Of every request for the date's box scores."""
    return {"source": "balldontlie", "endpoint": "box_scores", "day": day, "kind": kind}


@pytest.fixture
def admin(desks: Desks, backfilled: System) -> Iterator[Desk]:
    with desks.of("admin") as desk:
        yield desk


@pytest.fixture
def viewer(desks: Desks, backfilled: System) -> Iterator[Desk]:
    with desks.of("vera") as desk:
        yield desk


def test_the_navigation_leads_to_a_calendar_that_is_the_ledger(admin: Desk, backfilled: System):
    page = admin.page
    page.get_by_role("button", name="Browse").click()
    page.get_by_role("menuitem", name="Game dates").click()
    calendar = page.frame_locator("iframe")
    squares = calendar.get_by_role("region", name=DAG).locator(".days a")
    squares.first.wait_for()

    shown = {
        square.get_attribute("href"): square.get_attribute("class").split()
        for square in squares.all()
    }
    newest = backfilled.ops(
        "SELECT DISTINCT ON (day) day, outcome FROM ops.outcomes WHERE dag_id = %s"
        " ORDER BY day, outcome_id DESC",
        DAG,
    )
    assert shown == {f"/nba/dates/{DAG}/{day}": [outcome] for day, outcome in newest}
    assert [outcome for _, outcome in newest] == ["failed", "partial", "complete"]


def test_a_square_tells_and_leads_to_its_date_and_run(admin: Desk, backfilled: System):
    page = admin.page
    page.goto(f"{admin.ui}/nba/?dag_id={DAG}")
    squares = page.locator(".days a")
    said = [square.get_attribute("title") for square in squares.all()]
    assert said[0] == f"{FAILED}: failed"
    assert re.fullmatch(rf"{PARTIAL}: partial, (\d+) of \d+ games", said[1])
    assert page.get_by_role("link", name=said[0]).count() == 1

    squares.nth(0).focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    page.wait_for_url(f"{admin.ui}/nba/dates/{DAG}/{PARTIAL}")

    page.locator("a[target=_top]").first.click()
    ((run,),) = backfilled.metadata(
        "SELECT run_id FROM dag_run WHERE dag_id = %s AND partition_key = %s", DAG, PARTIAL
    )
    page.get_by_role("heading", name=run).wait_for()


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_sound(name: str, admin: Desk, backfilled: System):
    from axe_playwright_python.sync_playwright import Axe

    PICTURES.mkdir(parents=True, exist_ok=True)
    page = admin.page
    ((mail_id,),) = backfilled.ops("SELECT mail_id FROM ops.outbox WHERE about = %s", [DAG])
    address = admin.ui + PAGES[name].replace("MAIL", quote(mail_id, safe=""))
    faults = []
    for size, width in WIDTHS.items():
        page.set_viewport_size({"width": width, "height": 900})
        for theme in THEMES:
            page.emulate_media(color_scheme=theme)
            answer = page.goto(address)
            assert answer.status == 200
            assert "default-src 'none'" in answer.headers["content-security-policy"]
            page.screenshot(path=PICTURES / f"{name}, {size}, {theme}.png", full_page=True)
            found = Axe().run(page).response["violations"]
            faults += [(size, theme, *named(each)) for each in found if is_grave(each)]
            if page.evaluate("document.documentElement.scrollWidth") > width:
                faults.append((size, theme, "wider than the screen"))
    assert faults == []
    assert admin.heard.errors == []
    assert admin.heard.hosts == {admin.ui.removeprefix("http://")}


def is_grave(violation: dict[str, Any]) -> bool:
    """Of axe's four degrees the upper two."""
    return violation["impact"] in ("serious", "critical")


def named(violation: dict[str, Any]) -> tuple[str, str]:
    """What it is, and where."""
    return violation["id"], violation["nodes"][0]["html"]


def test_a_viewer_reads_and_may_not_act(viewer: Desk, backfilled: System):
    page = viewer.page
    page.goto(f"{viewer.ui}{PREFIX}/")
    assert page.get_by_role("region", name=DAG).locator(".days a").count() == 3
    page.goto(f"{viewer.ui}{PREFIX}/running")
    page.get_by_role("heading", name="Ended, with dates that are not done").wait_for()
    assert page.locator("button[data-ask]").count() == 0

    ((backfill_id,),) = backfilled.metadata("SELECT id FROM backfill WHERE dag_id = %s", DAG)
    ((batch_id,),) = backfilled.ops("SELECT batch_id FROM ops.batches WHERE dag_id = %s", DAG)
    at = f"{PREFIX}/api/v1/backfills/{backfill_id}"
    named = ("pause", "unpause", "resume", "release", "cancel")
    asked = [("GET", f"{at}/questions/{action}") for action in named]
    asked += [("PUT", f"{at}/{action}") for action in ("resume", "release", "cancel")]
    asked += [("PUT", f"/api/v2/backfills/{backfill_id}/{each}") for each in ("pause", "unpause")]
    of_batch = f"{PREFIX}/api/v1/dags/{DAG}/batches/{quote(batch_id, safe='')}"
    asked += [("GET", f"{of_batch}/questions/rerun"), ("PUT", f"{of_batch}/rerun")]
    answers = {
        path: page.request.fetch(viewer.ui + path, method=method).status for method, path in asked
    }
    assert answers == {path: 403 for _, path in asked}


def test_a_stranger_is_asked_to_sign_in_and_a_script_brings_a_token(
    desks: Desks, backfilled: System
):
    context = desks.browser.new_context()
    ui = f"http://127.0.0.1:{backfilled.ports['api']}"
    answers = {path: context.request.get(ui + path).status for path in PAGES.values()}
    login = {"username": "admin", "password": ui_password(backfilled.home)}
    token = context.request.post(f"{ui}/auth/token", data=login).json()["access_token"]
    context.close()
    assert answers == dict.fromkeys(PAGES.values(), 401)

    script = desks.browser.new_context(extra_http_headers={"Authorization": f"Bearer {token}"})
    dates = script.request.get(f"{ui}{PREFIX}/api/v1/calendar").json()["dags"][DAG]
    script.close()
    assert [each["day"] for each in dates] == [FAILED, PARTIAL, COMPLETE]


def test_failed_dates_run_again_once_the_question_is_answered(admin: Desk, backfilled: System):
    backfilled.faults([])
    page = admin.page
    page.goto(f"{admin.ui}{PREFIX}/running")
    page.get_by_role("button", name=RERUN).click()
    question = page.get_by_role("dialog")
    question.get_by_role("heading", name=f"Run 2 unfinished dates of {DAG} again?").wait_for()
    assert re.search(r"\d requests", question.inner_text())

    question.get_by_role("button", name=RERUN).click()

    backfilled.until(lambda: outcomes(backfilled) == ["complete"] * 3)
    assert admin.heard.errors == []


def outcomes(system: System) -> list[str]:
    """How its dates stand, in order."""
    newest = system.ops(
        "SELECT DISTINCT ON (day) outcome FROM ops.outcomes WHERE dag_id = %s"
        " ORDER BY day, outcome_id DESC",
        DAG,
    )
    return [outcome for (outcome,) in newest]


HANGS, WAITS = "2024-11-11", ("2024-11-12", "2024-11-13")
HELD = "2024-11-18"
IS_PAUSED = "SELECT is_paused FROM backfill WHERE id = %s"


def begin(system: System, first: str, last: str) -> int:
    """A backfill of one date at a time, as Airflow's own UI begins it."""
    open_ones = "SELECT 1 FROM backfill WHERE dag_id = %s AND completed_at IS NULL"
    system.until(lambda: not system.metadata(open_ones, DAG))
    window = {"from_date": f"{first}T00:00:00Z", "to_date": f"{last}T00:00:00Z"}
    order = {"dag_id": DAG, **window, "run_backwards": False, "max_active_runs": 1}
    return int(system.api("POST", "backfills", order)["id"])


def press(desk: Desk, label: str, answer: str) -> str:
    """Presses the button, and that of the question's which has the answer; what was asked."""
    page = desk.page
    page.goto(f"{desk.ui}{PREFIX}/running?fresh=true")
    page.get_by_role("main").get_by_role("button", name=label, exact=True).click()
    question = page.get_by_role("dialog")
    question.get_by_role("button", name=label, exact=True).wait_for()
    asked = str(question.inner_text())
    question.get_by_role("button", name=answer, exact=True).click()
    question.wait_for(state="hidden")
    return asked


def test_a_backfill_is_paused_resumed_and_cancelled(admin: Desk, backfilled: System):
    backfilled.faults([fault(HANGS, "hang")])
    number = begin(backfilled, HANGS, WAITS[-1])
    under_way = "SELECT 1 FROM dag_run WHERE backfill_id = %s AND state = 'running'"
    backfilled.until(lambda: backfilled.metadata(under_way, number))
    states = "SELECT partition_key, state FROM dag_run WHERE backfill_id = %s ORDER BY 1"

    asked = press(admin, "Pause", "Leave it as it is")
    assert asked.startswith(f"Pause backfill {number} of {DAG}?\n")
    assert "Under way, and goes on: 1 date\nWaits: 2 dates\n" in asked
    assert backfilled.metadata(IS_PAUSED, number) == [(False,)]

    press(admin, "Pause", "Pause")
    assert backfilled.metadata(IS_PAUSED, number) == [(True,)]
    assert re.search(r"\d requests", press(admin, "Resume", "Resume"))
    assert backfilled.metadata(IS_PAUSED, number) == [(False,)]

    asked = press(admin, "Cancel the backfill", "Cancel the backfill")
    assert "Under way, and goes on: 1 date\nCancelled before they ran: 2 dates\n" in asked
    admin.page.get_by_text(f"backfill {number} is cancelled", exact=True).wait_for()
    found = dict(backfilled.metadata(states, number))
    assert [found[day] for day in WAITS] == ["failed", "failed"]
    assert admin.heard.errors == []


def test_a_backfill_that_its_preflight_holds_is_released(admin: Desk, backfilled: System):
    backfilled.faults([{"source": "balldontlie", "endpoint": "box_scores", "kind": "bad_key"}])
    number = begin(backfilled, HELD, HELD)
    held = "SELECT 1 FROM ops.holds WHERE backfill_id = %s AND kind = 'preflight'"
    backfilled.until(lambda: backfilled.ops(held, number))

    asked = press(admin, "Release", "Leave it as it is")
    assert asked.startswith(f"Release backfill {number} of {DAG}?\n")
    assert backfilled.metadata(IS_PAUSED, number) == [(True,)]

    backfilled.faults([])
    press(admin, "Release", "Release")
    admin.page.get_by_text("it goes on", exact=True).wait_for()
    state = "SELECT state FROM dag_run WHERE backfill_id = %s"
    backfilled.until(lambda: backfilled.metadata(state, number) == [("success",)])
    assert admin.heard.errors == []
