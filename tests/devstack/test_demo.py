"""What `make demo` refuses before it starts anything; the story itself is an end-to-end test."""

from __future__ import annotations

from pathlib import Path

import pytest

from devstack.control import where
from devstack.demo import DAG, OTHERS, demo
from devstack.environment import ROOT, Home, ui_password


@pytest.mark.parametrize(
    ("sources", "unknown"),
    [
        ("typo", "typo"),
        (f"{DAG},nbacom", "nbacom"),
        ("odds,all, bdl", "all, bdl, odds"),
        ("All", "All"),
    ],
)
def test_source_that_does_not_exist_is_refused_before_anything_is_started(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], sources: str, unknown: str
) -> None:
    assert demo(Home(root=tmp_path), [], sources) == 2
    assert (
        capsys.readouterr().out
        == f"SOURCES={sources}: no such DAG {unknown}; there are bdl_box_scores, nbacom_schedule,"
        " nbacom_box_scores, odds_api_props, bigdataball_play_by_play; or all\n"
    )
    assert list(tmp_path.iterdir()) == []


def test_known_sources_are_the_dags_that_have_a_spec() -> None:
    specs = {path.stem for path in (ROOT / "dags").glob("*.py") if "SOURCE = " in path.read_text()}
    assert {DAG, *OTHERS} == specs


def test_last_lines_have_the_addresses_of_ui_and_page(tmp_path: Path) -> None:
    at = Home(root=tmp_path)
    at.airflow.mkdir()
    first, page, *others = where(at, {"api": 8081}).splitlines()
    assert first == f"Airflow's UI: http://127.0.0.1:8081 (user admin, password {ui_password(at)})"
    assert page == "How every date stands: http://127.0.0.1:8081/plugin/nba-game-dates"
    assert others[1:] == ["Stop everything: make down"]
