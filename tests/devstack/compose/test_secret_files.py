"""`make secrets` writes all that docker-compose.yaml asks for, for its owner alone, and changes
nothing that is there."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from cryptography.fernet import Fernet

from devstack.compose.file import FILE, ROOT
from devstack.compose.secret_files import MAKERS, SANDBOX, read_env, write_secrets
from devstack.connections import MONTHLY_CREDITS, find_examples

if TYPE_CHECKING:
    from include.sources.spec import Source

NEXT = (
    "next: keys of upstreams into connections.json, then `docker compose up --detach --build`"
    " (docs/compose.md)\n"
)
NEXT_IN_SANDBOX = "next: `docker compose --profile sandbox up --detach --build` (docs/compose.md)\n"


def test_files_hold_all_that_is_asked_for_and_are_their_owners_alone(tmp_path: Path) -> None:
    asked = set(re.findall(r"\$\{(\w+):\?", FILE.read_text()))
    assert set(write_secrets(tmp_path, sandbox=False)) == {*asked, "connections.json"}
    found = read_env(tmp_path / ".env")
    assert found.keys() == asked == MAKERS.keys()
    assert len(set(found.values())) == len(found)
    assert min(len(value) for name, value in found.items() if name != "AIRFLOW_UID") >= 44
    Fernet(found["FERNET_KEY"])
    modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    assert modes == {".env": 0o600, "connections.json": 0o600}
    assert (tmp_path / "connections.json").stat().st_uid == int(found["AIRFLOW_UID"])


def test_what_is_there_stays(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("UI_PORT=9090\nFERNET_KEY=mine=\n")
    (tmp_path / "connections.json").write_text("{}")
    made = write_secrets(tmp_path, sandbox=False)
    assert set(made) == MAKERS.keys() - {"FERNET_KEY"}
    first = (tmp_path / ".env").read_text()
    assert first.startswith("UI_PORT=9090\nFERNET_KEY=mine=\n")
    assert write_secrets(tmp_path, sandbox=True) == []
    assert (tmp_path / ".env").read_text() == first
    assert (tmp_path / "connections.json").read_text() == "{}"


def test_a_last_line_without_an_end_keeps_its_value(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("AIRFLOW_UID=50001\nUI_PORT=8081")
    write_secrets(tmp_path, sandbox=False)
    found = read_env(tmp_path / ".env")
    assert (found.keys(), found["UI_PORT"]) == ({"UI_PORT", *MAKERS}, "8081")


def test_connections_that_are_there_become_readable_for_airflow(tmp_path: Path) -> None:
    uid = os.getuid() or 50001
    (tmp_path / ".env").write_text(f"AIRFLOW_UID={uid}\n")
    (tmp_path / "connections.json").write_text("{}")
    write_secrets(tmp_path, sandbox=False)
    assert (tmp_path / "connections.json").stat().st_uid == uid


@pytest.mark.parametrize("sandbox", [False, True])
def test_every_upstream_has_its_connection(
    sandbox: bool, tmp_path: Path, documented: dict[str, Source]
) -> None:
    write_secrets(tmp_path, sandbox=sandbox)
    found = json.loads((tmp_path / "connections.json").read_text())
    hosts = {host.connection for source in documented.values() for host in source.hosts}
    assert found.keys() - find_examples() == {*hosts, "mail"}
    led = {name: found[name].get("host", "") for name in sorted(hosts)}
    assert led == {name: f"{SANDBOX}/{name}" if sandbox else "" for name in sorted(hosts)}


def test_a_host_without_our_packages_can_make_them(tmp_path: Path) -> None:
    made = f".env ({', '.join(MAKERS)}), connections.json"
    assert run(tmp_path, "-S") == (0, f"made: {made}\n{NEXT}", "")


def test_the_sandbox_is_not_led_to_beside_the_real_upstreams(tmp_path: Path) -> None:
    run(tmp_path, "-S")
    before = {path: path.read_text() for path in tmp_path.iterdir()}
    repair = (
        "connections.json leads to the real upstreams and stays: move it away, run `docker compose"
        " down --volumes` if it was started (which deletes all its data), then this again\n"
    )
    assert run(tmp_path, "-S", "sandbox") == (1, "", repair)
    assert {path: path.read_text() for path in tmp_path.iterdir()} == before
    (tmp_path / "connections.json").unlink()
    assert run(tmp_path, "-s", "sandbox") == (0, f"made: connections.json\n{NEXT_IN_SANDBOX}", "")
    assert run(tmp_path, "-s", "sandbox") == (0, f"made: nothing\n{NEXT_IN_SANDBOX}", "")


def test_the_real_upstreams_are_not_led_to_beside_the_sandbox(tmp_path: Path) -> None:
    run(tmp_path, "-s", "sandbox")
    before = {path: path.read_text() for path in tmp_path.iterdir()}
    repair = (
        "connections.json leads to the sandbox and stays: move it away, run `docker compose down"
        " --volumes` if it was started (which deletes all its data), then this again\n"
    )
    assert run(tmp_path, "-S") == (1, "", repair)
    assert {path: path.read_text() for path in tmp_path.iterdir()} == before
    (tmp_path / "connections.json").unlink()
    assert run(tmp_path, "-S") == (0, f"made: connections.json\n{NEXT}", "")
    assert run(tmp_path, "-S") == (0, f"made: nothing\n{NEXT}", "")


def run(folder: Path, option: str, *words: str) -> tuple[int, str, str]:
    """Exit code and outputs of the command; without packages by Python's option -S."""
    done = subprocess.run(
        [sys.executable, option, "-m", "devstack.compose.secret_files", *words],
        cwd=folder,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def test_neither_file_gets_into_git_or_into_the_image() -> None:
    names = [".env", "connections.json"]
    assert set(names) <= set((ROOT / ".gitignore").read_text().splitlines())
    into_image = (ROOT / ".dockerignore").read_text().splitlines()
    assert next(line for line in into_image if line and not line.startswith("#")) == "*"
    assert not {f"!{name}" for name in names} & set(into_image)


def test_the_sandbox_bills_as_on_one_machine() -> None:
    config = json.loads((ROOT / "deploy" / "sandbox.json").read_text())
    assert config == {"monthly_credits": MONTHLY_CREDITS}
