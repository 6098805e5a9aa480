"""What `make test` runs, on which Pythons, and what it says of a failure."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from devstack.run_tests import (
    FAST,
    FAST_ELSEWHERE,
    SLOW,
    find_python,
    run_beside,
    run_everything,
)


def run_with(
    failing: dict[str, int], found: dict[int, str], here: int = 11
) -> tuple[int, list[str]]:
    """Exit code, and the commands that ran here, then those beside them, each from its program's
    last folder on; `failing` is by a word of the command."""

    def runner(commands: list[str]) -> Callable[[Sequence[str]], int]:
        def run(command: Sequence[str]) -> int:
            commands.append(" ".join(command))
            return max((code for word, code in failing.items() if word in commands[-1]), default=0)

        return run

    ran, beside = list[str](), list[str]()
    code = run_everything(runner(ran), runner(beside), found.get, here=here)
    return code, [command[command.find("/bin/") + 5 :] for command in ran + beside]


INSTALL = "uv pip install -q --exact --compile-bytecode "
PYTEST = "python -m pytest "
ALL_ON_THIS = [PYTEST + " ".join(FAST), PYTEST + " ".join(SLOW)]


def test_all_tests_run_here_and_the_fast_ones_on_every_other_python(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code, commands = run_with({}, {13: "/py313"})
    assert (code, commands) == (
        0,
        [
            *ALL_ON_THIS,
            "uv venv -q --allow-existing --python /py313 .venv-3.13",
            INSTALL + "--python .venv-3.13 -r requirements.txt",
            PYTEST + " ".join(FAST_ELSEWHERE),
        ],
    )
    assert capsys.readouterr().out == (
        "fast tests on Python 3.11: passed\n"
        "slow tests on Python 3.11: passed\n"
        "fast tests on Python 3.13: passed\n"
        "not on this machine: Python 3.12 with Airflow 3.3.1\n"
    )


@pytest.mark.parametrize("here", [11, 12])
def test_fast_tests_run_with_the_other_airflow_on_python_3_12_also_where_that_is_this_one(
    here: int, capsys: pytest.CaptureFixture[str]
) -> None:
    code, commands = run_with({}, {12: "/py312"}, here)
    assert (code, commands[2:]) == (
        0,
        [
            "uv venv -q --allow-existing --python /py312 .venv-airflow-3.3.1",
            INSTALL + "--python .venv-airflow-3.3.1 -r requirements.txt --overrides"
            " devstack/airflow-3.3.1.txt",
            PYTEST + " ".join(FAST_ELSEWHERE),
        ],
    )
    told = capsys.readouterr().out.splitlines()
    assert told[2] == "fast tests on Python 3.12 with Airflow 3.3.1: passed"
    others = [f"Python 3.{minor}" for minor in (11, 13) if minor != here]
    assert told[3:] == [f"not on this machine: {', '.join(others)}"]


def test_slow_tests_run_also_when_a_fast_one_fails_and_the_exit_code_tells(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run_with({"not slow": 1}, {}) == (1, ALL_ON_THIS)
    assert capsys.readouterr().out == (
        "fast tests on Python 3.11: FAILED, exit 1\n"
        "slow tests on Python 3.11: passed\n"
        "not on this machine: Python 3.12 with Airflow 3.3.1, Python 3.13\n"
    )


def test_tests_that_a_signal_ended_have_failed() -> None:
    assert run_with({"not slow": -9}, {})[0] == 9


def test_environment_that_cannot_be_filled_fails_its_python_only(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code, commands = run_with({"--python .venv-airflow-3.3.1 -r": 2}, {12: "/py312", 13: "/py313"})
    assert (code, len(commands), commands[-1]) == (
        *(2, 2 + 2 + 3),
        PYTEST + " ".join(FAST_ELSEWHERE),
    )
    assert capsys.readouterr().out.splitlines()[2:] == [
        "fast tests on Python 3.12 with Airflow 3.3.1: FAILED, exit 2",
        "fast tests on Python 3.13: passed",
    ]


def test_what_runs_beside_others_is_printed_as_a_whole_with_its_errors(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code = "import sys; print('one', flush=True); print('two', file=sys.stderr); sys.exit(3)"
    assert run_beside([sys.executable, "-c", code]) == 3
    assert capsys.readouterr() == ("one\ntwo\n", "")


def make_python(path: Path, code: int) -> str:
    path.parent.mkdir(parents=True)
    path.write_text(f"#!/bin/sh\nexit {code}\n")
    path.chmod(0o755)
    return str(path)


def test_interpreter_is_looked_for_on_the_path_then_where_pyenv_and_uv_keep_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shim = make_python(tmp_path / "shims/python3.12", 127)
    monkeypatch.setenv("PATH", f"{Path(shim).parent}{os.pathsep}{os.defpath}")
    assert find_python(12, tmp_path) is None
    of_uv = make_python(tmp_path / ".local/share/uv/python/cpython-3.12.1-linux/bin/python3", 0)
    assert find_python(12, tmp_path) == of_uv
    of_pyenv = make_python(tmp_path / ".pyenv/versions/3.12.1/bin/python3", 0)
    assert find_python(12, tmp_path) == of_pyenv
    Path(shim).write_text("#!/bin/sh\n")
    assert find_python(12, tmp_path) == shim
