"""The code fingerprint changes with code and configuration, and with nothing else."""

from __future__ import annotations

import shutil
from pathlib import Path

from include.guards.fingerprint import INCLUDE, fingerprint, list_code

SPEC = INCLUDE.parent / "dags" / "bdl_box_scores.py"


def test_it_covers_spec_parsers_and_steps_but_not_the_mail() -> None:
    names = {str(path.relative_to(INCLUDE.parent)) for path in list_code(SPEC)}
    assert {
        "dags/bdl_box_scores.py",
        "include/parsing/balldontlie.py",
        "include/steps/walk.py",
    } < names
    assert not any(name.startswith(("include/mail", "include/guards")) for name in names)


def test_one_letter_of_code_or_one_option_is_another_fingerprint(tmp_path: Path) -> None:
    code = [SPEC, INCLUDE / "parsing" / "balldontlie.py"]
    files = [Path(shutil.copy(path, tmp_path)) for path in code]
    options = {"windows": [[60, 60]]}
    here = fingerprint(code, options)
    assert fingerprint(files, options) == here
    assert fingerprint(files, {"windows": [[600, 60]]}) != here
    files[1].write_text(files[1].read_text() + "\n")
    assert fingerprint(files, options) != here
