"""docs/astro.md: its Dockerfile installs our pins, and leaves the runtime its own."""

from __future__ import annotations

import re
import subprocess

from tests.devstack.test_readme import ROOT

PAGE = (ROOT / "docs" / "astro.md").read_text()
(DOCKERFILE,) = re.findall(r"```dockerfile\n(.*?)```", PAGE, re.DOTALL)
PINS = (ROOT / "requirements-image.txt").read_text()
RUNTIMES_OWN = {
    "apache-airflow",
    "apache-airflow-core",
    "apache-airflow-task-sdk",
    "apache-airflow-providers-celery",
    "apache-airflow-providers-fab",
    "celery",
    "redis",
}


def test_everything_is_installed_but_what_the_runtime_has() -> None:
    (pattern,) = re.findall(r"grep -vE '(.*?)'", DOCKERFILE)
    left = subprocess.run(
        ["grep", "-vE", pattern], input=PINS, capture_output=True, text=True, check=True
    ).stdout
    names = [set(re.findall(r"^([\w.-]+)[\[=]", text, re.MULTILINE)) for text in (PINS, left)]
    assert names[0] - names[1] == RUNTIMES_OWN


def test_every_folder_that_is_deployed_is_copied_and_found() -> None:
    home = "/usr/local/airflow"
    copied = re.findall(rf"^COPY --chown=astro:0 (\w+) {home}/(\w+)$", DOCKERFILE, re.MULTILINE)
    assert copied == [(name, name) for name in ("dags", "plugins", "include")]
    assert f"ENV PYTHONPATH={home}:{home}/plugins" in DOCKERFILE
    assert (ROOT / "plugins" / ".airflowignore").is_file()
