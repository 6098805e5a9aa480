"""The data dictionary is that of the specs."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_committed_page_is_what_the_specs_say(airflow_environment: None) -> None:
    from devstack.dictionary import PAGE, make_page

    assert PAGE.read_text() == make_page(), "docs/dictionary.md is old: make docs"


def test_every_table_and_view_has_its_section(airflow_environment: None) -> None:
    from devstack.dictionary import make_page
    from nba_airflow.specs import tables

    views = sorted(path.stem for path in (ROOT / "include/analytics/views").glob("*.sql"))
    assert re.findall(r"(?m)^## `([\w.]+)`", make_page()) == [
        *map(str, tables()),
        "raw.date_status",
        *(f"analytics.{view}" for view in views),
    ]
