"""`make compose-check`: what is wrong with docker-compose.yaml, one line each; no engine is needed.

Airflow's own parser and configuration judge its commands and variables, the compose specification
the form, a secret scanner all that is deployed. Each check is a function of the file and yields
offences.
"""

from __future__ import annotations

import importlib.util
import io
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from devstack.compose.file import FILE, ROOT, Container, containers, read
from devstack.compose.secret_files import MAKERS
from include.settings import SETTINGS

DEPLOYED = ("Dockerfile", ".env.example", "deploy")
WRITTEN = ("README.md", "Makefile", "docs", "dags", "plugins", "include", "devstack")
PLACEHOLDERS = "^(CHANGE_ME|YOUR_KEY|SENDGRID_KEY|PASSWORD)$"
EXAMPLES = "^(YOUR_KEY|password)$"
"""Values that are not secrets: in files that are filled in, and in sentences about URLs."""

# What the images have beside Airflow and Python, and each command that is known to run in them.
_PROGRAMS = {"postgres", "pg_isready", "redis-server", "redis-cli", "celery", "test", "find"}
_PROGRAMS |= {"printf", "sleep", "while", "do", "done", "true", "/bin/sh", "bash"}
_SECRET = re.compile(r"\$\{(" + "|".join(MAKERS) + r")(?!:\?)[^}]*\}")
_PINNED = re.compile(r"[\w./-]+:[\w-]*\d+\.\d+(\.\d+)?(-[\w-]+)?")


@dataclass(frozen=True, kw_only=True)
class Compose:
    """The file: its path, its tree without values for variables, its services with made-up
    ones."""

    path: Path
    tree: Mapping[str, Any]
    services: Mapping[str, Container]

    @property
    def airflow(self) -> list[Container]:
        """The services that are processes of Airflow."""
        return [each for each in self.services.values() if each.image.startswith("nba-airflow:")]


Check = Callable[[Compose], Iterator[str]]


