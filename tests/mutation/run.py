"""Mutation test: which changes of a file do its tests not notice?

``python -m tests.mutation.run [FILE ... --tests TESTS ...]``, by default of the line of a date and
its quick tests (a quarter of an hour on an idle core), runs the tests as they are, then each
mutant of the files (tests.mutation.mutants) in a forked process, against the tests that come by its
lines, module after module in the order given, until one fails. Databases and servers of a module's
fixtures stay up. Prints one JSON line per survivor, the score last; exits with 1 below
``--at-least``.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from itertools import groupby
from pathlib import Path
from types import FrameType
from typing import Any, TextIO

import pytest
from _pytest.runner import runtestprotocol

from tests.mutation.mutants import Mutant, mutants_of

ROOT = Path(__file__).resolve().parents[2]
STEPS = "tests/steps"
FILES = [ROOT / "include" / "outcome.py", *sorted((ROOT / "include" / "steps").glob("*.py"))]
# The quickest first: most mutants do not live to meet the sandbox.
TESTS = (
    "tests/test_outcome.py",
    *(f"{STEPS}/test_{name}.py" for name in ("tally", "entry", "raw_date", "walk", "pages")),
    *(f"{STEPS}/test_{name}.py" for name in ("drift_list", "audit", "attempt", "steps", "refetch")),
)
# Seconds for one mutant's tests, over twenty times what they took before: then it hangs.
PATIENCE = 20.0

Lines = set[tuple[str, int]]


@dataclass(kw_only=True)
class Mutation:
    """A pytest plugin that runs the tests once as they are and then once per mutant."""

    mutants: Sequence[Mutant]
    out: TextIO
    alive: list[Mutant] = field(default_factory=list)
    met: set[int] = field(default_factory=set)
    hung: int = 0

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Instead of pytest's own loop."""
        self.alive = list(self.mutants)
        for path, group in groupby(session.items, key=lambda item: item.path):
            began = time.monotonic()
            items = list(group)
            found = self._baseline(items)
            before = len(self.alive)
            self.alive = [each for each in self.alive if not self._is_killed(each, items, found)]
            if not _passes(items, seconds=PATIENCE + 60):
                raise pytest.UsageError(f"{path}: its tests fail after the mutants, without one")
            self._tell(
                module=str(path.relative_to(ROOT)),
                killed=before - len(self.alive),
                seconds=round(time.monotonic() - began),
            )
            last = items[-1] is session.items[-1]
            session._setupstate.teardown_exact(None if last else session)
        return True

    def _baseline(self, items: Sequence[pytest.Item]) -> dict[pytest.Item, tuple[Lines, float]]:
        """Per test the lines that it comes by and the seconds that it takes; fixtures of the module
        stay up."""
        files = {str(each.path) for each in self.mutants}
        found = {}
        for item in items:
            began = time.monotonic()
            with _traced(files) as lines:
                reports = _protocol(item)
            if any(report.failed for report in reports):
                told = "\n".join(str(report.longrepr) for report in reports if report.failed)
                raise pytest.UsageError(f"{item.nodeid} fails without a mutant:\n{told}")
            found[item] = lines, time.monotonic() - began
        return found

    def _is_killed(
        self,
        mutant: Mutant,
        items: Sequence[pytest.Item],
        found: dict[pytest.Item, tuple[Lines, float]],
    ) -> bool:
        """Whether a test of the module fails with it, the quickest first."""
        changed = {(str(mutant.path), line) for line in range(*_span(mutant))}
        # What runs at import is no test's own: all that come by the file may notice.
        met = [
            item
            for item in items
            if (found[item][0] & changed if mutant.inside else _in(found[item][0], mutant.path))
        ]
        if not met:
            return False
        self.met.add(id(mutant))
        met.sort(key=lambda item: found[item][1])
        return not _passes(
            met, mutant=mutant, seconds=PATIENCE + 20 * sum(found[item][1] for item in met)
        )

    def report(self) -> float:
        """Prints the survivors and the score, which it returns: 0 to 1."""
        for each in self.alive:
            self._tell(
                survivor=f"{each.path.relative_to(ROOT)}:{each.lines[0]}",
                was=each.was,
                now=each.now,
                met=id(each) in self.met,
            )
        by_file: dict[str, list[int]] = defaultdict(lambda: [0, 0])
        alive = {id(each) for each in self.alive}
        for each in self.mutants:
            counts = by_file[str(each.path.relative_to(ROOT))]
            counts[0] += id(each) not in alive
            counts[1] += 1
        for name, (killed, mutants) in by_file.items():
            self._tell(file=name, killed=killed, mutants=mutants)
        score = 1 - len(self.alive) / len(self.mutants)
        killed = len(self.mutants) - len(self.alive)
        self._tell(score=round(score, 4), killed=killed, mutants=len(self.mutants))
        return score

    def _tell(self, **facts: Any) -> None:
        self.out.write(f"{json.dumps(facts)}\n")
        self.out.flush()


