"""Pins of requirements.txt, and those of them that the image has: written from pyproject.toml, and
checked to follow it and to resolve on each Python and with each Airflow that we support.

`python -m devstack.pins` checks, with `write` behind it writes. The package index is asked only for
what uv's cache lacks: 25 s the first time, 1 s from then on.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from devstack.run_tests import MINORS, OTHER_AIRFLOW, PINS, Environment

ROOT = Path(__file__).resolve().parents[1]
IMAGE_PINS = "requirements-image.txt"
_ALL = ("--universal", "--custom-compile-command", "make lock", "pyproject.toml", "--extra", "team")
LOCK = (*_ALL, "--python-version", f"3.{MINORS[0]}", "--group", "devstack", "--group", "dev")
# The same versions, without what is never deployed, for the one Python of the image.
IMAGE_LOCK = (*_ALL, "--python-version", "3.12", "--no-annotate", "-c", PINS)
LOCKS = {PINS: LOCK, IMAGE_PINS: IMAGE_LOCK}

Compile = Callable[[Path, Sequence[str]], str]


def compile_pins(root: Path, options: Sequence[str]) -> str:
    """Runs `uv pip compile` in `root`, without a network where the cache is enough; returns what
    went wrong, or nothing."""
    uv = str(Path(sys.executable).with_name("uv"))
    for network in (["--offline"], []):
        command = [uv, "pip", "compile", "-q", *network, *options]
        done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return ""
    return done.stderr.strip()


def write_pins(root: Path = ROOT) -> str:
    """Pins what pyproject.toml asks for, where a version that is pinned and still fits stays;
    returns what went wrong, or nothing."""
    for name, options in LOCKS.items():
        if error := compile_pins(root, [*options, "-o", name]):
            return error
    return ""


def check_pins(root: Path = ROOT, compile_pins: Compile = compile_pins) -> str:
    """What is wrong with the pins and how it is repaired, or nothing."""
    for name, options in LOCKS.items():
        pins = (root / name).read_text()
        with tempfile.TemporaryDirectory() as folder:
            new = Path(folder) / name
            new.write_text(pins)  # uv keeps the versions it finds there
            if error := compile_pins(root, [*options, "-o", str(new)]):
                return f"pyproject.toml does not resolve, repair it: {error}"
            if new.read_text() != pins:
                return f"{name} does not follow pyproject.toml: make lock"
    # Wheels alone: a package that must be built there would need a compiler on every machine.
    for each in (*map(Environment, MINORS), OTHER_AIRFLOW):
        options = ["--python-version", f"3.{each.minor}", "--no-build", *each.pins]
        if error := compile_pins(root, options):
            return f"{PINS} does not resolve on {each.name}, repair it: {error}"
    return ""


if __name__ == "__main__":
    sys.exit((write_pins() if sys.argv[1:] == ["write"] else check_pins()) or None)