def follows_the_specification(compose: Compose) -> Iterator[str]:
    """The form of the file, by the compose specification's own schema."""
    program = str(Path(sys.executable).with_name("check-jsonschema"))
    command = [program, "--builtin-schema", "vendor.compose-spec", "-o", "json", str(compose.path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        found = json.loads(done.stdout)
        for error in found["errors"]:
            yield f"{error['path']}: {error['message']}"


def shows_no_secret(compose: Compose) -> Iterator[str]:
    """Neither a secret nor a default for one: a known password is none."""
    for found in _SECRET.finditer(compose.path.read_text()):
        right = f"${{{found[1]}:?run make secrets}}"
        yield f"{found[0]} starts without a value of its own: write {right}"
    yield from _scan(compose.path.parent, compose.path.name, but=PLACEHOLDERS)
    yield from _scan(ROOT, *DEPLOYED, but=PLACEHOLDERS)
    yield from _scan(ROOT, *WRITTEN, but=EXAMPLES)


def _scan(folder: Path, *names: str, but: str) -> Iterator[str]:
    """What the scanner finds in files and folders below ``folder``, and nowhere else; values that
    match ``but`` are not secrets."""
    program = str(Path(sys.executable).with_name("detect-secrets"))
    options = ["--no-verify", "--all-files", "--exclude-secrets", but]
    command = [program, "-C", str(folder), "scan", *options, *names]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    for path, secrets in json.loads(done.stdout)["results"].items():
        for each in secrets:
            yield f"{path}:{each['line_number']} has a secret ({each['type']})"


def pins_images(compose: Compose) -> Iterator[str]:
    """A tag that moves would be another program tomorrow."""
    for each in compose.services.values():
        if not _PINNED.fullmatch(each.image):
            yield f"{each.name}: image {each.image} is not pinned: name its version"


def builds_each_image_once(compose: Compose) -> Iterator[str]:
    """Docker refuses the second of two builds at a time that write the same tag."""
    services = compose.tree["services"].items()
    for image in sorted({each["image"] for _, each in services if each["image"][:4] == "nba-"}):
        names = [name for name, each in services if each["image"] == image and "build" in each]
        if len(names) != 1:
            yield f"{image} is built by {', '.join(names) or 'nothing'}: build it in one service"


def stays_on_loopback(compose: Compose) -> Iterator[str]:
    """Docker opens ports beside the host's firewall."""
    for name, service in compose.tree["services"].items():
        for port in service.get("ports", ()):
            if not str(port).startswith("127.0.0.1:"):
                yield f"{name}: port {port} is open to everybody: write 127.0.0.1:{port}"


def is_bounded_and_watched(compose: Compose) -> Iterator[str]:
    """Every service starts again, has a memory limit, and unless it ends a health check."""
    for name, service in compose.tree["services"].items():
        ends = service.get("restart") == "no"
        for key in ("restart", "mem_limit", "logging", *(() if ends else ("healthcheck",))):
            if key not in service:
                yield f"{name} has no {key}"


def has_commands_that_run(compose: Compose) -> Iterator[str]:
    """Every command and health check is one that the programs in the images take."""
    for each in compose.services.values():
        image_starts_airflow = each in compose.airflow and each.command[0] not in ("bash", "python")
        command = ["airflow", *each.command] if image_starts_airflow else each.command
        for words in (*_simple_commands(command), *_simple_commands(each.check)):
            if fault := _fault_of(words):
                yield f"{each.name}: {shlex.join(words)}: {fault}"


def sets_what_airflow_knows(compose: Compose) -> Iterator[str]:
    """Variables of Airflow are options that it has, and every process has the same."""
    from airflow.configuration import conf
    from airflow.providers_manager import ProvidersManager

    ProvidersManager().initialize_providers_configuration()
    known = conf.configuration_description
    for name in sorted({name for each in compose.airflow for name in each.environment}):
        _, _, option = name.partition("AIRFLOW__")
        section, _, key = option.lower().partition("__")
        if option and key not in known.get(section, {"options": {}})["options"]:
            yield f"{name} is not an option of Airflow"
        values = {each.environment.get(name) for each in compose.airflow}
        if name.startswith("AIRFLOW_") and len(values) > 1:
            yield f"{name} is not the same in every process of Airflow"


def has_every_setting(compose: Compose) -> Iterator[str]:
    """The settings of include/settings.py."""
    for each in SETTINGS:
        if {service.environment.get(each.name) for service in compose.airflow} != {each.value}:
            yield f"{each.name}={each.value} is missing"


CHECKS: Sequence[Check] = (
    follows_the_specification,
    shows_no_secret,
    pins_images,
    builds_each_image_once,
    stays_on_loopback,
    is_bounded_and_watched,
    has_commands_that_run,
    sets_what_airflow_knows,
    has_every_setting,
)


def find_offences(path: Path = FILE) -> list[str]:
    """What is wrong with the file; nothing for one that is right."""
    tree = read(path)
    services = containers(tree, {name: make() for name, make in MAKERS.items()})
    compose = Compose(path=path, tree=tree, services=services)
    return [offence for check in CHECKS for offence in check(compose)]


def _simple_commands(command: Sequence[str]) -> Iterator[list[str]]:
    """The commands of an exec form; of a shell's line each simple one."""
    if command[:2] not in (["bash", "-c"], ["/bin/sh", "-c"]):
        if command:
            yield list(command)
        return
    for line in re.split(r"&&|[;|]", command[2]):
        words = shlex.split(line)
        while words and (words[0] in ("exec", "do", "while") or "=" in words[0]):
            words = words[1:]
        if words:
            yield words


def _fault_of(words: Sequence[str]) -> str:
    if words[0] == "airflow":
        return _fault_for_airflow(words[1:])
    if words[:2] == ["python", "-m"]:
        missing = importlib.util.find_spec(words[2]) is None
        return "there is no such module" if missing else ""
    known = words[0] in _PROGRAMS or words[:2] == ["python", "-c"]
    return "" if known else "not a program of the image"


def _fault_for_airflow(words: Sequence[str]) -> str:
    from airflow.cli.cli_parser import get_parser

    said = io.StringIO()
    try:
        with redirect_stdout(said), redirect_stderr(said):
            get_parser().parse_args(list(words))
    except SystemExit:
        return next(line for line in said.getvalue().splitlines() if "error: " in line)
    return ""


def main() -> int:
    """Prints the offences; returns 1 if there are some."""
    # Which commands there are is for the executor and the auth manager to say, and Airflow reads
    # those when it is first imported.
    environment = {
        name: value
        for each in containers(read(), {name: make() for name, make in MAKERS.items()}).values()
        for name, value in each.environment.items()
        if name in ("AIRFLOW__CORE__EXECUTOR", "AIRFLOW__CORE__AUTH_MANAGER")
    }
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {**environment, "AIRFLOW_HOME": folder}
        offences = find_offences(Path(sys.argv[1]) if sys.argv[1:] else FILE)
    print("\n".join(offences) or "docker-compose.yaml: nothing to object to")
    return 1 if offences else 0


if __name__ == "__main__":
    sys.exit(main())