def _span(mutant: Mutant) -> tuple[int, int]:
    first, last = mutant.lines
    return first, last + 1


def _in(lines: Lines, path: Path) -> bool:
    return any(file == str(path) for file, _ in lines)


@contextmanager
def _traced(files: Iterable[str]) -> Iterator[Lines]:
    """The lines of the files that run meanwhile, on any thread that starts in it."""
    found: Lines = set()
    wanted = frozenset(files)

    def trace(frame: FrameType, event: str, arg: Any) -> Any:
        if frame.f_code.co_filename not in wanted:
            return None
        found.add((frame.f_code.co_filename, frame.f_lineno))
        return trace

    sys.settrace(trace)
    threading.settrace(trace)
    try:
        yield found
    finally:
        sys.settrace(None)
        threading.settrace(None)  # type: ignore[arg-type] # None ends it


def _passes(items: Sequence[pytest.Item], *, seconds: float, mutant: Mutant | None = None) -> bool:
    """Whether all these tests pass in a forked process, with the mutant in place."""
    child = os.fork()
    if child == 0:
        code = 2
        try:
            code = _run(items, mutant, seconds)
        finally:
            os._exit(code)
    deadline = time.monotonic() + seconds + PATIENCE
    while time.monotonic() < deadline:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            return os.waitstatus_to_exitcode(status) == 0
        time.sleep(0.01)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return False


def _run(items: Sequence[pytest.Item], mutant: Mutant | None, seconds: float) -> int:
    """1 with the first failure. A test that hangs is failed, so that its fixtures still end."""

    def hangs(*_: object) -> None:
        pytest.fail("it hangs")

    signal.signal(signal.SIGALRM, hangs)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    if mutant:
        try:
            mutant.put_in_place(_module_of(mutant.path))
        except Exception:  # noqa: BLE001 - it cannot even be imported
            return 1
    for item in items:
        reports = _protocol(item)
        if any(report.failed for report in reports):
            return 1
    return 0


def _protocol(item: pytest.Item) -> list[pytest.TestReport]:
    """Sets up, calls and tears down one test, but not its module."""
    module: Any = item.getparent(pytest.Module)
    return runtestprotocol(item, log=False, nextitem=module)


def _module_of(path: Path) -> Any:
    name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
    return import_module(name.removeprefix("plugins."))


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 0, 1 when the score is too low, 2 when the tests do not pass by themselves."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation.run", description=__doc__)
    parser.add_argument("files", nargs="*", type=Path, default=FILES)
    parser.add_argument("--tests", nargs="+", default=TESTS)
    parser.add_argument("--at-least", type=float, default=0.0, help="the lowest score, 0 to 1")
    parser.add_argument("--lines", help="FIRST-LAST: only mutants of these lines")
    given = parser.parse_args(arguments)
    mutants = [each for path in given.files for each in mutants_of(path.resolve())]
    if given.lines:
        first, last = (int(line) for line in given.lines.split("-"))
        mutants = [each for each in mutants if first <= each.lines[0] <= last]
    with os.fdopen(os.dup(1), "w") as out:
        mutation = Mutation(mutants=mutants, out=out)
        options = ["-p", "no:cacheprovider", "-p", "no:xdist", "-m", "not slow", *given.tests]
        if pytest.main(options, plugins=[mutation]) != 0:
            return 2
        return int(mutation.report() < given.at_least)


if __name__ == "__main__":
    sys.exit(main())
