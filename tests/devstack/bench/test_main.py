"""`make bench`: JSON on stdout, a table on stderr, one benchmark by its name."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from devstack.bench import __main__ as command
from devstack.bench import limiter, start
from devstack.bench.lines import Line


def lines(name: str) -> Iterator[Line]:
    yield Line(name=name, value=1, unit="s")


@pytest.fixture(autouse=True)
def two_benches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "BENCHES", {"start": "start", "limiter": "limiter"})
    monkeypatch.setattr(start, "bench", lambda: lines("start_command"))
    monkeypatch.setattr(limiter, "bench", lambda: lines("limiter_1"))


@pytest.mark.parametrize(
    ("names", "found"),
    [([], ["start_command", "limiter_1"]), (["limiter"], ["limiter_1"])],
)
def test_all_are_run_or_those_that_are_named(
    names: list[str],
    found: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "argv", ["bench", *names])
    command.main()
    out, err = capsys.readouterr()
    assert out.splitlines() == [Line(name=name, value=1, unit="s").as_json() for name in found]
    assert [row.split()[0] for row in err.splitlines()[-len(found) :]] == found


def test_unknown_name_is_refused_with_the_known_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["bench", "strat"])
    with pytest.raises(SystemExit, match="no benchmark strat: there are start, limiter"):
        command.main()
