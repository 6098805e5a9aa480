"""The pins follow pyproject.toml and resolve on each Python; what is wrong is named with its
repair. The resolver is played: the real one asks the package index, in `make lint`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from devstack.pins import IMAGE_LOCK, IMAGE_PINS, LOCK, PINS, check_pins


@pytest.mark.parametrize(
    ("locked", "failing", "steps", "offence"),
    [
        ({PINS: "a==1\n", IMAGE_PINS: "a==1\n"}, "nothing", 6, ""),
        (
            {PINS: "a==2\n"},
            "nothing",
            1,
            "requirements.txt does not follow pyproject.toml: make lock",
        ),
        (
            {PINS: "a==1\n", IMAGE_PINS: "a==2\n"},
            "nothing",
            2,
            "requirements-image.txt does not follow pyproject.toml: make lock",
        ),
        (
            {PINS: "a==1\n"},
            "--universal",
            1,
            "pyproject.toml does not resolve, repair it: no a of that kind",
        ),
        (
            {PINS: "a==1\n", IMAGE_PINS: "a==1\n"},
            "3.13",
            5,
            "requirements.txt does not resolve on Python 3.13, repair it: no a of that kind",
        ),
        (
            {PINS: "a==1\n", IMAGE_PINS: "a==1\n"},
            "--overrides",
            6,
            "requirements.txt does not resolve on Python 3.12 with Airflow 3.3.1, repair it: no a"
            " of that kind",
        ),
    ],
)
def test_pins_are_checked_and_what_is_wrong_is_named(
    tmp_path: Path, locked: dict[str, str], failing: str, steps: int, offence: str
) -> None:
    for name in (PINS, IMAGE_PINS):
        (tmp_path / name).write_text("a==1\n")
    asked = []

    def compile_pins(root: Path, options: Sequence[str]) -> str:
        assert root == tmp_path
        asked.append(list(options[:-1] if "-o" in options else options))
        if failing in options:
            return "no a of that kind"
        if "-o" in options:
            new = Path(options[-1])
            new.write_text(locked[new.name])
        return ""

    assert check_pins(tmp_path, compile_pins) == offence
    by_python = [["--python-version", f"3.{minor}", "--no-build", PINS] for minor in (11, 12, 13)]
    other_airflow = [*by_python[1], "--overrides", "devstack/airflow-3.3.1.txt"]
    assert asked == [[*LOCK, "-o"], [*IMAGE_LOCK, "-o"], *by_python, other_airflow][:steps]
    assert (tmp_path / PINS).read_text() == (tmp_path / IMAGE_PINS).read_text() == "a==1\n"
