"""Every command that messages, mails and documents tell people to type is one that the real parser
takes, or a target of the Makefile."""

from __future__ import annotations

import ast
import re
import shlex
from argparse import ArgumentParser
from collections.abc import Iterator
from datetime import date

import pytest

from devstack.environment import ROOT
from include.partition import DateRange
from include.reruns import word_backfill, word_rerun, word_resets

_COMMAND = re.compile(r"(?<![\w/-])airflow [a-z]+(?: [a-z-]+)?(?: [^`\n#;|]*)?")
_TARGET = re.compile(r"`make ([a-z][a-z-]*)")
# Words that stand for what a person fills in.
_FILLED = {
    "DATE": "2025-01-15",
    "S": "2025-01-15",
    "E": "2025-01-16",
    "FIRST": "2025-01-15",
    "LAST": "2025-01-16",
    "FLAGS": "-y",
    "DAG": "bdl_box_scores",
    "NAME": "nba_stats",
    "SLOTS": "2",
    "DESCRIPTION": "less",
}
DAYS = [date(2025, 1, 15), date(2025, 1, 17)]


def texts() -> Iterator[tuple[str, str]]:
    """(where, text) of every string in the code that is deployed, and of every document."""
    for folder in ("dags", "include", "plugins"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            where = str(path.relative_to(ROOT))
            tree = ast.parse(path.read_text())
            for text in _strings(tree):
                yield where, text
            if folder == "dags":  # its page in the UI
                yield where, ast.get_docstring(tree) or ""
    templates = (ROOT / "include" / "mail" / "templates").iterdir()
    documents = [ROOT / "README.md", ROOT / ".env.example", *(ROOT / "docs").glob("*.md")]
    for path in (*documents, *templates):
        for line in path.read_text().splitlines():
            yield str(path.relative_to(ROOT)), line


def _strings(tree: ast.AST) -> Iterator[str]:
    """Each string but the docstrings as it is put together, with ``bdl_box_scores`` for what is
    filled in."""
    inner: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr):
            inner.add(id(node.value))
        elif isinstance(node, ast.JoinedStr):
            inner |= {id(part) for part in node.values}
            yield "".join(map(_fill, node.values))
        elif (
            isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in inner
        ):
            yield node.value


def _fill(part: ast.expr) -> str:
    """A part of a text; of a field what can stand there."""
    if isinstance(part, ast.Constant):
        return str(part.value)
    return _FILLED["SLOTS" if ast.unparse(part) == "{slots}" else "DAG"]


def advised() -> list[tuple[str, str]]:
    """(where, command) of all that people are told to type, with their words filled in."""
    worded = [
        word_rerun("bdl_box_scores", DAYS),
        *word_resets("bdl_box_scores", DAYS),
        word_backfill("bdl_box_scores", DateRange(*DAYS), "--attach"),
    ]
    found = [("include/reruns.py", command) for command in worded]
    for where, text in texts():
        for match in _COMMAND.finditer(text):
            words = [_FILLED.get(word, word) for word in match[0].split()]
            found.append((where, " ".join(words).rstrip(".,:)")))
    return found


def known_commands() -> set[str]:
    """``dags backfill``, ``version``: every command there is."""
    from airflow.cli import cli_config
    from airflow.cli.cli_config import GroupCommand

    found = set()
    for each in cli_config.core_commands:
        inner = [i.name for i in each.subcommands] if isinstance(each, GroupCommand) else []
        found |= {each.name, *(f"{each.name} {name}" for name in inner)}
    return found


def test_every_advised_command_is_one_that_the_parser_takes(
    parser: ArgumentParser, capsys: pytest.CaptureFixture[str]
) -> None:
    known, wrong, typed = known_commands(), [], set()
    for where, command in advised():
        words = shlex.split(command)[1:]
        if " ".join(words) in known:
            continue  # its name alone
        typed.add(command)
        try:
            parser.parse_args(words)
        except SystemExit as ended:
            if ended.code:
                wrong.append((where, command, capsys.readouterr().err.splitlines()[-1:]))
    assert wrong == []
    assert len(typed) > 15


def test_every_advised_target_is_one_of_the_makefile() -> None:
    targets = set(re.findall(r"(?m)^([a-z][a-z-]*):", (ROOT / "Makefile").read_text()))
    told = {(where, target) for where, text in texts() for target in _TARGET.findall(text)}
    assert [(where, target) for where, target in sorted(told) if target not in targets] == []
    assert len(told) > 5
