"""The document of the page has its pages, and what its functions say."""

from __future__ import annotations

import re
from pathlib import Path

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "page.md").read_text()


def test_addresses_are_those_of_the_functions(airflow_environment: None) -> None:
    from devstack.page_document import make_addresses, update

    assert update(PAGE) == PAGE, "docs/page.md is old: make docs"
    assert make_addresses() in PAGE


def test_every_page_of_the_navigation_is_named() -> None:
    from nba_airflow.page import PAGES

    listed = re.findall(r"(?m)^\| (?!Page|---)([^|]+) \|", PAGE)
    assert listed == [page.name for page in PAGES]
