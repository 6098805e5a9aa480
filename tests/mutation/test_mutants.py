"""What a mutation test changes in a file, and that the changed code is what runs."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from tests.mutation.mutants import Mutant, mutants_of

CODE = '''"""A docstring."""

from __future__ import annotations

from dataclasses import dataclass

LIMIT = 3
NAMES = {"a", "b"}


@dataclass(frozen=True)
class One:
    size: int = 1

    @property
    def small(self) -> bool:
        """Whether it is."""
        return self.size < LIMIT and not self.size in (7,)


def told(one: One, text: str = "x") -> str:
    if one.small:
        raise ValueError
    return repr(text, end="")
'''


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "mutated_here.py"
    file.write_text(CODE)
    return file


@pytest.fixture
def module(path: Path) -> Iterator[ModuleType]:
    spec = importlib.util.spec_from_file_location("mutated_here", path)
    assert spec
    assert spec.loader
    made = importlib.util.module_from_spec(spec)
    sys.modules["mutated_here"] = made
    spec.loader.exec_module(made)
    yield made
    del sys.modules["mutated_here"]


def changes(mutants: list[Mutant]) -> list[tuple[int, str, str]]:
    return [(each.lines[0], each.was, each.now) for each in mutants]


def test_every_kind_of_code_is_changed_and_docstrings_types_and_decorators_are_not(
    path: Path,
) -> None:
    assert changes(mutants_of(path)) == [
        (7, "LIMIT = 3", "LIMIT = None"),
        (7, "3", "4"),
        (8, "NAMES = {'a', 'b'}", "NAMES = None"),
        (8, "{'a', 'b'}", "{'b'}"),
        (8, "{'a', 'b'}", "{'a'}"),
        (8, "'a'", "'aXX'"),
        (8, "'b'", "'bXX'"),
        (13, "1", "2"),
        (18, "return self.size < LIMIT and (not self.size in (7,))", "return None"),
        (18, "self.size < LIMIT and (not self.size in (7,))",
         "self.size < LIMIT or not self.size in (7,)"),
        (18, "self.size < LIMIT", "self.size <= LIMIT"),
        (18, "self.size < LIMIT", "self.size >= LIMIT"),
        (18, "not self.size in (7,)", "self.size in (7,)"),
        (18, "self.size in (7,)", "self.size not in (7,)"),
        (18, "(7,)", "()"),
        (18, "7", "8"),
        (21, "'x'", "'xXX'"),
        (22, "if one.small: raise ValueError", "if not one.small: raise ValueError"),
        (23, "raise ValueError", "pass"),
        (24, "return repr(text, end='')", "return None"),
        (24, "repr(..., end='')", "without it"),
        (24, "''", "'XX'"),
    ]  # fmt: skip


def test_mutant_runs_in_place_of_the_code_for_whoever_has_it_already(
    path: Path, module: ModuleType
) -> None:
    one, other = module.One(2), sys.modules[__name__]
    vars(other)["LIMIT"] = module.LIMIT
    by_change = {(each.was, each.now): each for each in mutants_of(path)}
    assert one.small

    by_change["self.size < LIMIT", "self.size >= LIMIT"].put_in_place(module)
    assert not one.small
    by_change["1", "2"].put_in_place(module)
    assert (module.One().size, one.small) == (2, True)
    by_change["3", "4"].put_in_place(module)
    assert (module.LIMIT, vars(other).pop("LIMIT")) == (4, 4)
    by_change["raise ValueError", "pass"].put_in_place(module)
    with pytest.raises(TypeError):
        module.told(module.One(2))
