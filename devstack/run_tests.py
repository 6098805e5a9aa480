"""`make test`: every test on this Python, and the fast ones in other environments: each other
Python of 3.11 to 3.13 that is here, one of them with the other Airflow that is supported. A failure
ends nothing early, and the last lines say what ran where.

The slow tests mostly wait, and the other environments' work meanwhile: what theirs print is shown
as each ends.

These environments lie beside the checkout's (`.venv-3.13`), filled from the same pins.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

MINORS = (11, 12, 13)
PINS = "requirements.txt"
FAST = ("-m", "not slow", "-n", "2")
# As many examples of each property as show whether another Python can run it.
FAST_ELSEWHERE = ("-m", "not slow", "-n", "1", "--hypothesis-profile", "few")
# Two installations at a time: most of an end-to-end test is waiting.
SLOW = ("-m", "slow", "-n", "2", "--dist", "loadfile")

_ROOT = Path(__file__).resolve().parents[1]
# Where interpreters lie that are not on the path: pyenv's and uv's own folders.
_ELSEWHERE = (".pyenv/versions/3.{minor}.*", ".local/share/uv/python/cpython-3.{minor}.*")


@dataclass(frozen=True)
class Environment:
    """A Python, 3.`minor`, and the pins; ``airflow``: a version of Airflow instead of theirs."""

    minor: int
    airflow: str = ""

    @property
    def name(self) -> str:
        name = f"Python 3.{self.minor}"
        return f"{name} with Airflow {self.airflow}" if self.airflow else name

    @property
    def folder(self) -> str:
        return f".venv-airflow-{self.airflow}" if self.airflow else f".venv-3.{self.minor}"

    @property
    def pins(self) -> list[str]:
        """The file of pins, for uv, and what takes the place of some of them."""
        overrides = ["--overrides", f"devstack/airflow-{self.airflow}.txt"]
        return [PINS, *overrides] if self.airflow else [PINS]


# Python 3.12 has 3.3.1, as services have it, and no environment with the pinned Airflow: five
# minutes for what 3.11 and 3.13 show from both sides.
OTHER_AIRFLOW = Environment(minor=12, airflow="3.3.1")
ENVIRONMENTS = (Environment(minor=11), OTHER_AIRFLOW, Environment(minor=13))

Run = Callable[[Sequence[str]], int]


def run(command: Sequence[str]) -> int:
    """The exit code of a command whose output is seen as it comes."""
    return subprocess.run(command, cwd=_ROOT, check=False).returncode


def run_beside(command: Sequence[str]) -> int:
    """The exit code of a command that runs beside others; its output is printed when it ends."""
    done = subprocess.run(
        command, cwd=_ROOT, check=False, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    print(done.stdout, end="", flush=True)
    return done.returncode


def find_python(minor: int, home: Path) -> str | None:
    """An interpreter of 3.`minor` that runs, or None. pyenv's shims lie on the path also where the
    version is not in use: they do not run."""
    on_path = shutil.which(f"python3.{minor}")
    for python in (on_path, *_elsewhere(minor, home)):
        if python and _runs(python):
            return python
    return None


def _elsewhere(minor: int, home: Path) -> Iterator[str]:
    for pattern in _ELSEWHERE:
        yield from map(str, sorted(home.glob(f"{pattern.format(minor=minor)}/bin/python3")))


def _runs(python: str) -> bool:
    return subprocess.run([python, "-c", ""], capture_output=True, check=False).returncode == 0


def run_everything(
    run: Run = run,
    run_beside: Run = run_beside,
    find: Callable[[int], str | None] = lambda minor: find_python(minor, Path.home()),
    here: int = sys.version_info.minor,
) -> int:
    """Runs all, prints what ran where; returns the worst exit code."""
    pytest = [sys.executable, "-m", "pytest"]
    others = [each for each in ENVIRONMENTS if each != Environment(minor=here)]
    pythons = {each: find(each.minor) for each in others}
    codes = {f"fast tests on Python 3.{here}": run([*pytest, *FAST])}
    with ThreadPoolExecutor(1) as beside:
        elsewhere = {
            f"fast tests on {each.name}": beside.submit(_fast_in, each, python, run_beside)
            for each, python in pythons.items()
            if python
        }
        codes[f"slow tests on Python 3.{here}"] = run([*pytest, *SLOW])
        codes |= {what: code.result() for what, code in elsewhere.items()}
    for what, code in codes.items():
        print(f"{what}: {f'FAILED, exit {code}' if code else 'passed'}")
    if absent := [each.name for each, python in pythons.items() if not python]:
        print(f"not on this machine: {', '.join(absent)}")
    return max(map(abs, codes.values()))  # below 0: ended by a signal


def _fast_in(environment: Environment, python: str, run: Run) -> int:
    venv = environment.folder
    uv = str(Path(sys.executable).with_name("uv"))
    install = [uv, "pip", "install", "-q", "--exact", "--compile-bytecode"]
    commands = (
        [uv, "venv", "-q", "--allow-existing", "--python", python, venv],
        [*install, "--python", venv, "-r", *environment.pins],
        [f"{venv}/bin/python", "-m", "pytest", *FAST_ELSEWHERE],
    )
    for command in commands:
        if code := run(command):
            return code
    return 0


if __name__ == "__main__":
    sys.exit(run_everything())
