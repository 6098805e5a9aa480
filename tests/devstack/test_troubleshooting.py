"""The page of troubleshooting quotes what the product says."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "troubleshooting.md").read_text()
SAID = re.findall(r"(?m)^\| `([^`]+)` \|", PAGE)


def texts(module: str) -> Iterator[str]:
    """Every text of a module that is not a docstring, ``…`` for each value within."""
    found = [*ast.walk(ast.parse(module))]
    documents = [node.value for node in found if isinstance(node, ast.Expr)]
    for node in found:
        if node in documents:
            continue
        if isinstance(node, ast.JoinedStr):
            yield "".join(
                str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values
            )
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def test_every_quoted_message_is_in_the_code() -> None:
    files = [*ROOT.glob("include/**/*.py"), *ROOT.glob("plugins/**/*.py")]
    said = "\n".join(text for path in files for text in texts(path.read_text()))
    assert [each for each in SAID if each not in said] == []
    assert len(SAID) > 50
    assert len(SAID) == len(set(SAID))
    assert len(SAID) == len(re.findall(r"(?m)^\| (?!It says|---)", PAGE))


def test_a_message_that_names_something_is_found_with_the_gap() -> None:
    assert "pool … has no slots" in [*texts("say(f'pool {name} has no slots')")]
