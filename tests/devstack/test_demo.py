"""What `make demo` refuses before it starts anything; the story itself is an end-to-end test."""

from __future__ import annotations

from pathlib import Path

import pytest

from devstack.demo import DAG, OTHERS, demo
from devstack.environment import ROOT, Home


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
