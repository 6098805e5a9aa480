"""The pictures of the README are those that `make pictures` writes; making them is left to it."""

from __future__ import annotations

import html
import re
from pathlib import Path

from devstack.pictures import DOCS, NAMES, draw_terminal

ROOT = Path(__file__).resolve().parents[2]


def test_pictures_of_the_readme_are_those_that_are_made() -> None:
    shown = re.findall(r"!\[[^]]+\]\(([^)]+)\)", (ROOT / "README.md").read_text())
    assert sorted(shown) == sorted(f"docs/{name}" for name in NAMES)
    there = {path.name for path in DOCS.iterdir() if path.suffix in (".png", ".svg")}
    assert there == set(NAMES)


def test_a_terminal_shows_command_and_answer_and_asks_no_host_for_letters() -> None:
    drawn = draw_terminal("airflow nba sql '[x]'", "\x1b[32mgood\x1b[0m & <well>")
    said = html.unescape(re.sub(r"<[^>]*>", "", drawn.partition("</style>")[2])).split("\n")
    lines = [line.replace("\xa0", " ").strip() for line in said]
    assert [line for line in lines if line] == ["$ airflow nba sql '[x]'", "good & <well>"]
    assert "url(" not in drawn.replace("url(#", "")
