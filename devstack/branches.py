"""How dense the code is: branches per 100 lines of function bodies; `make lint` prints it.

A branch is each if, elif, for, while, except, match case, conditional expression, `and` and `or`,
and each `for` and `if` of a comprehension. A body line is a line of a function that holds code: not
blank, not only a comment, not of a docstring. `python -m devstack.branches 20` names the 20 densest
files as well.
"""

from __future__ import annotations

import ast
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PRODUCT = ("dags", "include", "plugins")
# Lowered, until it is 20, whenever the code has become simpler.
MAX_BRANCHES = 32.0

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_BRANCHES = (
    *(ast.If, ast.For, ast.AsyncFor, ast.While, ast.ExceptHandler, ast.match_case, ast.IfExp),
    *(ast.comprehension,),
)


@dataclass(frozen=True)
class Density:
    """Branches and lines of function bodies, of a file or of many."""

    branches: int = 0
    lines: int = 0

    def __add__(self, other: Density) -> Density:
        return Density(self.branches + other.branches, self.lines + other.lines)

    @property
    def per_100(self) -> float:
        return 100 * self.branches / self.lines if self.lines else 0.0


def measure(text: str) -> Density:
    """The density of a file's functions; what stands outside of them is not counted."""
    bodies = [node for node in ast.walk(ast.parse(text)) if isinstance(node, _FUNCTIONS)]
    statements = [statement for function in bodies for statement in _without_docstring(function)]
    # A function in another one is walked twice, and counted once.
    nodes = {node for statement in statements for node in ast.walk(statement)}
    span = {
        number
        for statement in statements
        for number in range(statement.lineno, (statement.end_lineno or statement.lineno) + 1)
    }
    lines = text.splitlines()
    return Density(sum(map(_branches, nodes)), sum(_holds_code(lines[n - 1]) for n in span))


def _without_docstring(function: ast.FunctionDef | ast.AsyncFunctionDef) -> list[ast.stmt]:
    return function.body[1:] if ast.get_docstring(function) else function.body


def _branches(node: ast.AST) -> int:
    if isinstance(node, ast.BoolOp):
        return len(node.values) - 1
    of_comprehension = len(node.ifs) if isinstance(node, ast.comprehension) else 0
    return isinstance(node, _BRANCHES) + of_comprehension


def _holds_code(line: str) -> bool:
    return bool(line.strip()) and not line.lstrip().startswith("#")


def measure_files(root: Path = ROOT) -> dict[Path, Density]:
    """The product's files that hold functions, each with its density."""
    paths = (path for layer in PRODUCT for path in sorted((root / layer).rglob("*.py")))
    measured = {path.relative_to(root): measure(path.read_text()) for path in paths}
    return {path: density for path, density in measured.items() if density.lines}


def total(densities: Iterable[Density]) -> Density:
    return sum(densities, Density())


def describe(files: dict[Path, Density], worst: int = 0) -> Iterator[str]:
    """A line for each package and one for all, then for each of the `worst` densest files."""
    packages = defaultdict(list)
    for path, density in files.items():
        packages[path.parent.as_posix()].append(density)
    for name, densities in packages.items():
        yield _line(name, total(densities))
    yield _line("all", total(files.values()))
    for path in sorted(files, key=lambda path: files[path].per_100, reverse=True)[:worst]:
        yield _line(path.as_posix(), files[path])


def _line(name: str, density: Density) -> str:
    return f"{name:40} {density.per_100:5.1f} branches per 100 of {density.lines} lines"


def main() -> int:
    """Prints the densities; returns 1 if the product is denser than the bound."""
    files = measure_files()
    print("\n".join(describe(files, worst=int(sys.argv[1]) if sys.argv[1:] else 0)))
    return int(total(files.values()).per_100 > MAX_BRANCHES)


if __name__ == "__main__":
    sys.exit(main())
