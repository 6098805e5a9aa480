"""The pins follow pyproject.toml and resolve on each Python; what is wrong is named with its
repair. The resolver is played: the real one asks the package index, in `make lint`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from devstack.pins import LOCK, PINS, check_pins


@pytest.mark.parametrize(
    ("locked", "failing", "steps", "offence"),
    [
        ("a==1\n", "nothing", 4, ""),
        ("a==2\n", "nothing", 1, "requirements.txt does not follow pyproject.toml: make lock"),
        (
            "a==1\n",
            "--universal",
            1,
            "pyproject.toml does not resolve, repair it: no a of that kind",
        ),
        (
            "a==1\n",
            "3.13",
            4,
            "requirements.txt does not resolve on Python 3.13, repair it: no a of that kind",
        ),
    ],
)
def test_pins_are_checked_and_what_is_wrong_is_named(
    tmp_path: Path, locked: str, failing: str, steps: int, offence: str
) -> None:
    pins = tmp_path / PINS
    pins.write_text("a==1\n")
    asked = []

    def compile_pins(root: Path, options: Sequence[str]) -> str:
        assert root == tmp_path
        asked.append(list(options[:-1]))
        if failing in options:
            return "no a of that kind"
        if "-o" in options:
            Path(options[-1]).write_text(locked)
        return ""

    assert check_pins(tmp_path, compile_pins) == offence
    by_python = [["--python-version", f"3.{minor}", "--no-build"] for minor in (11, 12, 13)]
    assert asked == [[*LOCK, "-o"], *by_python][:steps]
    assert pins.read_text() == "a==1\n"
