"""What keeps the code easy to read, and the linter does not know; a failure names the line and the
repair."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from devstack.branches import MAX_BRANCHES, describe, measure_files, total

ROOT = Path(__file__).resolve().parents[1]
PRODUCT = ("dags", "include", "plugins")
FILES = sorted(
    path.relative_to(ROOT)
    for layer in (*PRODUCT, "devstack", "tests")
    for path in (ROOT / layer).rglob("*.py")
)
MAX_LINES = 400
MAX_LINES_WITHOUT_COMMENT = 15
MAX_IGNORES = 20

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_BLOCKS = (*_FUNCTIONS, ast.For, ast.AsyncFor, ast.While, ast.If, ast.With, ast.AsyncWith, ast.Try)
# The code where there is one, then the reason.
_IGNORE = re.compile(r"# (?:type: ignore|noqa)(?P<code>\[[a-z, -]+\]|: [A-Z0-9, ]+)?(?P<reason>.*)")


def is_short(path: Path, text: str) -> Iterator[str]:
    if (lines := len(text.splitlines())) > MAX_LINES:
        yield (
            f"{path} has {lines} lines, {MAX_LINES} is the most: it holds two ideas, give each its"
            " own file"
        )


def no_conditional_in_another(path: Path, text: str) -> Iterator[str]:
    for outer in ast.walk(ast.parse(text)):
        if isinstance(outer, ast.IfExp) and any(
            isinstance(node, ast.IfExp) for node in ast.walk(outer) if node is not outer
        ):
            yield (
                f"{path}:{outer.lineno} has a conditional expression inside another: write if and"
                " else, or a function"
            )


def long_block_has_a_comment(path: Path, text: str) -> Iterator[str]:
    """In a function a comment anywhere is enough; before the body of a loop or a branch it stands
    above or at its head."""
    lines = text.splitlines()
    for block in ast.walk(ast.parse(text)):
        if not isinstance(block, _BLOCKS) or path.parts[0] == "tests":
            continue
        is_function = isinstance(block, _FUNCTIONS)
        if is_function and ast.get_docstring(block):
            continue
        first, last = block.body[0].lineno, block.body[-1].end_lineno or block.lineno
        where = lines[max(0, block.lineno - 2) : last if is_function else first]
        if last - first >= MAX_LINES_WITHOUT_COMMENT and not any("# " in line for line in where):
            yield (
                f"{path}:{block.lineno} opens {last - first + 1} lines without a comment: say what"
                " they are for, or make them shorter"
            )


def ignore_has_its_code_and_a_reason(path: Path, text: str) -> Iterator[str]:
    for number, found in ignores(text):
        if not (found["code"] and found["reason"].strip(" #,")):
            yield f"{path}:{number} ignores a finding: name its code, and behind it the reason"


def ignores(text: str) -> Iterator[tuple[int, re.Match[str]]]:
    """The comments that switch a finding off, each with its line."""
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT and (found := _IGNORE.search(token.string)):
            yield token.start[0], found


POLICIES = (
    is_short,
    no_conditional_in_another,
    long_block_has_a_comment,
    ignore_has_its_code_and_a_reason,
)


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.__name__)
def test_every_file_keeps_the_policy(policy: Callable[[Path, str], Iterator[str]]) -> None:
    assert len(FILES) > 100, f"the files of {ROOT} were not found"
    offences = [offence for path in FILES for offence in policy(path, (ROOT / path).read_text())]
    assert not offences, "\n".join(offences)


LONG = "    x()\n" * (MAX_LINES_WITHOUT_COMMENT + 1)


@pytest.mark.parametrize(
    ("policy", "text"),
    [
        (is_short, "\n" * (MAX_LINES + 1)),
        (no_conditional_in_another, "x = 1 if a else 2 if b else 3"),
        (no_conditional_in_another, "x = 1 if a else f(2 if b else 3)"),
        (long_block_has_a_comment, f"def f():\n{LONG}"),
        (long_block_has_a_comment, f"# why\n\nfor x in y:\n{LONG}    # why\n"),
        (ignore_has_its_code_and_a_reason, "import x  # type: ignore"),
        (ignore_has_its_code_and_a_reason, "import x  # noqa  because"),
        (ignore_has_its_code_and_a_reason, "import x  # noqa: F401"),
        (ignore_has_its_code_and_a_reason, "x(y)  # type: ignore[arg-type]"),
    ],
)
def test_policy_sees_an_offence(policy: Callable[[Path, str], Iterator[str]], text: str) -> None:
    (offence,) = policy(Path("include/x.py"), text)
    assert re.search(r"^include/x.py.*: \w+ \w+", offence), f"no place or repair in {offence!r}"


@pytest.mark.parametrize(
    ("policy", "text"),
    [
        (is_short, "\n" * MAX_LINES),
        (no_conditional_in_another, "x = 1 if a else 2\ny = 1 if b else 2"),
        (long_block_has_a_comment, f"def f():\n    '''Why.'''\n{LONG}"),
        (long_block_has_a_comment, f"def f():\n    # why\n{LONG}"),
        (long_block_has_a_comment, f"# why\nfor x in y:\n{LONG}"),
        (long_block_has_a_comment, f"for x in y:\n    # why\n{LONG}"),
        (ignore_has_its_code_and_a_reason, "import x  # noqa: F401  for others"),
        (ignore_has_its_code_and_a_reason, "x(y)  # type: ignore[arg-type]  # a stand-in"),
    ],
)
def test_policy_lets_what_is_right_pass(
    policy: Callable[[Path, str], Iterator[str]], text: str
) -> None:
    assert list(policy(Path("include/x.py"), text)) == []


def test_the_product_ignores_few_findings() -> None:
    product = [path for path in FILES if path.parts[0] in PRODUCT]
    found = [
        f"{path}:{number} {ignore[0]}"
        for path in product
        for number, ignore in ignores((ROOT / path).read_text())
    ]
    assert len(found) <= MAX_IGNORES, "\n".join(found)


def test_the_product_branches_no_more_than_the_bound() -> None:
    files = measure_files()
    told = "\n".join(describe(files, worst=20))
    assert total(files.values()).per_100 <= MAX_BRANCHES, told
