"""What `make demo` refuses before it starts anything; the story itself is an end-to-end test."""

from __future__ import annotations

from pathlib import Path

import pytest

from devstack.control import where
from devstack.demo import DAG, OTHERS, demo, find_others
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
        == f"SOURCES={sources}: no such DAG {unknown}; there are {', '.join((DAG, *OTHERS))};"
        " or all\n"
    )
    assert list(tmp_path.iterdir()) == []


def test_others_are_the_schedule_then_the_sources_then_what_is_made_of_them(tmp_path: Path) -> None:
    for dag_id, declared in {
        "z_source": "SOURCE",
        "a_table": "PROCESSOR",
        "c_source": "SOURCE",
        "a_report": "REPORT",
        "nbacom_schedule": "SOURCE",
        DAG: "SOURCE",
    }.items():
        (tmp_path / f"{dag_id}.py").write_text(f'"""A DAG."""\n\n{declared} = 1\n')
    assert find_others(tmp_path) == ("nbacom_schedule", "c_source", "z_source", "a_table")


def test_others_of_the_project_are_its_dags_with_dates() -> None:
    dated = ("SOURCE = ", "PROCESSOR = ")
    dags = {path.stem: path.read_text() for path in (ROOT / "dags").glob("*.py")}
    found = {dag_id for dag_id, text in dags.items() if any(each in text for each in dated)}
    assert {DAG, *OTHERS} == found


def test_last_lines_have_the_addresses_of_ui_and_page(tmp_path: Path) -> None:
    at = Home(root=tmp_path)
    at.airflow.mkdir()
    first, page, *others = where(at, {"api": 8081}).splitlines()
    assert first == f"Airflow's UI: http://127.0.0.1:8081 (user admin, password {ui_password(at)})"
    assert page == "How every date stands: http://127.0.0.1:8081/plugin/nba-game-dates"
    assert others[1:] == ["Stop everything: make down"]
