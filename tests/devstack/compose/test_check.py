"""`make compose-check` finds nothing in our docker-compose.yaml, and each fault that is planted in
it."""

from __future__ import annotations

import itertools
import re
import shlex
import subprocess
import sys
from pathlib import Path
from string import Template

import pytest

from devstack.compose.file import DOCKERFILE, FILE, ROOT, Missing, containers, put_in, read
from devstack.compose.secret_files import MAKERS

# What is right in the file, what is written instead, and what is said of that.
FAULTS = [
    (
        "mem_limit: 256m",
        "memory_limit: 256m",
        "$.services.redis: Unevaluated properties are not allowed ('memory_limit' was unexpected)",
    ),
    (
        "${JWT_SECRET:?run make secrets}",
        "${JWT_SECRET:-well-known}",
        "${JWT_SECRET:-well-known} starts without a value of its own: write"
        " ${JWT_SECRET:?run make secrets}",
    ),
    (
        "ADMIN_PASSWORD: ${ADMIN_PASSWORD:?run make secrets}",
        "ADMIN_PASSWORD: correct-horse",
        "docker-compose.yaml:{line} has a secret (Secret Keyword)",
    ),
    (
        "image: redis:7.2.5-bookworm",
        "image: redis:latest",
        "redis: image redis:latest is not pinned: name its version",
    ),
    (
        "  airflow-scheduler:\n    <<: *airflow\n",
        "  airflow-scheduler:\n    <<: *airflow\n    build: .\n",
        "nba-airflow:3.3.2 is built by airflow-init, airflow-scheduler: build it in one service",
    ),
    (
        '"127.0.0.1:${UI_PORT:-8080}:8080"',
        '"8080:8080"',
        "airflow-apiserver: port 8080:8080 is open to everybody: write 127.0.0.1:8080:8080",
    ),
    ("", "", "redis has no mem_limit"),
    (
        "command: [dag-processor]",
        "command: [dag-processor, --skip-serve-logs]",
        "airflow-dag-processor: airflow dag-processor --skip-serve-logs: airflow command error:"
        " unrecognized arguments: --skip-serve-logs, see help above.",
    ),
    (
        "nba_airflow.health_check, triggerer",
        "nba_airflow.health, triggerer",
        "airflow-triggerer: python -m nba_airflow.health triggerer: there is no such module",
    ),
    (
        "AIRFLOW__CELERY__WORKER_CONCURRENCY",
        "AIRFLOW__CELERY__WORKERS",
        "AIRFLOW__CELERY__WORKERS is not an option of Airflow",
    ),
    (
        'TASK_INSTANCE_HEARTBEAT_TIMEOUT: "60"',
        'TASK_INSTANCE_HEARTBEAT_TIMEOUT: "600"',
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT=60 is missing",
    ),
]


def check(path: Path) -> tuple[int, list[str]]:
    """Exit code and lines of the command."""
    done = subprocess.run(
        [sys.executable, "-m", "devstack.compose.check", str(path)],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": f"{ROOT}:{ROOT / 'plugins'}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout, done.stderr
    return done.returncode, done.stdout.splitlines()


def test_there_is_nothing_wrong_with_the_file() -> None:
    assert check(FILE) == (0, ["docker-compose.yaml: nothing to object to"])


def test_each_planted_fault_is_named(tmp_path: Path) -> None:
    text, path = FILE.read_text(), tmp_path / "docker-compose.yaml"
    for right, wrong, _ in FAULTS:
        assert right in text
        text = text.replace(right, wrong, 1) if right else text
    path.write_text(text)
    line = 1 + text[: text.index("correct-horse")].count("\n")
    assert check(path) == (1, [said.replace("{line}", str(line)) for _, _, said in FAULTS])


def test_airflow_is_not_started_where_it_has_no_room() -> None:
    """By the image's entrypoint, to ask whether the database is there."""
    ours = {n: s for n, s in read()["services"].items() if s["image"].startswith("nba-")}
    small = {name for name, each in ours.items() if each["mem_limit"].endswith("m")}
    asks_nothing = {
        name
        for name, each in ours.items()
        if each["environment"].get("CONNECTION_CHECK_MAX_COUNT") == "0"
    }
    assert asks_nothing == small == {"log-groomer", "sandbox"}


def test_the_group_reads_what_its_owner_reads_in_every_image() -> None:
    """Processes have the host's user and group 0, whatever the umask of the checkout."""
    _, *stages = DOCKERFILE.read_text().split("\nFROM ")
    for stage in stages:
        copied = re.findall(r"^COPY (.*?) ", stage, re.MULTILINE)
        assert set(copied) == {"--chown=airflow:0"}
        _, _, after = stage.rpartition("\nCOPY ")
        assert "\nUSER root\nRUN chmod -R g=u /opt/nba\nUSER airflow\n" in after


def test_no_process_is_started_with_a_secret_among_its_arguments() -> None:
    found = containers(read(), {name: f"secret {name}" for name in MAKERS})
    shown = [(n, word) for n, each in found.items() for word in each.command if "secret " in word]
    assert shown == []
    # Redis asks for one all the same.
    (config,) = [each for each in found["redis"].command if each in found["redis"].configs]
    asked = found["redis"].configs[config].splitlines()
    assert asked == ["appendonly yes", "requirepass secret REDIS_PASSWORD"]


def test_no_health_check_has_a_secret_among_its_arguments() -> None:
    """Everybody on the host reads those; an assignment before a command is in none."""
    shown = []
    for each in containers(read(), {name: f"secret {name}" for name in MAKERS}).values():
        words = shlex.split(each.check[2]) if each.check[:1] == ["/bin/sh"] else each.check
        arguments = itertools.dropwhile(lambda word: "=" in word, words)
        filled = (Template(word).safe_substitute(each.environment) for word in arguments)
        shown += [(each.name, word) for word in filled if "secret " in word]
    assert shown == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a ${NAME:?run make secrets} b", "a x b"),
        ("${NAME:-y}", "x"),
        ("${OTHER:-y}", "y"),
        ("${OTHER:-}", ""),
        ("$$NAME and $$((2 * 3))", "$NAME and $((2 * 3))"),
    ],
)
def test_values_are_put_in_as_compose_does(text: str, expected: str) -> None:
    assert put_in(text, {"NAME": "x"}) == expected


def test_a_variable_without_a_value_stops_everything() -> None:
    with pytest.raises(Missing, match="NAME has no value: run make secrets"):
        put_in("${NAME:?run make secrets}", {"NAME": ""})
