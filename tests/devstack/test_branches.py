"""What counts as a branch and as a line, and how a package's density is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from devstack.branches import Density, describe, measure, measure_files


@pytest.mark.parametrize(
    ("body", "branches", "lines"),
    [
        ("x = 1", 0, 1),
        ("if a:\n x()\nelif b:\n y()\nelse:\n z()", 2, 6),
        ("for a in b:\n pass\nwhile c:\n pass", 2, 4),
        ("try:\n x()\nexcept A:\n y()\nexcept B:\n z()", 2, 6),
        ("match a:\n case 1:\n  x()\n case _:\n  y()", 2, 5),
        ("return 1 if a else 2", 1, 1),
        ("return a and b and (c or d)", 3, 1),
        ("return [x for y in z if a if b for x in y]", 4, 1),
        ("with a:\n x()", 0, 2),
        ("'''Says what\n\nit is for.'''\n# why\n\nreturn f(\n 1,\n)", 0, 3),
        ("def g():\n if a:\n  x()\nreturn g", 1, 4),
    ],
)
def test_branches_and_lines_of_a_body(body: str, branches: int, lines: int) -> None:
    text = "x = 1 if a else 2\n\n\ndef f():\n" + "".join(f" {line}\n" for line in body.split("\n"))
    assert measure(text) == Density(branches, lines)


def test_densities_are_told_by_package_then_of_all_then_of_the_densest_files(
    tmp_path: Path,
) -> None:
    for name, body in (
        ("include/a.py", "x()"),
        ("include/parsing/b.py", "return 1 if a else 2"),
        ("include/parsing/c.py", "x()\n    y()"),
        ("include/constants.py", ""),
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"def f():\n    {body}\n" if body else "X = 1\n")
    told = [" ".join(line.split()) for line in describe(measure_files(tmp_path), worst=1)]
    assert told == [
        "include 0.0 branches per 100 of 1 lines",
        "include/parsing 33.3 branches per 100 of 3 lines",
        "all 25.0 branches per 100 of 4 lines",
        "include/parsing/b.py 100.0 branches per 100 of 1 lines",
    ]
